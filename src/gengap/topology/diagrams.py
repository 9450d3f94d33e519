"""Persistence diagrams of a dissimilarity matrix, by any engine."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.engines import find_engine
from gengap.topology.engines.engine import Matrix, float32_matrix

Bars = NDArray[np.float32]


def persistence_diagrams(
    dissimilarity: NDArray[np.floating],
    max_dim: int = 1,
    threshold: float | None = None,
    engine: str = "auto",
) -> list[Bars]:
    """Compute Vietoris-Rips persistence over F2 in dimensions 0 to ``max_dim``.

    Filtration values are the matrix's entries rounded to float32, so all engines agree bit for bit.

    Args:
        dissimilarity: (n, n), symmetric, non-negative, zero diagonal; any n from 0 upwards.
        max_dim: the highest dimension of homology.
        threshold: edges longer than this never enter; None for no limit. A bar still alive there
            is infinite.
        engine: ``fast`` (our own, H0 and H1), ``ripser`` (ripser.py), ``gudhi`` (GUDHI's Ripser),
            or ``auto``: fast where it can, else ripser.

    Returns:
        One (bars, 2) float32 array of births and deaths per dimension, sorted by birth, then
        death; infinite bars have death = inf; there are no bars of zero length.

    Raises:
        GengapError: the matrix, ``max_dim``, ``threshold`` or ``engine`` is not as above.
    """
    matrix = _checked(dissimilarity)
    if max_dim < 0:
        raise GengapError(f"max_dim is {max_dim}, but homology starts at 0: give 0, 1 or 2.")
    if threshold is not None and not threshold >= 0:
        raise GengapError(
            f"threshold is {threshold}: give a number of at least 0, or leave it out."
        )
    program = find_engine(engine, max_dim)
    if len(matrix) == 0:
        return [np.empty((0, 2), dtype=np.float32) for _ in range(max_dim + 1)]
    with np.errstate(over="ignore"):
        limit = math.inf if threshold is None else float(np.float32(threshold))
    return [_tidy(bars) for bars in program.compute(matrix, max_dim, limit)]


def _checked(dissimilarity: NDArray[np.floating]) -> Matrix:
    matrix = float32_matrix(dissimilarity)
    if not np.isfinite(matrix).all():
        raise GengapError(
            "The dissimilarity holds NaN or infinite entries (as float32): give finite ones, and "
            "use threshold to leave out long edges."
        )
    if (matrix < 0).any():
        raise GengapError("The dissimilarity holds negative entries: give lengths of at least 0.")
    if np.diagonal(matrix).any():
        raise GengapError("The dissimilarity's diagonal is not zero: set d[i, i] = 0.")
    if not np.array_equal(matrix, matrix.T):
        raise GengapError("The dissimilarity is not symmetric: make d[i, j] equal d[j, i].")
    return matrix


def _tidy(bars: NDArray[np.floating]) -> Bars:
    bars = np.asarray(bars, dtype=np.float32).reshape(-1, 2)
    bars = bars[bars[:, 1] > bars[:, 0]]
    return bars[np.lexsort((bars[:, 1], bars[:, 0]))]
