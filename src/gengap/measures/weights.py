"""The family ``weights``: spectra, statistics and topology of each layer's weights alone.

Batch normalisation is folded into the kernel before it, see :func:`gengap.networks.folded`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.measures.plain import plain_network
from gengap.measures.registry import measure
from gengap.measures.subject import Subject
from gengap.networks import Kernel, kernels
from gengap.topology import neural_persistence as persistence_of_layer

LEAST_EIGENVALUES = 20
"""Fewest eigenvalues of a layer that a power law is fitted to."""
SMALLEST_SHARE = 1e-10
"""Eigenvalues below this share of the layer's largest one count as 0."""
MATRIX, IMAGE_KERNEL = 2, 4
"""Axes of a matrix, and of the kernel of a two-dimensional convolution."""

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
STATISTICS = ("mean", "variance", *(f"quantile_{int(100 * share)}" for share in QUANTILES))


@measure("alpha", "alpha_hat", "log_alpha_norm", sees="kernels")
def heavy_tails(subject: Subject) -> dict[str, float]:
    """Compute the exponents of the power laws of the layers' spectra, and norms made of them.

    A layer's exponent is fitted to the eigenvalues of its correlation matrix, see
    :func:`layer_spectrum` and :func:`fit_power_law`. Layers of fewer than 20 eigenvalues are left
    out. The measures are those of the weightwatcher package with ``min_evals=20``.

    Equation:
        The mean over the layers, whose eigenvalues l have the density p(l) ~ l^-a above some l_min,
        of
        - ``alpha``: a.
        - ``alpha_hat``: a log10 l_max.
        - ``log_alpha_norm``: log10 sum_i l_i^a.

    Source:
        Martin, Peng and Mahoney 2021, "Predicting trends in the quality of state-of-the-art neural
        networks without access to training or testing data"; the fit is that of Clauset, Shalizi
        and Newman 2009, "Power-law distributions in empirical data".

    Scale:
        - ``alpha_hat``, ``log_alpha_norm``: logarithm to base 10.

    Returns:
        The three means over the layers.

    Raises:
        GengapError: no layer has 20 eigenvalues.
    """
    spectra = [layer_spectrum(kernel) for kernel in kernels(plain_network(subject))]
    spectra = [spectrum for spectrum in spectra if len(spectrum) >= LEAST_EIGENVALUES]
    if not spectra:
        raise GengapError(
            f"No layer of the network has a kernel of {LEAST_EIGENVALUES} singular values above 0, "
            "so no power law can be fitted: use a wider network, or do without these measures."
        )
    exponents = np.array([fit_power_law(spectrum) for spectrum in spectra])
    logarithms = [np.log10(spectrum) for spectrum in spectra]
    largest = np.array([values[-1] for values in logarithms])
    norms = [
        exponent * top + math.log10((10.0 ** (exponent * (values - top))).sum())
        for exponent, top, values in zip(exponents, largest, logarithms, strict=True)
    ]
    return {
        "alpha": float(exponents.mean()),
        "alpha_hat": float((exponents * largest).mean()),
        "log_alpha_norm": float(np.mean(norms)),
    }


@measure(sign="?")
def layer_statistics(subject: Subject) -> dict[str, float]:
    """Compute mean, variance and quartiles of the weights and of the biases of each layer.

    A leaderboard compares networks of equally many layers by it. Permuted neurons have the same
    statistics.

    Equation:
        For the weights, and for the biases, of each layer: mean, variance, and the quantiles 0,
        1/4, 1/2, 3/4 and 1, interpolated linearly.

    Source:
        Unterthiner, Keysers, Gelly, Bousquet and Tolstikhin 2020, "Predicting neural network
        accuracy from weights".

    Returns:
        The statistics by ``<layer>.weight.<statistic>`` and ``<layer>.bias.<statistic>``, layers
        numbered 0, 1, ... in the order of registration. Layers without biases have none.

    Raises:
        GengapError: the network has no layer with a kernel.
    """
    by_layer: dict[nn.Module, list[Tensor]] = {}
    for kernel in kernels(plain_network(subject)):
        by_layer.setdefault(kernel.module, []).append(kernel.weight)
    if not by_layer:
        raise GengapError(
            "The network has no layer that owns a kernel, so there are no statistics of layers: "
            "use layers of torch.nn, or do without this measure."
        )
    values: dict[str, float] = {}
    for layer, (module, weights) in enumerate(by_layer.items()):
        biases: list[Tensor] = [
            value for name, value in module.named_parameters() if "bias" in name
        ]
        for part, tensors in (("weight", weights), ("bias", biases)):
            if tensors:
                statistics = _statistics(tensors)
                values |= {f"{layer}.{part}.{name}": value for name, value in statistics.items()}
    return values


