"""How much a network changes when its weights or its activations do."""

from __future__ import annotations

import itertools
import logging
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.bisection import bisect
from gengap.measures.pgdl.drawing import draw
from gengap.measures.pgdl.outputs import all_scores, class_scores, observe, slopes
from gengap.measures.plain import movable_copy, plain_network
from gengap.measures.registry import measure
from gengap.measures.subject import Subject
from gengap.networks import batch_size_for, observed_layers, tensor_of
from gengap.networks.differentiation import counted_parameters

log = logging.getLogger(__name__)

JACOBIAN_INPUTS = 512
JACOBIAN_BATCH = 64

SMALLEST, LARGEST = 1e-4, 2.0
"""Relative sizes of perturbation between which the bisection starts."""
BISECTIONS = 10
ACCURACY_LOST = 0.1
CLOSE_ENOUGH = 0.01
ASCENT_STEPS = 20
ASCENT_BATCH = 64
ASCENT_STEP = 0.1
SHARPNESS_INPUTS = 10 * ASCENT_BATCH


@measure(needs={"classes", "float_inputs"}, draws=2)
def jacobian_norm(subject: Subject) -> float:
    """Compute the mean squared entry of the Jacobian of the logits in the activations.

    The mean is taken over at most 512 inputs and all entries, for the input and for the output of
    each layer with weights except the last; then over these. Batch normalisation is folded into the
    kernel before it, so a layer's output is that of both. Larger predicts a larger gap, as
    published. For any inputs but tokens.

    Equation:
        The mean of (d z_k / d h_i)^2 over logits k, entries i of the activations h, inputs, and
        layers.

    Source:
        Jiang et al. 2020, "NeurIPS 2020 competition: predicting generalization in deep learning"
        (baseline of its code).

    Returns:
        The mean, at least 0.

    Raises:
        GengapError: the outputs do not depend on what an observed layer gives.
    """
    network = plain_network(subject)
    inputs, _ = draw(subject.train, JACOBIAN_INPUTS, subject.rng, network)
    layers = dict(observed_layers(network)[:-1])
    totals = np.zeros(len(layers) + 1)
    size = batch_size_for(network, inputs, JACOBIAN_BATCH, keeps_graph=True)
    for batch in torch.split(inputs, size):
        totals += len(batch) * _mean_squares(network, layers, batch)
    log.info("Jacobian norm: %d inputs, %d layers", len(inputs), len(totals))
    return float((totals / len(inputs)).mean())


def _mean_squares(network: nn.Module, layers: dict[str, nn.Module], inputs: Tensor) -> np.ndarray:
    """Compute the Jacobian's mean squared entry for the inputs and each layer's output.

    Args:
        network: any classifier.
        layers: the modules that give the layers' outputs, by name.
        inputs: (n, *input_shape).

    Returns:
        (1 + layers,).

    Raises:
        GengapError: the scores do not depend on what a layer gives, as where a recurrent layer's
            last state is read and its outputs are not.
    """
    with torch.enable_grad():
        scores, outputs = observe(network, list(layers.values()), inputs.requires_grad_())
        squares = slopes(
            scores.sum(0).unbind(),
            {"": inputs, **dict(zip(layers, outputs, strict=True))},
            lambda slope: float(slope.square().mean()),
        )
    return np.asarray(np.array(squares).mean(axis=0))


