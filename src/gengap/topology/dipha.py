"""DIPHA's files and its scale, for comparison with what was published.

DIPHA (Bauer, Kerber and Reininghaus, "Distributed computation of persistent homology", ALENEX 2014;
https://github.com/DIPHA/dipha) computed the diagrams of Corneanu et al. (CVPR 2019, CVPR 2020). Its
files are little-endian: int64 numbers and float64 values after a magic number and a file type.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.arguments import number_from_zero
from gengap.errors import GengapError
from gengap.files import writing
from gengap.topology.arrays import checked_bars, square_matrix
from gengap.topology.budget import Budget, affordable_diagrams

MAGIC = 8067171840
DISTANCE_MATRIX = 7
PERSISTENCE_DIAGRAM = 2
HEADER = 3

# The settings of the published code: |r| >= 0.4, and bars that count as noise.
EPS_MAX = 0.3
SHORTEST = 0.02

_INTEGER = np.dtype("<i8")
_REAL = np.dtype("<f8")
_POINT = np.dtype([("dimension", _INTEGER), ("birth", _REAL), ("death", _REAL)])


def dipha_bars(
    dissimilarity: npt.ArrayLike,
    max_dim: int = 2,
    eps_max: float = EPS_MAX,
    shortest: float = SHORTEST,
    budget: Budget | None = None,
) -> list[NDArray[np.float64]]:
    """Compute diagrams on DIPHA's scale: edges with d <= 2 * eps_max, epsilon = d / 2.

    Bars are those that the published code reads: finite, none shorter than ``shortest``.

    Args:
        dissimilarity: (n, n), 1 - |r| in the papers.
        max_dim: the highest dimension of homology, 0 to 3.
        eps_max: largest epsilon.
        shortest: bars whose life, in epsilon, is shorter are dropped.
        budget: see ``gengap.topology.budget``.

    Returns:
        Per dimension, (bars, 2) births and deaths in epsilon.

    Raises:
        GengapError: ``eps_max`` or ``shortest`` is negative, the cost exceeds the budget, or the
            matrix is no dissimilarity.
    """
    eps_max = number_from_zero(eps_max, "eps_max")
    shortest = number_from_zero(shortest, "shortest")
    scaled = []
    for bars in affordable_diagrams(dissimilarity, max_dim, 2 * eps_max, budget):
        halved = bars.astype(np.float64) / 2
        lives = halved[:, 1] - halved[:, 0]
        scaled.append(halved[np.isfinite(lives) & (lives >= shortest)])
    return scaled


def write_distance_matrix(matrix: npt.ArrayLike, path: str | Path) -> None:
    """Write a square matrix as DIPHA's DISTANCE_MATRIX.

    Args:
        matrix: (n, n).
        path: the file.

    Raises:
        GengapError: it is not square, or not of real numbers.
    """
    lengths = np.ascontiguousarray(square_matrix(matrix), dtype=_REAL)
    header = np.array([MAGIC, DISTANCE_MATRIX, len(lengths)], dtype=_INTEGER)
    with writing(path) as part:
        part.write_bytes(header.tobytes() + lengths.tobytes())


def read_distance_matrix(path: str | Path) -> NDArray[np.float64]:
    """Read DIPHA's DISTANCE_MATRIX.

    Args:
        path: the file.

    Returns:
        (n, n) float64.

    Raises:
        GengapError: the file is missing, of another kind, or truncated.
    """
    points, body = _read(path, DISTANCE_MATRIX, "distance matrix")
    if points < 0 or len(body) != points * points * _REAL.itemsize:
        raise GengapError(_damage(path, "distance matrix"))
    return np.frombuffer(body, dtype=_REAL).reshape(points, points).astype(np.float64)


def write_dipha_diagrams(diagrams: Sequence[npt.ArrayLike], path: str | Path) -> None:
    """Write diagrams as DIPHA's PERSISTENCE_DIAGRAM.

    An infinite bar of dimension k is written as DIPHA writes an essential class: its dimension is
    -k - 1, and its death is the largest of all finite values.

    Args:
        diagrams: per dimension 0, 1, ..., (bars, 2) births and deaths.
        path: the file.

    Raises:
        GengapError: there is no diagram, or one is not (bars, 2).
    """
    if len(diagrams) == 0:
        raise GengapError("There is no persistence diagram to write: give at least H0.")
    checked = [checked_bars(bars) for bars in diagrams]
    finite = np.concatenate([bars[np.isfinite(bars)] for bars in checked])
    largest = float(finite.max(initial=0.0))
    parts = []
    for dimension, bars in enumerate(checked):
        points = np.empty(len(bars), dtype=_POINT)
        endless = np.isinf(bars[:, 1])
        points["dimension"] = np.where(endless, -dimension - 1, dimension)
        points["birth"] = bars[:, 0]
        points["death"] = np.where(endless, largest, bars[:, 1])
        parts.append(points)
    together = np.concatenate(parts)
    header = np.array([MAGIC, PERSISTENCE_DIAGRAM, len(together)], dtype=_INTEGER)
    with writing(path) as part:
        part.write_bytes(header.tobytes() + together.tobytes())


def read_dipha_diagrams(path: str | Path) -> list[NDArray[np.float64]]:
    """Read DIPHA's PERSISTENCE_DIAGRAM; essential classes become infinite bars.

    Args:
        path: the file.

    Returns:
        Per dimension 0, 1, ..., (bars, 2) births and deaths, sorted; up to the highest dimension
        that has a bar, since the file does not say which were computed.

    Raises:
        GengapError: the file is missing, of another kind, or truncated.
    """
    count, body = _read(path, PERSISTENCE_DIAGRAM, "persistence diagram")
    if count < 0 or len(body) != count * _POINT.itemsize:
        raise GengapError(_damage(path, "persistence diagram"))
    points = np.frombuffer(body, dtype=_POINT)
    essential = points["dimension"] < 0
    dimensions = np.where(essential, -points["dimension"] - 1, points["dimension"])
    deaths = np.where(essential, np.inf, points["death"])
    bars = np.stack([points["birth"], deaths], axis=1)
    diagrams = []
    for dimension in range(int(dimensions.max(initial=-1)) + 1):
        of_dimension = bars[dimensions == dimension]
        diagrams.append(of_dimension[np.lexsort((of_dimension[:, 1], of_dimension[:, 0]))])
    return diagrams


def _read(path: str | Path, kind: int, name: str) -> tuple[int, bytes]:
    """Read the count and the body of a file of the given kind."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise GengapError(
            f"Cannot read {path} ({error.strerror}): give the path of a file of DIPHA."
        ) from error
    size = HEADER * _INTEGER.itemsize
    if len(content) < size:
        raise GengapError(_damage(path, name))
    magic, file_kind, count = np.frombuffer(content[:size], dtype=_INTEGER).tolist()
    if (magic, file_kind) != (MAGIC, kind):
        raise GengapError(
            f"{path} is no {name} of DIPHA (magic number {magic}, file type {file_kind}): "
            f"give a file of type {kind}."
        )
    return count, content[size:]


def _damage(path: str | Path, name: str) -> str:
    return f"{path} is a truncated {name} of DIPHA: write it again."
