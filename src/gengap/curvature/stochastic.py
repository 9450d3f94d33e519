"""Traces and spectral densities of symmetric linear operators from random vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse.linalg import LinearOperator

from gengap.curvature.lanczos import KrylovBasis
from gengap.curvature.spectra import EigenPairs
from gengap.errors import GengapError
from gengap.seeding import salted

RESOLUTION = 1e-2
"""A node for the eigenvalues near zero may lie this fraction of the largest below zero."""


@dataclass(frozen=True)
class Estimate:
    """A value, and its standard error over the random vectors (NaN for a single one)."""

    value: float
    standard_error: float


@dataclass(frozen=True, eq=False)
class SpectralDensity:
    """A quadrature of the spectrum, which estimates the sum of any function over it.

    Attributes:
        nodes: (runs, steps) Ritz values.
        weights: (runs, steps); each run's sum is the number of eigenvalues that are not ``exact``.
        exact: (k,) eigenvalues that are known, each of weight 1.
    """

    nodes: np.ndarray
    weights: np.ndarray
    exact: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def total(self, function: Callable[[np.ndarray], np.ndarray]) -> Estimate:
        """Estimate the sum of a function over all eigenvalues."""
        runs = (self.weights * function(self.nodes)).sum(axis=1)
        return _estimate(runs, float(function(self.exact).sum()))

    def negatives(self) -> tuple[Estimate, Estimate]:
        """Estimate the number and the mass of the eigenvalues below zero.

        Returns:
            The number of those below -:data:`RESOLUTION` times the largest, and the sum of the
            absolute values of all below zero.
        """
        limit = RESOLUTION * max(self.nodes.max(), self.exact.max(initial=0.0))
        number = self.total(lambda values: np.asarray(values < -limit, float))
        return number, self.total(lambda values: np.maximum(-values, 0.0))

    def density(self, grid: np.ndarray, width: float) -> np.ndarray:
        """Compute the density of the eigenvalues on a grid.

        Args:
            grid: (m,), in the units of the eigenvalues.
            width: standard deviation of the Gaussians around the nodes.

        Returns:
            (m,) eigenvalues per unit over their number, so that the integral is 1.
        """
        nodes = np.concatenate([self.nodes.ravel(), self.exact])
        shares = np.concatenate([self.weights.ravel() / len(self.nodes), np.ones(len(self.exact))])
        bells = np.exp(-0.5 * ((grid[:, None] - nodes) / width) ** 2)
        return np.asarray(bells @ shares / (shares.sum() * width * math.sqrt(2 * math.pi)))


def trace(
    operator: LinearOperator,
    products: int = 60,
    *,
    sketch: bool = True,
    seed: int | np.random.SeedSequence = 0,
) -> Estimate:
    """Estimate the trace from products with random vectors of +-1.

    Args:
        operator: (p, p), symmetric.
        products: largest number of matrix products.
        sketch: Hutch++ (Meyer et al. 2021, algorithm 1): a third of the products finds the range
            of the matrix, where a third takes the trace exactly; the last third estimates the rest.
            Otherwise Hutchinson's estimator (1989).
        seed: seed of the random vectors, see :func:`gengap.seeding.salted`.

    Returns:
        The estimate with its standard error.

    Raises:
        GengapError: fewer than two random vectors would be left, so there is no standard error.
    """
    if products < (6 if sketch else 2):
        raise GengapError(
            f"A trace from {products} products has no standard error: allow at least 6, or 2 "
            "without sketch."
        )
    rng = salted(seed, "trace")
    size = operator.shape[0]
    rank = min(products // 3, size) if sketch else 0
    basis = np.zeros((size, 0), operator.dtype)
    known = 0.0
    if rank:
        images = operator.matmat(_signs(rng, size, rank, operator.dtype))
        basis = np.linalg.qr(images)[0]
        known = float((basis * operator.matmat(basis)).sum(dtype=np.float64))
    samples = np.empty(products - 2 * rank)
    for position in range(len(samples)):
        vector = _signs(rng, size, 1, operator.dtype)[:, 0]
        vector = vector - basis @ (vector @ basis)
        samples[position] = vector.astype(np.float64) @ operator.matvec(vector)
    return _estimate(samples, known)


def spectral_density(
    operator: LinearOperator,
    runs: int = 5,
    steps: int = 50,
    *,
    known: EigenPairs | None = None,
    seed: int | np.random.SeedSequence = 0,
) -> SpectralDensity:
    """Estimate the whole spectrum by stochastic Lanczos quadrature.

    Ubaru et al. 2017; Ghorbani et al. 2019.

    Args:
        operator: (p, p), symmetric.
        runs: number of random starting vectors.
        steps: number of Lanczos steps, thus of products with the operator, from each.
        known: eigenpairs that are counted exactly; only the rest is estimated, with less variance.
        seed: seed of the starting vectors, see :func:`gengap.seeding.salted`.

    Returns:
        Nodes and weights of a quadrature of the spectrum, and the eigenvalues that are known.

    Raises:
        GengapError: there is no run, or less than one step.
    """
    if runs < 1 or steps < 1:
        raise GengapError(
            f"A spectral density from {runs} runs of {steps} steps: ask for at least one of each."
        )
    size = operator.shape[0]
    avoid = None if known is None else np.ascontiguousarray(known.vectors.T)
    exact = np.zeros(0) if known is None else known.values
    left = size - len(exact)
    if left == 0:
        return SpectralDensity(np.zeros((runs, 1)), np.zeros((runs, 1)), exact)
    rng = salted(seed, "spectral density")
    nodes = np.empty((runs, min(steps, left)))
    weights = np.empty_like(nodes)
    for run in range(runs):
        basis = KrylovBasis(operator.matvec, size, nodes.shape[1], rng, operator.dtype, avoid=avoid)
        basis.extend(nodes.shape[1])
        nodes[run], coordinates, _ = basis.ritz()
        weights[run] = left * coordinates[0] ** 2
    return SpectralDensity(nodes, weights, exact)


def _signs(
    rng: np.random.Generator, size: int, count: int, dtype: np.dtype[np.floating]
) -> np.ndarray:
    return rng.choice(np.array([-1, 1], dtype), (size, count))


def _estimate(samples: np.ndarray, known: float) -> Estimate:
    count = len(samples)
    error = samples.std(ddof=1) / math.sqrt(count) if count > 1 else math.nan
    return Estimate(known + float(samples.mean()), float(error))
