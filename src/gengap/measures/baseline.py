"""Baselines that every measure has to beat: size, norms, margin, training loss and accuracy.

Biases count wherever parameters are one vector (their number, their sum of squares, their distance
from the start), and nowhere else: an operator norm is that of a kernel, since a shift changes
neither slopes nor Lipschitz constants. Before any norm or distance, batch normalisation is folded
into the kernel before it, see :func:`gengap.networks.folded`. Which parameters count says
``subject.parameters``.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor, nn

from gengap.measures.plain import plain_initial, plain_network, plain_norms
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut
from gengap.measures.subject import Subject
from gengap.networks import batched_outputs, class_logits, difference
from gengap.networks.differentiation import counted_parameters
from gengap.networks.effective_weights import effective_copy
from gengap.training import loss_and_accuracy, mean_loss
from gengap.training.losses import LOSSES

MARGIN_PERCENTILE = 10.0


@measure()
def parameter_count(subject: Subject) -> float:
    """Count the trainable parameters.

    Frozen ones count too where ``subject.parameters`` is ``all``, or where all are frozen.

    Equation:
        dim(w), with w all trainable parameters.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them" (number of
        parameters).

    Returns:
        The number, with biases and the scales and shifts of normalisation.
    """
    counted = counted_parameters(subject.network, subject.parameters)
    return float(sum(parameter.numel() for parameter in counted.values()))


@measure()
def sum_of_squared_weights(subject: Subject) -> float:
    """Compute the squared Euclidean norm of all trainable parameters, biases among them.

    Batch normalisation is folded into the kernel before it, and a weight that is pruned or
    normalised counts as the network uses it.

    Equation:
        ||w||^2, with w all trainable parameters.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them" (parameter
        norm, there of kernels alone).

    Returns:
        The sum, at least 0.
    """
    return _sum_of_squares(effective_copy(plain_network(subject)), subject)


@measure(needs={"initial"})
def distance_from_initialisation(subject: Subject) -> float:
    """Compute the Euclidean distance of all trainable parameters from their initial values.

    Biases are among them. Batch normalisation is folded into the kernel before it, in both
    networks, and a weight that is pruned or normalised counts as the network uses it.

    Equation:
        ||w - w_0||, with w all trainable parameters and w_0 their initial values.

    Source:
        Nagarajan and Kolter 2019, "Generalization in deep networks: the role of distance from
        initialization".

    Returns:
        The distance, at least 0.

    Raises:
        GengapError: the initial weights are those of another network.
    """
    moved = difference(plain_network(subject), plain_initial(subject))
    return math.sqrt(_sum_of_squares(moved, subject))


def _sum_of_squares(network: nn.Module, subject: Subject) -> float:
    counted = counted_parameters(network, subject.parameters).values()
    return float(sum(parameter.detach().square().sum() for parameter in counted))


@measure(sees="kernels")
def log_spectral_norm_product(subject: Subject) -> float:
    """Compute the logarithm of the product of the operator norms of all kernels.

    The product bounds the Lipschitz constant of a network of convolutions, dense layers and
    contracting activations. The norm of a convolution is that of its linear map, padding included,
    on the input that reaches it, not of its reshaped kernel. Embeddings, recurrent layers and
    attention have kernels too, see :func:`gengap.networks.kernels`. Biases have no part in it.
    Batch normalisation is folded into the kernel before it; elsewhere it is a factor of its own,
    the largest absolute scale of a channel.

    Equation:
        log prod_l ||W_l||_2, with ||W_l||_2 the largest singular value of layer l's linear map.

    Source:
        Bartlett, Foster and Telgarsky 2017, "Spectrally-normalized margin bounds for neural
        networks".

    Scale:
        logarithm.

    Returns:
        The natural logarithm of the product.

    Raises:
        GengapError: the network calls no kernel.
    """
    norms = plain_norms(subject).values()
    return float(sum(math.log(max(norm, np.finfo(float).tiny)) for norm in norms))


@measure(needs={"classes"})
def negative_normalised_margin(subject: Subject) -> float:
    """Compute minus the 10th percentile of the output margins, over the spread of the outputs.

    The margin of an input is its label's logit minus the largest other one; the spread is the
    square root of the logits' total variance over the training set, so scaling the last layer
    changes nothing. Negative, because a wide margin predicts a small gap.

    Equation:
        -P_10(f_y(x) - max_{j != y} f_j(x)) / sqrt(sum_k Var(f_k(x))), with f the logits, P_10 the
        10th percentile and Var the variance over training inputs x.

    Source:
        Jiang et al. 2019, "Predicting the generalization gap in deep networks with margin
        distributions" (normalisation); Jiang et al. 2020, "Fantastic generalization measures and
        where to find them" (percentile).

    Returns:
        The value, without units; 0 where all outputs are equal.
    """
    labels = subject.train.labels
    logits = class_logits(_training_logits(subject))
    outputs = logits.numpy(force=True).astype(np.float64)
    rows = np.arange(len(outputs))
    correct = outputs[rows, labels]
    others = outputs.copy()
    others[rows, labels] = -np.inf
    margins = correct - others.max(axis=1)
    spread = math.sqrt(float(outputs.var(axis=0).sum()))
    if spread == 0:
        # A network whose outputs are all equal separates nothing: its margin is 0 by convention.
        return 0.0
    return float(-np.percentile(margins, MARGIN_PERCENTILE) / spread)


def _training_logits(subject: Subject) -> Tensor:
    """Return the logits (n, k) of all training inputs, computed once for the family."""
    return subject.once("logits", lambda: batched_outputs(subject.network, subject.train))


@measure("training_accuracy", "negative_training_loss", needs={"fitting_outputs"})
def fit(subject: Subject) -> dict[str, float | LeftOut]:
    """Compute the accuracy and minus the mean loss on the training set.

    The loss is the one that the network was trained on. A network that fits the labels it was
    trained on more closely may be expected to have the larger gap.

    Equation:
        - ``training_accuracy``: the share of training inputs x with argmax f(x) = y.
        - ``negative_training_loss``: -mean of the loss L(f(x), y) over the training inputs.

    Source:
        Baselines of this library.

    Returns:
        ``training_accuracy`` in [0, 1], for classes only, and ``negative_training_loss``, at most
        0.
    """
    network, train = subject.network, subject.train
    if train.has_numbers:
        accuracy: float | LeftOut = LeftOut(
            "The measure 'training_accuracy' needs classes, and the targets of these data are "
            "numbers: do without this measure."
        )
        return {
            "training_accuracy": accuracy,
            "negative_training_loss": -mean_loss(network, train, subject.loss),
        }
    known = LOSSES.get(subject.loss)
    logits = None if known is None or known.of_outputs else _training_logits(subject)
    loss, accuracy = loss_and_accuracy(network, train, subject.loss, outputs=logits)
    return {"training_accuracy": accuracy, "negative_training_loss": -loss}
