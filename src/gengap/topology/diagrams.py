"""Persistence diagrams of a dissimilarity matrix, by any engine."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.arguments import number_from_zero, whole_number
from gengap.errors import GengapError
from gengap.topology.arrays import square_matrix
from gengap.topology.engines import find_engine
from gengap.topology.engines.engine import Matrix, float32_matrix

Bars = NDArray[np.float32]

ROUNDING = 1e-6
"""Faults of this size, relative to the largest dissimilarity, are taken for rounding."""

ROWS = 64
"""Rows that are compared with columns at once."""

LEAST_ROUNDING = 1e-15
"""Faults of this size are rounding too: of a difference of numbers near 1, in float64."""


def persistence_diagrams(
    dissimilarity: npt.ArrayLike,
    max_dim: int = 1,
    threshold: float | None = None,
    engine: str = "auto",
) -> list[Bars]:
    """Compute Vietoris-Rips persistence over F2 in dimensions 0 to ``max_dim``.

    Filtration values are the matrix's entries rounded to float32, so all engines agree bit for bit.
    Rounding errors, as ``1 - abs(np.corrcoef(a))`` has them, are mended: entries down to -1e-6 of
    the largest one, and a diagonal up to that, count as 0; of two entries d[i, j] and d[j, i] that
    differ by no more, the larger counts for both.

    Args:
        dissimilarity: (n, n), symmetric, non-negative, zero diagonal; any n from 0 upwards. An
            infinite entry means that there is no edge.
        max_dim: the highest dimension of homology.
        threshold: edges longer than this never enter; None for no limit.
        engine: ``fast`` (our own, up to H3), ``ripser`` (ripser.py), ``gudhi`` (GUDHI's Ripser),
            or ``auto``: fast up to H3, ripser above.

    Returns:
        One (bars, 2) float32 array of births and deaths per dimension, sorted by birth, then
        death. A bar that is still alive when all edges have entered has death = inf; there are no
        bars of zero length.

    Raises:
        GengapError: the matrix, ``max_dim``, ``threshold`` or ``engine`` is not as above.
    """
    max_dim = whole_number(max_dim, "max_dim", 0)
    program = find_engine(engine, max_dim)
    with np.errstate(over="ignore"):
        limit = math.inf if threshold is None else float(np.float32(checked_threshold(threshold)))
    matrix = _checked(dissimilarity)
    if len(matrix) == 0:
        return [np.empty((0, 2), dtype=np.float32) for _ in range(max_dim + 1)]
    if limit == math.inf and np.isinf(matrix.max()):
        limit = _largest_finite(matrix)
    return [_tidy(bars) for bars in program.compute(matrix, max_dim, limit)]


def checked_threshold(threshold: float) -> float:
    """Return a threshold as a float, infinity for no limit.

    Args:
        threshold: what the caller passed, except None.

    Returns:
        The number.

    Raises:
        GengapError: it is no number, or NaN, or negative; None leaves out no edge.
    """
    try:
        return number_from_zero(threshold, "threshold")
    except GengapError as error:
        raise GengapError(f"{str(error)[:-1]}, or None for no limit.") from None


def _checked(dissimilarity: npt.ArrayLike) -> Matrix:
    given = square_matrix(dissimilarity)
    matrix = float32_matrix(given)
    # Masks are as large as a quarter of the matrix, so none is made of a sound one.
    least, most = matrix.min(initial=0), matrix.max(initial=0)
    if np.isnan(least):
        missing = np.isnan(matrix)
        raise GengapError(
            f"The dissimilarity of points {_first(missing)} is NaN: leave out points without "
            "values. (Of constant neurons, correlation_dissimilarity gives 1 for it.)"
        )
    if np.isinf([least, most]).any() and (beyond := np.isinf(matrix) & np.isfinite(given)).any():
        raise GengapError(
            f"The dissimilarity of points {_first(beyond)} is too large for float32: divide the "
            "matrix by its largest entry."
        )
    sound = least == 0 and not np.diagonal(matrix).any() and _symmetric(matrix)
    return matrix if sound else _without_rounding(matrix)


def _symmetric(matrix: Matrix) -> bool:
    parts = [slice(start, start + ROWS) for start in range(0, len(matrix), ROWS)]
    return all(np.array_equal(matrix[rows], matrix[:, rows].T) for rows in parts)


def _without_rounding(matrix: Matrix) -> Matrix:
    """Return a matrix without its rounding errors, or refuse it for larger ones.

    Returns:
        (n, n) symmetric, non-negative, zero diagonal; a copy.

    Raises:
        GengapError: a fault is larger than rounding; the sentence says where, and how large.
    """
    rounding = max(ROUNDING * _largest_finite(matrix), LEAST_ROUNDING)
    row, column = np.unravel_index(int(matrix.argmin()), matrix.shape)
    if matrix[row, column] < -rounding:
        raise GengapError(
            f"The dissimilarity holds negative entries, down to {matrix[row, column]:.3g} between "
            f"points {row} and {column}: give lengths (of correlations r, 1 - abs(r)), or remove "
            "rounding errors by np.clip(d, 0, None)."
        )
    diagonal = np.abs(np.diagonal(matrix))
    point = int(diagonal.argmax())
    if diagonal[point] > rounding:
        raise GengapError(
            f"The dissimilarity's diagonal is not zero, but {matrix[point, point]:.3g} at point "
            f"{point}: set it by np.fill_diagonal(d, 0), or of similarities s give 1 - s."
        )
    with np.errstate(invalid="ignore"):
        difference = np.where(matrix == matrix.T, 0, np.abs(matrix - matrix.T))
    row, column = np.unravel_index(int(difference.argmax()), matrix.shape)
    if difference[row, column] > rounding:
        raise GengapError(
            f"The dissimilarity is not symmetric: from point {row} to {column} it is "
            f"{matrix[row, column]:.6g}, and {matrix[column, row]:.6g} back: decide what holds, "
            "for example np.minimum(d, d.T)."
        )
    mended: Matrix = np.maximum(np.maximum(matrix, matrix.T), 0)
    np.fill_diagonal(mended, 0)
    return mended


def _largest_finite(matrix: Matrix) -> float:
    return float(matrix.max(initial=0, where=np.isfinite(matrix)))


def _first(places: NDArray[np.bool_]) -> str:
    row, column = np.unravel_index(int(places.argmax()), places.shape)
    return f"{row} and {column}"


def _tidy(bars: NDArray[np.floating]) -> Bars:
    bars = np.asarray(bars, dtype=np.float32).reshape(-1, 2)
    bars = bars[bars[:, 1] > bars[:, 0]]
    return bars[np.lexsort((bars[:, 1], bars[:, 0]))]
