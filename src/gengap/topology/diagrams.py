"""The front door to persistent homology: a dissimilarity matrix in, its diagrams out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.engines.fast import rounded

Bars = NDArray[np.float32]
Engine = Callable[[NDArray[np.float32], int, float], Sequence[NDArray[np.floating]]]

FAST_MAX_DIM = 1

# Ripser numbers the simplices of one dimension with 55 bits and ends the process beyond that.
RIPSER_LARGEST_INDEX = 2**55 - 1


def persistence_diagrams(
    dissimilarity: NDArray[np.floating],
    max_dim: int = 1,
    threshold: float | None = None,
    engine: str = "auto",
) -> list[Bars]:
    """Vietoris-Rips persistence over F2, dimensions 0 to ``max_dim``.

    Filtration values are the matrix's entries rounded to float32, so all engines agree bitwise.

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
    compute = _engine(engine, max_dim)
    if len(matrix) == 0:
        return [np.empty((0, 2), dtype=np.float32) for _ in range(max_dim + 1)]
    with np.errstate(over="ignore"):
        limit = math.inf if threshold is None else float(np.float32(threshold))
    return [_tidy(bars) for bars in compute(matrix, max_dim, limit)]


def _checked(dissimilarity: NDArray[np.floating]) -> NDArray[np.float32]:
    matrix = rounded(dissimilarity)
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


def _engine(name: str, max_dim: int) -> Engine:
    if name not in ("auto", "fast", "ripser", "gudhi"):
        raise GengapError(f"Unknown engine {name!r}: choose auto, fast, ripser or gudhi.")
    if name == "fast" and max_dim > FAST_MAX_DIM:
        raise GengapError(
            f"The fast engine computes H0 and H1, not H{max_dim}: choose engine auto or ripser."
        )
    if name == "gudhi":
        return _gudhi
    return _fast if name == "fast" or (name == "auto" and max_dim <= FAST_MAX_DIM) else _ripser


def runs_in_threads(engine: str, max_dim: int) -> bool:
    """Whether an engine, see ``persistence_diagrams``, can and may run in several threads."""
    return _engine(engine, max_dim) is _fast


def _fast(
    matrix: NDArray[np.float32], max_dim: int, threshold: float
) -> Sequence[NDArray[np.floating]]:
    # Imported here: it compiles, or loads compiled code, which the other engines need not pay.
    from gengap.topology.engines.fast import vietoris_rips

    h0, h1 = vietoris_rips(matrix, None if math.isinf(threshold) else threshold)
    return [h0, h1][: max_dim + 1]


def _ripser(
    matrix: NDArray[np.float32], max_dim: int, threshold: float
) -> Sequence[NDArray[np.floating]]:
    # Imported here: it loads scikit-learn, which costs more than most diagrams.
    from ripser import ripser

    if math.comb(len(matrix), max_dim + 2) > RIPSER_LARGEST_INDEX:
        raise GengapError(
            f"Ripser cannot number the simplices of {len(matrix)} points up to H{max_dim}: "
            "lower max_dim or sample fewer neurons."
        )
    bars: list[NDArray[np.floating]] = ripser(
        matrix, maxdim=max_dim, thresh=threshold, distance_matrix=True
    )["dgms"]
    return bars


def _gudhi(
    matrix: NDArray[np.float32], max_dim: int, threshold: float
) -> Sequence[NDArray[np.floating]]:
    # Imported here for the same reason as ripser.
    from gudhi.sklearn import RipsPersistence

    persistence = RipsPersistence(
        homology_dimensions=list(range(max_dim + 1)),
        threshold=threshold,
        input_type="full distance matrix",
        num_collapses=0,
        homology_coeff_field=2,
    )
    bars: list[NDArray[np.floating]] = persistence.fit_transform([matrix])[0]
    return bars


def _tidy(bars: NDArray[np.floating]) -> Bars:
    bars = np.asarray(bars, dtype=np.float32).reshape(-1, 2)
    bars = bars[bars[:, 1] > bars[:, 0]]
    return bars[np.lexsort((bars[:, 1], bars[:, 0]))]
