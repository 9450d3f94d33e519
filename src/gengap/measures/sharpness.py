"""The family ``sharpness``: how much the training loss rises where the weights are moved.

The loss is the mean of the loss that the network was trained on, on at most 256 training inputs.
Batch normalisation is folded into the kernel before it first, see :func:`gengap.networks.folded`.
Which parameters move says ``subject.parameters``. Sharpness to the point where accuracy is lost is
in the family ``competition``, and by random noise to a given rise in ``curvature``.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.plain import movable_copy, plain_network
from gengap.measures.registry import measure
from gengap.measures.results import Estimate
from gengap.measures.subject import Subject
from gengap.networks import (
    batch_size_for,
    captured,
    device_of,
    forward_hooks,
    input_batches,
    logits,
    tensor_of,
)
from gengap.networks.differentiation import counted_parameters
from gengap.networks.neurons import owns_kernel
from gengap.seeding import torch_generator
from gengap.training import loss_inputs, sample_losses
from gengap.training.losses import check_fit, final_activation_of

log = logging.getLogger(__name__)

INPUTS = 256
"""Most training inputs of the loss."""
BATCH = 256

STEP_RADIUS = 0.05
"""Radius of the one-step sharpness: the default of sharpness-aware minimisation."""
ADAPTIVE_RADIUS = 0.5
"""Radius of the adaptive sharpness, relative to the weights: that of the paper on CIFAR-10."""
RADIUS = 0.5
"""Radius of the worst-case and the average sharpness."""
ASCENTS = 5
"""Steps of gradient ascent to the worst case."""
DRAWS = 5
"""Random directions of the average; each counts with its opposite."""

SAMPLING_STEP = 1e-4
LOCALISATION = 100.0
"""Strength gamma of the pull to the trained weights."""
BURN_IN, SAMPLES = 150, 250
"""Steps of the chain that are dropped, and that count."""
SAMPLING_BATCH = 32
PARTS = 10
"""Parts of the chain whose means tell the error of the whole."""

Weights = list[Tensor]


@measure(
    "one_step_sharpness",
    "adaptive_sharpness",
    "worst_case_sharpness",
    "average_sharpness",
    needs={"fitting_outputs"},
    draws=2,
)
def sharpness_at_a_radius(subject: Subject) -> dict[str, float]:
    """Compute the rise of the loss at a fixed distance from the weights, in four directions.

    All four share the gradient at the trained weights.

    Equation: With L the mean loss, g its gradient and w the weights, ``one_step_sharpness`` is
    L(w + e) - L(w) with e = 0.05 g / ||g||. ``adaptive_sharpness`` has e = 0.5 T^2 g / ||T g|| with
    T the diagonal matrix of |w|, so it is the same for each rescaling of ReLU layers.
    ``worst_case_sharpness`` is max L(w + e) - L(w) over ||e|| <= 0.5, sought by five steps of
    projected gradient ascent, and ``average_sharpness`` the mean of L(w + e) - L(w) over ||e|| =
    0.5, estimated from five random directions and their opposites in each of two draws.

    Source: Foret et al. 2021, "Sharpness-aware minimization for efficiently improving
    generalization" (one step); Kwon et al. 2021, "ASAM: adaptive sharpness-aware minimization for
    scale-invariant learning of deep neural networks" (adaptive, elementwise operator, here on
    biases too); Keskar et al. 2017, "On large-batch training for deep learning: generalization gap
    and sharp minima", and Andriushchenko et al. 2023, "A modern look at the relationship between
    sharpness and generalization" (worst case and average).

    Scale: linear, in units of the loss.

    Returns:
        The four rises by name.

    Raises:
        GengapError: the training loss or its gradient is not finite.
    """
    loss = MovableLoss(subject)
    start = loss.start
    _, gradient = loss.with_gradient()
    length = norm(gradient)
    if not math.isfinite(start + length):
        raise GengapError(
            "The training loss or its gradient is not finite, so it has no sharpness: look at the "
            "network's weights."
        )
    one_step = loss.at(scaled(gradient, STEP_RADIUS / length if length else 0.0))
    sizes = [centre.abs() for centre in loss.centres]
    relative = [size * slope for size, slope in zip(sizes, gradient, strict=True)]
    within = norm(relative)
    adaptive = loss.at(
        [
            size * slope * (ADAPTIVE_RADIUS / within if within else 0.0)
            for size, slope in zip(sizes, relative, strict=True)
        ]
    )
    return {
        "one_step_sharpness": one_step - start,
        "adaptive_sharpness": adaptive - start,
        "worst_case_sharpness": worst_rise(loss, gradient, RADIUS, ASCENTS),
        "average_sharpness": average_rise(loss, RADIUS, DRAWS, subject.rng),
    }


@measure(needs={"fitting_outputs"}, draws=2)
def relative_flatness(subject: Subject) -> float:
    """Compute the trace of the loss's Hessian in the last layer, relative to the layer's weights.

    The features are the inputs of the linear layer that is called last. The value is the same for
    each rescaling of the layers before it.

    Equation: kappa = sum_{s,t} <w_s, w_t> trace(H_st), with w_s the weights of output s of the
    layer, and H_st the block of the Hessian of the mean loss for w_s and w_t. For features phi_i
    and the Hessian Z_i of the loss of input i in the layer's outputs, this is the mean over i of
    ||phi_i||^2 sum_{s,t} <w_s, w_t> (Z_i)_st. Biases have no part in it.

    Source: Petzka et al. 2021, "Relative flatness and generalization", the trace form of their
    definition of relative flatness, at the last feature layer.

    Scale: logarithm.

    Returns:
        kappa, in units of the loss; at least 0 for a convex loss.

    Raises:
        GengapError: the network does not end in a linear layer.
    """
    network = plain_network(subject)
    data = subject.train.sample(INPUTS, subject.rng)
    check_fit(network, data, subject.loss)
    labels = tensor_of(data.labels, device_of(network))
    total = 0.0
    size = batch_size_for(network, data.inputs, BATCH)
    for rows, batch in input_batches(network, data.inputs, size):
        total += _relative_curvatures(network, batch, labels[rows], subject.loss)
    return total / len(labels)


def _relative_curvatures(network: nn.Module, inputs: Tensor, labels: Tensor, loss: str) -> float:
    """Sum ||phi_i||^2 sum_{s,t} <w_s, w_t> (Z_i)_st over inputs."""
    with torch.no_grad(), captured(filter(owns_kernel, network.modules())) as passages:
        logits(network, inputs)
    last = next(reversed(passages), None)
    features = None if last is None else passages[last].input
    if type(last) is not nn.Linear or features is None or features.ndim != 2:
        raise GengapError(
            f"The network ends in a {type(last).__name__} instead of a linear layer of features, "
            "so it has no relative flatness: end in a linear layer, or do without this measure."
        )
    outputs = passages[last].output.detach().requires_grad_()
    with torch.enable_grad(), forward_hooks([last], lambda *_: outputs):
        losses = sample_losses(
            loss_inputs(network, inputs, loss),
            labels,
            loss,
            final_activation=final_activation_of(network),
        )
        (slopes,) = torch.autograd.grad(losses.sum(), outputs, create_graph=True)
        rows = [
            torch.autograd.grad(column.sum(), outputs, retain_graph=True)[0]
            if column.requires_grad
            else torch.zeros_like(outputs)
            for column in slopes.unbind(1)
        ]
    weight = last.weight.detach().double()
    products = weight @ weight.T
    hessians = torch.stack(rows, 1).double()
    curvatures = (hessians * products).sum((1, 2))
    return float((features.detach().double().square().sum(1) * curvatures).sum())


@measure(needs={"fitting_outputs"}, slow=True)
def local_learning_coefficient(subject: Subject) -> Estimate:
    """Estimate the local learning coefficient: how many directions the loss determines, halved.

    A chain of stochastic gradient Langevin dynamics runs from the trained weights: 150 steps, and
    then 250 that count, of size 1e-4 on batches of 32 inputs, with the localisation 100. A regular
    minimum of d parameters has the coefficient d/2; a degenerate one has less.

    Equation: lambda = n beta (E[L_n(w)] - L_n(w*)), with beta = 1 / log n, and the mean over w
    distributed as exp(-n beta L_n(w) - gamma/2 ||w - w*||^2). Each loss along the chain is compared
    with that of w* on the same batch.

    Source: Lau et al. 2023, "Quantifying degeneracy in singular models via the learning
    coefficient" (later "The local learning coefficient: a singularity-aware complexity measure").

    Scale: linear.

    Returns:
        The estimate and its standard error; it may be negative where training has not converged.

    Raises:
        GengapError: the chain leaves the range of finite losses, or there is one training input.
    """
    return learning_coefficient(
        MovableLoss(subject),
        subject.rng,
        step=SAMPLING_STEP,
        localisation=LOCALISATION,
        burn_in=BURN_IN,
        samples=SAMPLES,
        batch=SAMPLING_BATCH,
    )


class MovableLoss:
    """The mean loss on training inputs as a function of steps from the trained weights.

    It draws the inputs and holds a copy of the network without batch normalisation. The copy stays
    at the weights of the last call.

    Attributes:
        centres: the trained weights that count, by tensor.
        count: number of inputs of the loss.
        batch_size: most of them that go through the network at once.
    """

    def __init__(self, subject: Subject) -> None:
        self._network = movable_copy(plain_network(subject)).eval()
        self._data: Split = subject.train.sample(INPUTS, subject.rng)
        self._loss = subject.loss
        self._final_activation = final_activation_of(self._network)
        check_fit(self._network, self._data, self._loss)
        self._weights = list(counted_parameters(self._network, subject.parameters).values())
        for weight in self._weights:
            weight.requires_grad_()
        self.centres: Weights = [weight.detach().clone() for weight in self._weights]
        self.count = len(self._data.labels)
        device = device_of(self._network)
        self._labels = tensor_of(self._data.labels, device)
        (_, self._inputs), *_ = input_batches(self._network, self._data.inputs, self.count)
        self.batch_size = batch_size_for(self._network, self._data.inputs, BATCH)

    @cached_property
    def start(self) -> float:
        """The loss at the trained weights."""
        return self.at(self._nowhere())

    def at(self, step: Weights) -> float:
        """Return the loss a step away from the trained weights."""
        return float(self.each(step).double().mean())

    def each(self, step: Weights | None = None) -> Tensor:
        """Return the loss of each input (count,), at the trained weights or a step away."""
        self._move(step or self._nowhere())
        with torch.no_grad():
            return torch.cat([self._losses(rows) for rows in self._batches()])

    def with_gradient(self, step: Weights | None = None) -> tuple[float, Weights]:
        """Return the loss and its gradient, at the trained weights or a step away."""
        totals, parts = self._nowhere(), []
        self._move(step or totals)
        with torch.enable_grad():
            for rows in self._batches():
                losses = self._losses(rows)
                parts.append(losses.detach())
                for total, slope in zip(totals, self._slopes(losses.sum()), strict=True):
                    total += slope / self.count
        return float(torch.cat(parts).double().mean()), totals

    def batch_gradient(self, step: Weights, rows: Tensor) -> tuple[Tensor, Weights]:
        """Return the losses of some inputs a step away, and the gradient of their mean."""
        self._move(step)
        with torch.enable_grad():
            losses = self._losses(rows)
            return losses.detach(), list(self._slopes(losses.mean()))

    def _nowhere(self) -> Weights:
        return [torch.zeros_like(centre) for centre in self.centres]

    def _losses(self, rows: slice | Tensor) -> Tensor:
        return sample_losses(
            loss_inputs(self._network, self._inputs[rows], self._loss),
            self._labels[rows],
            self._loss,
            final_activation=self._final_activation,
        )

    def _slopes(self, loss: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(loss, self._weights, materialize_grads=True)

    def _batches(self) -> Iterator[slice]:
        size = self.batch_size
        return (slice(start, start + size) for start in range(0, self.count, size))

    @torch.no_grad()
    def _move(self, step: Weights) -> None:
        for weight, centre, move in zip(self._weights, self.centres, step, strict=True):
            torch.add(centre, move, out=weight)


def norm(step: Weights) -> float:
    """Return the Euclidean norm of all tensors together."""
    return math.sqrt(sum(float(part.double().square().sum()) for part in step))


def scaled(step: Weights, factor: float) -> Weights:
    """Return a step times a factor."""
    return [part * factor for part in step]


def worst_rise(loss: MovableLoss, gradient: Weights, radius: float, steps: int) -> float:
    """Seek the largest rise of the loss within a ball around the trained weights.

    Args:
        loss: the loss.
        gradient: its gradient at the trained weights, along which the first step goes to the
            sphere.
        radius: the ball's radius.
        steps: number of steps. Each goes the whole radius along the gradient and is then projected
            back onto the ball.

    Returns:
        The largest rise on the way, at least 0.
    """
    best = 0.0
    step = [torch.zeros_like(centre) for centre in loss.centres]
    for left in reversed(range(steps)):
        length = norm(gradient)
        if not 0 < length < math.inf:
            break
        moved = [
            part + slope * (radius / length) for part, slope in zip(step, gradient, strict=True)
        ]
        step = scaled(moved, min(1.0, radius / norm(moved)))
        if left:
            value, gradient = loss.with_gradient(step)
        else:
            value = loss.at(step)
        best = max(best, value - loss.start)
    return best


def average_rise(loss: MovableLoss, radius: float, draws: int, rng: np.random.Generator) -> float:
    """Estimate the mean rise of the loss on a sphere around the trained weights.

    Args:
        loss: the loss.
        radius: the sphere's radius.
        draws: number of random directions; the mean of a direction and its opposite has no part
            that is linear in the radius.
        rng: draws the directions.

    Returns:
        The mean.
    """
    rises = []
    for _ in range(draws):
        direction = _noise(loss.centres, rng)
        step = scaled(direction, radius / norm(direction))
        rises.append((loss.at(step) + loss.at(scaled(step, -1.0))) / 2 - loss.start)
    return float(np.mean(rises))


def learning_coefficient(
    loss: MovableLoss,
    rng: np.random.Generator,
    *,
    step: float,
    localisation: float,
    burn_in: int,
    samples: int,
    batch: int,
) -> Estimate:
    """Estimate the local learning coefficient from one chain of Langevin dynamics.

    Args:
        loss: the loss; the chain starts at its trained weights.
        rng: draws batches and noise.
        step: step size epsilon: the noise of each step has this variance.
        localisation: gamma.
        burn_in: number of steps that are dropped.
        samples: number of steps that count.
        batch: most inputs of one gradient.

    Returns:
        n beta times the mean rise of the loss. Its standard error is from the means of ten parts of
        the chain, since steps that are close to each other are alike (method of batch means).

    Raises:
        GengapError: a loss on the chain is not finite, or there is one input.
    """
    if loss.count < 2:
        raise GengapError(
            "The training data are a single input, so there is no temperature: give more of them."
        )
    temperature = loss.count / math.log(loss.count)
    sizes = [centre.numel() for centre in loss.centres]
    position = torch.cat([torch.zeros_like(centre).flatten() for centre in loss.centres])
    # The parts are views, which move with the whole.
    parts = [
        part.view_as(centre)
        for part, centre in zip(torch.split(position, sizes), loss.centres, strict=True)
    ]
    reference, rises = loss.each(), []
    orders = rng.permuted(np.tile(np.arange(loss.count), (burn_in + samples, 1)), axis=1)
    chosen = np.sort(orders[:, : min(batch, loss.batch_size)], axis=1)
    # torch draws normal numbers in a third of NumPy's time; on the CPU, they are any device's.
    noises = torch_generator(int(rng.integers(2**63)), "noise")
    noise = torch.empty(len(position), dtype=position.dtype, device="cpu")
    for index, rows in enumerate(tensor_of(chosen, reference.device)):
        losses, gradient = loss.batch_gradient(parts, rows)
        rise = float((losses - reference[rows]).double().mean())
        if not math.isfinite(rise):
            raise GengapError(
                "The sampled weights leave the range of finite losses, so there is no local "
                "learning coefficient: train the network further, or do without this measure."
            )
        if index >= burn_in:
            rises.append(rise)
        drift = torch.cat([slope.flatten() for slope in gradient]).mul_(temperature)
        drift.add_(position, alpha=localisation)
        noise.normal_(generator=noises)
        position.sub_(drift, alpha=step / 2).add_(noise.to(position.device), alpha=math.sqrt(step))
    means = [float(np.mean(part)) for part in np.array_split(rises, PARTS)]
    error = np.std(means, ddof=1) / math.sqrt(PARTS)
    return Estimate(temperature * float(np.mean(rises)), temperature * float(error))


def _noise(centres: Weights, rng: np.random.Generator) -> Weights:
    """Draw standard normal numbers of the shapes of the weights."""
    return [
        tensor_of(rng.standard_normal(tuple(centre.shape), np.float32), centre.device).to(
            centre.dtype
        )
        for centre in centres
    ]
