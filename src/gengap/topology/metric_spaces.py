"""Finite metric spaces: lifetime sums, magnitude, and estimates of their dimension.

Each function takes the matrix of distances between the points, so that it serves representations of
inputs and iterates of training alike.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.arrays import square_matrix

Distances = NDArray[np.float64]

LEAST_POINTS = 10
"""Fewest distinct points whose dimension is estimated."""
DISCARDED = 0.1
"""Share of the largest ratios of distances that the fit of :func:`two_nn` leaves out."""
SIZES, SMALLEST_SHARE, SUBSAMPLES = 9, 0.2, 5
"""Number of sizes of subsamples, the smallest as a share of all points, and draws of each size."""


def lifetime_sum(distances: npt.ArrayLike, power: float = 1.0) -> float:
    """Sum powers of the lifetimes of connected components (H0) of a metric space.

    It is the sum of ``length ** power`` over the edges of a minimum spanning tree, the total
    persistence for power 1. Schweinhart 2020, "Fractal dimension and the persistent homology of
    random geometric complexes".

    Args:
        distances: (n, n), symmetric with a zero diagonal.
        power: alpha, above 0.

    Returns:
        E_alpha, at least 0; 0 for a single point.

    Raises:
        GengapError: the matrix is none of distances.
    """
    return _lifetime_sum(_checked(distances), power)


def persistent_homology_dimension(
    distances: npt.ArrayLike, rng: np.random.Generator, *, power: float = 1.0
) -> float:
    """Estimate the persistent-homology dimension of a metric space from growing subsamples.

    E_alpha of n points of a space of dimension d grows as n^((d - alpha) / d). With the slope m of
    log E_alpha against log n, d = alpha / (1 - m). Birdal et al. 2021, "Intrinsic dimension,
    persistent homology and generalization in neural networks".

    Args:
        distances: (n, n), n at least 10.
        rng: draws five subsamples of each of nine sizes, from a fifth of the points to all.
        power: alpha, above 0.

    Returns:
        The dimension, above 0.

    Raises:
        GengapError: there are fewer than 10 distinct points, or the sums grow as fast as the number
            of points, so that the dimension has no estimate.
    """
    matrix = _distinct(distances)
    count = len(matrix)
    sizes = np.unique(np.linspace(SMALLEST_SHARE * count, count, SIZES).round().astype(int))
    means = []
    for size in sizes:
        draws = SUBSAMPLES if size < count else 1
        chosen = [rng.choice(count, size, replace=False) for _ in range(draws)]
        sums = [_lifetime_sum(matrix[np.ix_(rows, rows)], power) for rows in chosen]
        means.append(np.mean(sums))
    slope = float(np.polyfit(np.log(sizes), np.log(means), 1)[0])
    if slope >= 1:
        raise GengapError(
            f"The lifetime sums of subsamples grow with the power {slope:.2f} of their size, so "
            "the dimension has no estimate: give more points."
        )
    return power / (1 - slope)


def magnitude(distances: npt.ArrayLike, *, positive: bool = False) -> float:
    """Compute the magnitude of a finite metric space: its effective number of points.

    The weights w solve sum_j exp(-d_ij) w_j = 1 for each i, and the magnitude is their sum
    (Leinster 2013, "The magnitude of metric spaces"). Points in the same place count as one.

    Args:
        distances: (n, n) Euclidean distances, times the scale at which one looks.
        positive: sum only the weights above 0 (Andreeva et al. 2024, "Topological generalization
            bounds for discrete-time stochastic optimization algorithms").

    Returns:
        The magnitude, between 1 and n; the positive one is at least as large.

    Raises:
        GengapError: there is no point, or two are so near that the weights have no solution.
    """
    import scipy.linalg

    matrix = _without_repetition(_checked(distances))
    try:
        weights = scipy.linalg.solve(np.exp(-matrix), np.ones(len(matrix)), assume_a="pos")
    except scipy.linalg.LinAlgError as error:
        raise GengapError(
            "The similarities exp(-distance) have no inverse, so there is no magnitude: give "
            "Euclidean distances of points that are further apart."
        ) from error
    return float(weights[weights > 0].sum() if positive else weights.sum())


def two_nn(distances: npt.ArrayLike) -> float:
    """Estimate the intrinsic dimension from the distances of the two nearest neighbours.

    The ratio mu of a point's second to its first distance has F(mu) = 1 - mu^-d where the density
    is uniform up to the second neighbour. So d is the slope through the origin of -log(1 - i/n)
    against the logarithm of the i-th smallest ratio; the largest tenth is left out. Facco et al.
    2017, "Estimating the intrinsic dimension of datasets by a minimal neighborhood information".

    Args:
        distances: (n, n), n at least 10. Points in the same place count as one.

    Returns:
        The dimension, above 0.

    Raises:
        GengapError: there are fewer than 10 distinct points, or all have their two nearest
            neighbours at the same distance.
    """
    matrix = _distinct(distances)
    np.fill_diagonal(matrix, math.inf)
    first, second = np.partition(matrix, 1, axis=1)[:, :2].T
    count = len(matrix)
    used = int(count * (1 - DISCARDED))
    logarithms = np.sort(np.log(second / first))[:used]
    expected = -np.log1p(-np.arange(1, used + 1) / count)
    squares = float(logarithms @ logarithms)
    if squares == 0:
        raise GengapError(
            "Each point has its two nearest neighbours at the same distance, so the intrinsic "
            "dimension has no estimate: give other points."
        )
    return float(logarithms @ expected) / squares


def _lifetime_sum(matrix: Distances, power: float) -> float:
    # Imported here, so that computing diagrams alone does not load them.
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    if len(matrix) < 2:
        return 0.0
    # Single linkage merges clusters at the lengths of a minimum spanning tree.
    lengths = linkage(squareform(matrix, checks=False), "single")[:, 2]
    return float((lengths**power).sum())


def _checked(distances: npt.ArrayLike) -> Distances:
    """Return distances (n, n) as a float64 copy, n at least 1."""
    matrix = square_matrix(distances).astype(np.float64)
    if len(matrix) == 0:
        raise GengapError("The metric space has no points: give the distances of at least one.")
    correct = np.isfinite(matrix) & (matrix >= 0) & (matrix == matrix.T)
    if not correct.all() or matrix.diagonal().any():
        raise GengapError(
            "The matrix is none of distances: give finite numbers from 0 upwards, symmetric, with "
            "a zero diagonal."
        )
    return matrix


def _distinct(distances: npt.ArrayLike) -> Distances:
    """Return the distances (n, n) of distinct points as a copy, n at least ``LEAST_POINTS``."""
    matrix = _without_repetition(_checked(distances))
    if len(matrix) < LEAST_POINTS:
        raise GengapError(
            f"There are {len(matrix)} distinct points, too few to estimate a dimension: give at "
            f"least {LEAST_POINTS}."
        )
    return matrix


def _without_repetition(matrix: Distances) -> Distances:
    """Leave out points that lie where an earlier one does."""
    repeated = (np.tril(matrix == 0, -1)).any(axis=1)
    return matrix[np.ix_(~repeated, ~repeated)]