@measure("neural_persistence", "neural_persistence_by_layer", sees="kernels", sign="?")
def neural_persistence(subject: Subject) -> dict[str, float | NDArray[np.float64]]:
    """Compute the normalised neural persistence of each layer, and its mean.

    Each layer is the bipartite graph of its inputs and outputs, see
    :func:`gengap.topology.neural_persistence`. A convolution is that of the values of one patch and
    its channels. The paper finds larger values for networks with dropout or batch normalisation,
    and gives no sign for the gap.

    Equation:
        With NP_k = sqrt(sum over the edges of a maximum spanning tree of (1 - |w| / w_max)^2) /
        sqrt(n_k - 1) for layer k of n_k inputs and outputs, and the network's largest absolute
        weight w_max:
        - ``neural_persistence``: the mean over k of NP_k.
        - ``neural_persistence_by_layer``: NP_k.

    Source:
        Rieck, Togninalli, Bock, Moor, Horn, Gumbsch and Borgwardt 2019, "Neural persistence: a
        complexity measure for deep neural networks using algebraic topology".

    Returns:
        The mean, in [0, 1], and the values (layers,) in the order of registration.

    Raises:
        GengapError: the network has no kernel, or all its weights are 0.
    """
    matrices = [
        kernel.weight.detach().flatten(1).numpy(force=True)
        for kernel in kernels(plain_network(subject))
    ]
    largest = max((float(np.abs(matrix).max()) for matrix in matrices), default=0.0)
    if largest == 0:
        raise GengapError(
            "The network has no layer with a kernel, or all its weights are 0, so it has no neural "
            "persistence: do without this measure."
        )
    layers = np.array([persistence_of_layer(matrix, largest) for matrix in matrices])
    return {
        "neural_persistence": float(layers.mean()),
        "neural_persistence_by_layer": layers,
    }


def layer_spectrum(kernel: Kernel) -> NDArray[np.float64]:
    """Compute the eigenvalues of a layer's correlation matrix X = W' W, without those that are 0.

    A convolution has one matrix W (out, in) for each place of its window; their eigenvalues are
    taken together. Those of a two-dimensional convolution are halved, as in the weightwatcher
    package.

    Args:
        kernel: the kernel of the layer.

    Returns:
        The eigenvalues above 0, ascending.
    """
    weight = kernel.weight.detach().double()
    slices = weight.flatten(2).permute(2, 0, 1) if weight.ndim > MATRIX else weight[None]
    if slices.shape[1] < slices.shape[2]:
        slices = slices.mT
    eigenvalues = torch.linalg.eigvalsh(slices.mT @ slices).flatten()
    if weight.ndim == IMAGE_KERNEL:
        eigenvalues = eigenvalues / 2
    spectrum: NDArray[np.float64] = np.sort(eigenvalues.numpy(force=True))
    positive: NDArray[np.float64] = spectrum[spectrum > SMALLEST_SHARE * spectrum[-1]]
    return positive


def fit_power_law(values: NDArray[np.float64]) -> float:
    """Fit the exponent of a power law to the upper part of positive numbers.

    Every value but the largest is tried as the lower end x_min. The exponent above it is the
    maximum-likelihood one, 1 + n / sum log(x / x_min) over the n values from x_min on. The end is
    the one with the smallest Kolmogorov-Smirnov distance of the fitted and the empirical
    distribution function.

    Args:
        values: (n,), ascending and above 0, at least two of them different.

    Returns:
        The exponent of the density, above 1.

    Raises:
        GengapError: all values are equal.
    """
    logarithms = np.log(values)
    best, smallest = math.nan, math.inf
    for start in range(len(values) - 1):
        excess = logarithms[start:] - logarithms[start]
        total = float(excess.sum())
        if total <= 0:
            continue
        count = len(excess)
        slope = count / total
        fitted = -np.expm1(-slope * excess)
        distance = float(np.abs(fitted - np.arange(count) / count).max())
        if distance < smallest:
            best, smallest = 1 + slope, distance
    if math.isnan(best):
        raise GengapError(
            "All values are equal, so no power law can be fitted: give at least two different ones."
        )
    return best


def _statistics(tensors: list[Tensor]) -> dict[str, float]:
    values = torch.cat([tensor.detach().flatten() for tensor in tensors]).double()
    numbers = values.numpy(force=True)
    statistics = (numbers.mean(), numbers.var(), *np.quantile(numbers, QUANTILES))
    return dict(zip(STATISTICS, map(float, statistics), strict=True))
