"""The family ``pac_bayes``: PAC-Bayesian bounds with Gaussian noise on the weights.

The noise is as large as it may be for the training accuracy, or the loss, to stay within 0.1 of
its value without noise, see :func:`noise_scale`. Its size is sigma, the standard deviation of all
weights' noise; or, aware of magnitudes, sigma' in the standard deviation sqrt(sigma'^2 w_i^2 +
epsilon^2) of the noise of weight w_i. Weights are the parameters that count by
``subject.parameters``, biases among them. Batch normalisation is folded into the kernel before it
first.

Jiang et al. (2020, "Fantastic generalization measures and where to find them") and Dziugaite et al.
(2020, "In search of robust measures of generalization") write ``pacbayes_*``. The flatness by the
loss is :func:`gengap.measures.curvature.loss_sharpness`.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from gengap.bisection import bisect
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import NOISE_BYTES
from gengap.measures.needs import NEEDS
from gengap.measures.plain import plain_initial, plain_network
from gengap.measures.registry import measure
from gengap.measures.results import Estimate, LeftOut
from gengap.measures.subject import CountedParameters, Subject
from gengap.networks import device_of, input_batches, tensor_of
from gengap.networks.differentiation import counted_parameters
from gengap.training.losses import check_fit, loss_and_accuracy_of

log = logging.getLogger(__name__)

INPUTS = 500
"""Most training inputs on which the accuracy and the loss are taken."""
DRAWS = 5
"""Number of draws of noise; the same for every size."""
LOST = 0.1
"""What the mean over the draws loses of accuracy, or gains in loss."""
CLOSE_ENOUGH = 0.005
"""How near to it the search ends."""
SMALLEST, LARGEST = 1e-5, 10.0
"""Sizes of the noise between which the search starts."""
BISECTIONS = 14
EPSILON = 1e-3
"""Standard deviation of the magnitude-aware noise of a weight that is 0."""
CONFIDENCE = 10.0
"""What the bounds add for their confidence, as both papers do."""

Criterion = Literal["accuracy", "loss"]


@dataclass(frozen=True)
class NoiseScale:
    """The size of noise on the weights that costs a network 0.1.

    Attributes:
        value: sigma, or sigma'.
        standard_error: its Monte Carlo error, from the spread over the draws and the slope between
            the nearest sizes that were tried; NaN where the search ended at its first bounds.
    """

    value: float
    standard_error: float

    def carried(self, bound: Callable[[float], float]) -> Estimate:
        """Compute a bound from the size, and carry the error of the size over, to first order.

        Args:
            bound: a function of the size.

        Returns:
            Half the difference of the bounds at one error below and above, on a scale of
            logarithms, is the bound's standard error.
        """
        factor = math.exp(self.standard_error / self.value)
        error = abs(bound(self.value * factor) - bound(self.value / factor)) / 2
        return Estimate(bound(self.value), error)


@measure(
    "pac_bayes_init", "pac_bayes_orig", "pac_bayes_flatness",
    "pac_bayes_mag_init", "pac_bayes_mag_orig", "pac_bayes_mag_flatness",
    needs={"classes"},
)  # fmt: skip
def bounds_by_accuracy(subject: Subject) -> dict[str, Estimate | LeftOut]:
    """Compute PAC-Bayesian bounds whose noise costs a tenth of the training accuracy.

    In ``orig``, weights are measured from the origin; in ``init``, from their initial values;
    ``flatness`` uses the noise alone. The forms with ``mag`` are aware of magnitudes: their noise
    grows with the weight. As published, ``mag_orig`` too has the distance from initialisation in
    its denominators.

    Equation:
        pac_bayes_orig = sqrt((||w||^2 / (4 sigma^2) + log(m / sigma) + 10) / m), pac_bayes_init
        with w - w^0 in the place of w, pac_bayes_flatness = 1 / (sigma sqrt(m)); pac_bayes_mag_orig
        = sqrt((sum_i log((epsilon^2 + (sigma'^2 + 1) ||w||^2 / p) / (epsilon^2 + sigma'^2 (w_i -
        w_i^0)^2)) / 4 + log(m / sigma') + 10) / m), pac_bayes_mag_init with w - w^0 in the place of
        w, pac_bayes_mag_flatness = 1 / (sigma' sqrt(m)); p weights, m training inputs, epsilon =
        0.001.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them"; root and
        division by m as in Dziugaite et al. 2020, "In search of robust measures of generalization";
        bounds by noise on weights: Dziugaite and Roy 2017, "Computing nonvacuous generalization
        bounds for deep (stochastic) neural networks with many more parameters than training data".

    Scale:
        linear.

    Returns:
        The six measures by name; those with initial weights need them.
    """
    network, train = plain_network(subject), subject.train
    data = train.sample(INPUTS, subject.rng)
    sigma, relative = (
        noise_scale(
            network, data, subject.loss, subject.rng,
            magnitude_aware=magnitude_aware, parameters=subject.parameters,
        )
        for magnitude_aware in (False, True)
    )  # fmt: skip
    weights, count = _weights(network, subject), len(train.labels)
    flatness: dict[str, Estimate | LeftOut] = {
        "pac_bayes_orig": sigma.carried(lambda size: isotropic_bound(weights, size, count)),
        "pac_bayes_flatness": sigma.carried(lambda size: 1 / (size * math.sqrt(count))),
        "pac_bayes_mag_flatness": relative.carried(lambda size: 1 / (size * math.sqrt(count))),
    }
    names = ("pac_bayes_init", "pac_bayes_mag_init", "pac_bayes_mag_orig")
    if subject.initial is None:
        return flatness | {name: _without_initial(name) for name in names}
    moved = _moved(network, subject)
    bounds = (
        sigma.carried(lambda size: isotropic_bound(moved, size, count)),
        relative.carried(lambda size: magnitude_aware_bound(moved, moved, size, count)),
        relative.carried(lambda size: magnitude_aware_bound(weights, moved, size, count)),
    )
    return flatness | dict(zip(names, bounds, strict=True))


@measure("pac_bayes_loss_init", "pac_bayes_loss_orig", needs={"fitting_outputs"})
def bounds_by_loss(subject: Subject) -> dict[str, Estimate | LeftOut]:
    """Compute PAC-Bayesian bounds whose noise raises the training loss by 0.1.

    The loss is the one that the network was trained on, so numbers as targets have these bounds
    too. Otherwise they are as pac_bayes_init and pac_bayes_orig.

    Equation:
        pac_bayes_loss_orig = sqrt((||w||^2 / (4 sigma^2) + log(m / sigma) + 10) / m), and
        pac_bayes_loss_init with w - w^0 in the place of w; sigma raises the mean loss by 0.1.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them", with the loss
        as in Neyshabur et al. 2017, "Exploring generalization in deep learning".

    Scale:
        linear.

    Returns:
        Both, by name; ``pac_bayes_loss_init`` needs initial weights.
    """
    network, train = plain_network(subject), subject.train
    data = train.sample(INPUTS, subject.rng)
    sigma = noise_scale(
        network, data, subject.loss, subject.rng, criterion="loss", parameters=subject.parameters
    )
    weights, count = _weights(network, subject), len(train.labels)
    name = "pac_bayes_loss_init"
    origin = sigma.carried(lambda size: isotropic_bound(weights, size, count))
    if subject.initial is None:
        return {name: _without_initial(name), "pac_bayes_loss_orig": origin}
    moved = _moved(network, subject)
    initial = sigma.carried(lambda size: isotropic_bound(moved, size, count))
    return {name: initial, "pac_bayes_loss_orig": origin}


def isotropic_bound(vector: np.ndarray, sigma: float, count: int) -> float:
    """Compute the bound for noise of one size on all weights.

    Args:
        vector: the weights less those that the prior is centred at, (p,).
        sigma: standard deviation of the noise.
        count: number of training inputs.

    Returns:
        The bound, in units of a fraction of errors.
    """
    divergence = float(vector @ vector) / (4 * sigma**2)
    return math.sqrt((divergence + math.log(count / sigma) + CONFIDENCE) / count)


def magnitude_aware_bound(vector: np.ndarray, moved: np.ndarray, sigma: float, count: int) -> float:
    """Compute the bound for noise that grows with the weights.

    Args:
        vector: the weights less those that the prior is centred at, (p,).
        moved: the weights less their initial values, (p,).
        sigma: size of the noise, relative to the weights.
        count: number of training inputs.

    Returns:
        The bound, in units of a fraction of errors.
    """
    prior = EPSILON**2 + (sigma**2 + 1) * float(vector @ vector) / len(vector)
    posterior = EPSILON**2 + sigma**2 * moved**2
    divergence = float(np.log(prior / posterior).sum()) / 4
    return math.sqrt((divergence + math.log(count / sigma) + CONFIDENCE) / count)


def noise_scale(
    network: nn.Module,
    data: Split,
    loss: str,
    rng: np.random.Generator,
    *,
    criterion: Criterion = "accuracy",
    magnitude_aware: bool = False,
    parameters: CountedParameters = "trainable",
    draws: int = DRAWS,
) -> NoiseScale:
    """Find the size of Gaussian noise on the weights that costs 0.1 of accuracy, or of loss.

    What is lost is the mean over some draws of noise, which are the same for every size. The size
    is found by bisection of its logarithm between 1e-5 and 10, until 0.1 is met to 0.005.

    Args:
        network: any network with outputs for the data; it is not changed.
        data: inputs and their targets.
        loss: one of :data:`gengap.names.LOSSES`.
        rng: draws the noise.
        criterion: ``accuracy``, which falls, or ``loss``, which rises.
        magnitude_aware: whether the noise of weight w has the standard deviation sqrt(sigma^2 w^2 +
            1e-6) in place of sigma.
        parameters: which parameters are weights, see :class:`~gengap.measures.Subject`.
        draws: number of draws, at least 2.

    Returns:
        The size, within the two bounds, and its standard error.

    Raises:
        GengapError: the network does not fit the data, or its loss without noise is not finite.
    """
    check_fit(network, data, loss)
    noisy = copy.deepcopy(network)
    weights = list(counted_parameters(noisy, parameters).values())
    centres = [weight.detach().clone() for weight in weights]
    seeds = [int(seed) for seed in rng.integers(2**63, size=draws)]
    labels = tensor_of(data.labels, device_of(network))
    _, inputs = next(input_batches(network, data.inputs, len(labels)))

    def cost() -> float:
        mean_loss, accuracy = loss_and_accuracy_of(noisy, inputs, labels, loss)
        return mean_loss if criterion == "loss" else -accuracy

    before = cost()
    if not math.isfinite(before):
        raise GengapError(
            f"The training {criterion} is {abs(before)}, so noise cannot change it: look at the "
            "network's weights and at its targets."
        )
    tried: dict[float, np.ndarray] = {}
    few = 4 * draws * sum(centre.numel() for centre in centres) <= NOISE_BYTES
    held = [list(_noise(centres, seed)) for seed in seeds] if few else None

    def may_be_larger(log_size: float) -> bool | None:
        lost = []
        deviations = _deviations(centres, math.exp(log_size), magnitude_aware)
        for noise in held or (_noise(centres, seed) for seed in seeds):
            _move(weights, centres, deviations, noise)
            lost.append(cost() - before)
        tried[log_size] = np.array(lost)
        left = LOST - float(np.mean(lost))
        # A loss that overflowed compares as false, and is too large.
        return None if abs(left) < CLOSE_ENOUGH else left > 0

    low, high = bisect(may_be_larger, math.log(SMALLEST), math.log(LARGEST), BISECTIONS)
    log_size = (low + high) / 2
    error = error_of_size(tried, log_size)
    scale = NoiseScale(math.exp(log_size), math.exp(log_size) * error)
    log.info(
        "noise by %s: %.4g, standard error %.2g, %d sizes tried",
        criterion, scale.value, scale.standard_error, len(tried),
    )  # fmt: skip
    return scale


def _noise(centres: list[Tensor], seed: int) -> Iterator[Tensor]:
    """Draw standard normal noise on all weights."""
    rng = np.random.default_rng(seed)
    for centre in centres:
        yield tensor_of(rng.standard_normal(tuple(centre.shape), np.float32), centre.device)


def _deviations(
    centres: list[Tensor], size: float, magnitude_aware: bool
) -> Sequence[Tensor | float]:
    """Return the standard deviation of the noise on each weight, or on all of a tensor."""
    if not magnitude_aware:
        return [size] * len(centres)
    return [(size**2 * centre.square() + EPSILON**2).sqrt() for centre in centres]


@torch.no_grad()
def _move(
    weights: list[nn.Parameter],
    centres: list[Tensor],
    deviations: Sequence[Tensor | float],
    noise: Iterable[Tensor],
) -> None:
    """Set the weights to their centres with noise of these standard deviations."""
    for weight, centre, deviation, drawn in zip(weights, centres, deviations, noise, strict=True):
        weight.copy_(centre + deviation * drawn)


def error_of_size(tried: dict[float, np.ndarray], log_size: float) -> float:
    """Estimate the standard error of the logarithm of the size that was found.

    Args:
        tried: what each draw lost, (draws,), by the logarithm of the size.
        log_size: the logarithm that was found.

    Returns:
        The error of the mean of what was lost, over the slope of this mean; NaN where it has none.
    """
    sizes = np.array(sorted(tried))
    means = np.array([tried[size].mean() for size in sizes])
    finite = np.isfinite(means)
    sizes, means = sizes[finite], means[finite]
    below, above = sizes[means < LOST], sizes[means >= LOST]
    if not (below.size and above.size):
        return math.nan
    first, last = below.max(), above.min()
    slope = (tried[last].mean() - tried[first].mean()) / (last - first)
    nearest = sizes[np.abs(sizes - log_size).argmin()]
    spread = tried[nearest].std(ddof=1) / math.sqrt(len(tried[nearest]))
    return float(spread / slope) if slope > 0 else math.nan


def _weights(network: nn.Module, subject: Subject) -> np.ndarray:
    """Return the parameters that count as one vector (p,), float64."""
    return _joined(counted_parameters(network, subject.parameters).values())


def _moved(network: nn.Module, subject: Subject) -> np.ndarray:
    """Return the same vector less its initial values, (p,)."""
    counted = counted_parameters(network, subject.parameters)
    initial = dict(plain_initial(subject).named_parameters())
    for name, weight in counted.items():
        if name not in initial or initial[name].shape != weight.shape:
            raise GengapError(
                f"The initial weights have no parameter {name} of the trained one's shape: give "
                "those of the same network."
            )
    moved: np.ndarray = _joined(counted.values()) - _joined(initial[name] for name in counted)
    return moved


def _joined(tensors: Iterable[Tensor]) -> np.ndarray:
    joined = torch.cat([tensor.detach().double().flatten() for tensor in tensors])
    return np.asarray(joined.numpy(force=True))


def _without_initial(name: str) -> LeftOut:
    return LeftOut(NEEDS["initial"].sentence.format(measure=name), need="initial")