@measure(needs={"classes"}, slow=True, draws=2)
def sharpness(subject: Subject) -> float:
    """Compute how small a perturbation of the weights loses a tenth of the training accuracy.

    The weights w are perturbed within α |w|, and α is found by bisection of its logarithm between
    1e-4 and 2. A perturbation starts uniform within half of its bounds. It then climbs the
    cross-entropy for 20 steps, each of a tenth of its bounds in the direction of the gradient's
    sign, on batches of 64 of at most 640 training inputs, and is held within its bounds. The PGDL
    competition's baseline gives α itself, smaller for a sharper
    network, and lowers the loss where the paper raises it: this follows the paper. The weights are
    the parameters that count by ``subject.parameters``, biases among them, and batch normalisation
    is folded into the kernel before it. Larger predicts a larger gap.

    Equation:
        -log α, with α the largest size at which no perturbation u, |u_i| <= α |w_i|, is found that
        lowers the training accuracy by 0.1.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them"
        (magnitude-aware sharpness); their competition's baseline.

    Scale:
        logarithm.

    Returns:
        -log α, from -log 2 (nothing lost within the bounds) to log 1e4.
    """
    network, train, rng = plain_network(subject), subject.train, subject.rng
    inputs, labels = draw(train, SHARPNESS_INPUTS, rng, network)
    target = _accuracy(network, inputs, labels) - ACCURACY_LOST
    perturbed = movable_copy(network)
    by_name = counted_parameters(network, subject.parameters)
    counted, copies = list(by_name.values()), dict(perturbed.named_parameters())
    # A copy may list parametrised weights in another order.
    weights = [copies[name] for name in by_name]
    noise = [
        tensor_of(rng.uniform(-0.5, 0.5, tuple(p.shape)).astype(np.float32), p.device)
        for p in counted
    ]

    def may_be_larger(log_size: float) -> bool | None:
        _climb(perturbed, weights, counted, math.exp(log_size), noise, inputs, labels)
        excess = _accuracy(perturbed, inputs, labels) - target
        log.info("Sharpness: size %.3g, excess %.3g", math.exp(log_size), excess)
        return None if abs(excess) < CLOSE_ENOUGH else excess > 0

    low, high = bisect(may_be_larger, math.log(SMALLEST), math.log(LARGEST), BISECTIONS)
    # A bound that was never moved is the answer itself.
    return -high if high == math.log(LARGEST) else -low


def _climb(
    perturbed: nn.Module,
    weights: list[nn.Parameter],
    originals: list[nn.Parameter],
    size: float,
    noise: list[Tensor],
    inputs: Tensor,
    labels: Tensor,
) -> None:
    """Set the weights of ``perturbed`` to the original ones, made worse within bounds."""
    centres = [parameter.detach() for parameter in originals]
    bounds = [size * centre.abs() for centre in centres]
    moves = [bound * share for bound, share in zip(bounds, noise, strict=True)]
    with torch.no_grad():
        for weight, centre, move in zip(weights, centres, moves, strict=True):
            torch.add(centre, move, out=weight.requires_grad_())
    most = batch_size_for(perturbed, inputs, ASCENT_BATCH, keeps_graph=True)
    batches = zip(torch.split(inputs, ASCENT_BATCH), torch.split(labels, ASCENT_BATCH), strict=True)
    for batch, batch_labels in itertools.islice(itertools.cycle(batches), ASCENT_STEPS):
        slopes = _loss_gradient(perturbed, weights, batch, batch_labels, most)
        with torch.no_grad():
            for place, slope in enumerate(slopes):
                bound = bounds[place]
                move = moves[place].addcmul_(ASCENT_STEP * bound, slope.sign())
                move.clamp_(-bound, bound)
                torch.add(centres[place], move, out=weights[place])


@torch.enable_grad()
def _loss_gradient(
    network: nn.Module, weights: list[nn.Parameter], inputs: Tensor, labels: Tensor, most: int
) -> list[Tensor]:
    """Differentiate the mean cross-entropy by weights, with a graph of ``most`` inputs at most."""
    total: list[Tensor] = []
    for part, part_labels in zip(torch.split(inputs, most), torch.split(labels, most), strict=True):
        share = len(part) / len(inputs)
        loss = share * functional.cross_entropy(class_scores(network, part), part_labels)
        slopes = torch.autograd.grad(loss, weights, materialize_grads=True)
        if total:
            slopes = tuple(torch.add(*pair) for pair in zip(total, slopes, strict=True))
        total = list(slopes)
    return total


def _accuracy(network: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    return float((all_scores(network, inputs).argmax(1) == labels).double().mean())
