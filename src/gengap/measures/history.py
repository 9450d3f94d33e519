"""The family ``history``: how the training went, and where it ended."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap import topology
from gengap.measures.plain import plain_network
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut
from gengap.measures.subject import Subject
from gengap.networks import batch_size_for, evaluating, input_batches, tensor_of
from gengap.networks.differentiation import (
    counted_parameters,
    counting,
    twice_differentiable,
)
from gengap.training.losses import final_activation_of, loss_inputs, sample_losses

FIRST_LOSS, SECOND_LOSS = 0.1, 0.01
"""Training losses that Jiang et al. 2020 count the steps to."""
LAST_EPOCHS = 5
INPUTS = 1000
"""Training inputs of the final gradient."""


@measure("epochs_to_loss", "epochs_from_loss", needs={"history"})
def speed(subject: Subject) -> dict[str, float | LeftOut]:
    """Count the epochs until the training loss is at most 0.1, and from there to 0.01.

    A network that trains faster may be expected to generalise better (Hardt, Recht and Singer
    2016); Jiang et al. find the first number to predict a smaller gap.

    Equation:
        With L_t the training loss of epoch t = 1, 2, ...:
        - ``epochs_to_loss``: min {t : L_t <= 0.1}.
        - ``epochs_from_loss``: min {t : L_t <= 0.01} - min {t : L_t <= 0.1}.

    Source:
        Jiang, Neyshabur, Mobahi, Krishnan and Bengio 2020, "Fantastic generalization measures and
        where to find them", who count steps; Hardt, Recht and Singer 2016, "Train faster,
        generalize better".

    Returns:
        Both numbers of epochs; none for a loss that the training did not reach.
    """
    losses = _losses(subject)
    first, second = _epoch_of(losses, FIRST_LOSS), _epoch_of(losses, SECOND_LOSS)
    return {
        "epochs_to_loss": first,
        "epochs_from_loss": (
            second if isinstance(first, LeftOut) or isinstance(second, LeftOut) else second - first
        ),
    }


@measure("sum_of_training_losses", "sum_of_last_training_losses", needs={"history"})
def sums_of_training_losses(subject: Subject) -> dict[str, float]:
    """Compute the sum of the training losses over all epochs, and over the last five.

    Networks that were trained for equally many epochs can be compared by them.

    Equation:
        With L_t the training loss of epoch t = 1, ..., T:
        - ``sum_of_training_losses``: sum_t L_t.
        - ``sum_of_last_training_losses``: sum_t L_t over the last five epochs, or all where there
          are fewer.

    Source:
        Ru, Lyle, Schut, Fil, van der Wilk and Gal 2021, "Speedy performance estimation for neural
        architecture search" (TSE and TSE-E).

    Returns:
        Both sums.
    """
    losses = _losses(subject)
    return {
        "sum_of_training_losses": float(losses.sum()),
        "sum_of_last_training_losses": float(losses[-LAST_EPOCHS:].sum()),
    }


@measure(needs={"fitting_outputs"}, draws=2)
def final_gradient_norm(subject: Subject) -> float:
    """Compute the norm of the gradient of the mean loss at the trained weights.

    The loss is the one trained on, on at most 1000 training inputs. Batch normalisation is folded
    into the kernel before it. The norm is that of the trainable parameters.

    Equation:
        ||(1/m) sum_i g_i||_2, with g_i the gradient of the loss of input i in the weights.

    Source:
        Jiang, Neyshabur, Mobahi, Krishnan and Bengio 2020, "Fantastic generalization measures and
        where to find them", where the final gradient's variance stands among the measures of
        optimisation.

    Returns:
        The norm, at least 0.
    """
    train, network = subject.train.sample(INPUTS, subject.rng), plain_network(subject)
    gradients: list[Tensor] = []
    with evaluating(network), counting(network, subject.parameters), twice_differentiable(network):
        counted = list(counted_parameters(network, subject.parameters).values())
        size = batch_size_for(network, train.inputs)
        for rows, batch in input_batches(network, train.inputs, size):
            loss = _total_loss(network, batch, train.labels[rows], subject.loss)
            parts = torch.autograd.grad(loss, counted, allow_unused=True, materialize_grads=True)
            gradients = (
                [before + part for before, part in zip(gradients, parts, strict=True)]
                if gradients
                else list(parts)
            )
    squares = sum(float(gradient.double().square().sum()) for gradient in gradients)
    return math.sqrt(squares) / len(train.labels)


@measure(
    "trajectory_dimension",
    "trajectory_lifetime_sum",
    "trajectory_magnitude",
    needs={"snapshots"},
    draws=2,
)
def trajectory(subject: Subject) -> dict[str, float]:
    """Compute dimension, lifetime sum and magnitude of the weights' way through training.

    The points are the snapshots of the trainable parameters, with Euclidean distances. The papers
    take them step by step from a training that goes on after convergence. The networks of a task
    stop there and keep none, so the measures are for snapshots of your own, such as those of
    :func:`gengap.training.train`.

    Equation:
        With E_1 the sum of the edges of a minimum spanning tree of the snapshots, which are at
        distances d_ij:
        - ``trajectory_dimension``: 1 / (1 - m), with the slope m of log E_1 against log n over
          subsamples of n snapshots.
        - ``trajectory_lifetime_sum``: E_1.
        - ``trajectory_magnitude``: the sum of the w_i above 0, where sum_j exp(-sqrt(N) d_ij) w_j =
          1 for each i, and N is the number of training inputs.

    Source:
        - ``trajectory_dimension``: Birdal, Lou, Guibas and Simsekli 2021, "Intrinsic dimension,
          persistent homology and generalization in neural networks".
        - ``trajectory_lifetime_sum``, ``trajectory_magnitude``: Andreeva, Dupuis, Sarkar, Birdal
          and Simsekli 2024, "Topological generalization bounds for discrete-time stochastic
          optimization algorithms".

    Returns:
        The three numbers.

    Raises:
        GengapError: there are fewer than 10 different snapshots.
    """
    from scipy.spatial.distance import pdist, squareform

    assert subject.snapshots is not None
    points = [_flat(subject.snapshots[epoch], subject) for epoch in sorted(subject.snapshots)]
    distances = squareform(pdist(np.stack(points)))
    scale = math.sqrt(len(subject.train.inputs))
    return {
        "trajectory_dimension": topology.persistent_homology_dimension(distances, subject.rng),
        "trajectory_lifetime_sum": topology.lifetime_sum(distances),
        "trajectory_magnitude": topology.magnitude(scale * distances, positive=True),
    }


def _losses(subject: Subject) -> NDArray[np.float64]:
    """Return the training loss after each epoch, (epochs,)."""
    assert subject.history is not None
    ordered = subject.history.sort_values("epoch")
    return ordered["train_loss"].to_numpy(dtype=np.float64)


def _epoch_of(losses: NDArray[np.float64], target: float) -> float | LeftOut:
    """Return the number 1, 2, ... of the first epoch with a loss of at most the target."""
    reached = np.flatnonzero(losses <= target)
    if len(reached) == 0:
        return LeftOut(
            f"The training loss never fell to {target:g} (its smallest value is "
            f"{losses.min():.3g}): train for longer, or do without this measure."
        )
    return float(reached[0] + 1)


def _total_loss(network: nn.Module, inputs: Tensor, labels: np.ndarray, loss: str) -> Tensor:
    outputs = loss_inputs(network, inputs, loss)
    targets = tensor_of(labels, outputs.device)
    activation = final_activation_of(network)
    return sample_losses(outputs, targets, loss, final_activation=activation).sum()


def _flat(network: nn.Module, subject: Subject) -> NDArray[np.float64]:
    """Return the counted parameters of a network as one vector."""
    counted = counted_parameters(network, subject.parameters).values()
    parts = [parameter.detach().double().flatten() for parameter in counted]
    return torch.cat(parts).numpy(force=True)
