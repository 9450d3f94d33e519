"""What an engine of persistent homology is, and the matrix that it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gengap.limits import ENGINE_MAX_DIM, THREADED_ENGINES
from gengap.topology.arrays import square_matrix

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Engine:
    """A program that computes the persistence of Vietoris-Rips complexes over F2.

    Attributes:
        name: as in ``gengap.names.ENGINES``.
        compute: takes a checked (n, n) matrix, the highest dimension of homology and a threshold
            (infinity for no limit). It returns the bars (b, 2) of each dimension in any order, with
            or without those of zero length.
    """

    name: str
    compute: Callable[[Matrix, int, float], Sequence[npt.NDArray[np.floating]]]

    @property
    def max_dim(self) -> int | None:
        """Highest dimension of homology that it computes, or None for no limit."""
        return ENGINE_MAX_DIM[self.name]

    @property
    def threads(self) -> bool:
        """Whether several matrices can be computed at a time, in threads of one process."""
        return self.name in THREADED_ENGINES


def float32_matrix(dissimilarity: npt.ArrayLike) -> Matrix:
    """Round a square matrix of real numbers to float32.

    Args:
        dissimilarity: (n, n); values beyond float32 become infinite.

    Returns:
        (n, n), C-contiguous; not a copy if it was so already.

    Raises:
        GengapError: it is not square, or not of real numbers.
    """
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(square_matrix(dissimilarity), dtype=np.float32)
