"""Permutations of the networks of a task that keep whole grid points together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

ENTRIES_HELD = 2**22
"""Most entries of a matrix of permutations or samples that are worked on at once (32 MiB)."""


def permuted_networks(
    points: np.ndarray,
    draws: np.ndarray,
    strata: np.ndarray,
    permutations: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Permute whole grid points within strata, alike in all draws.

    Points are exchanged with points of the same stratum that have as many networks in each draw.
    The networks of one point and draw are shuffled.

    Args:
        points: (networks,) the grid point of each network.
        draws: (networks,) its draw of training data.
        strata: (networks,) its stratum, the same for all networks of a point.
        permutations: how many to draw.
        rng: draws them.

    Returns:
        (1 + permutations, networks) int32: the network whose gap each network gets; the first row
        is the identity.
    """
    networks = len(points)
    count, several = int(points.max()) + 1, int(draws.max()) + 1
    sizes = np.zeros((count, several), dtype=np.int64)
    np.add.at(sizes, (points, draws), 1)
    _, first = np.unique(points, return_index=True)
    classes = combined(sizes, strata[first])
    cells = points * several + draws
    starts = np.concatenate([[0], np.cumsum(sizes.ravel())[:-1]])
    by_cell = np.argsort(cells, kind="stable")
    place = np.empty(networks, dtype=np.int64)
    place[by_cell] = np.arange(networks) - starts[cells[by_cell]]
    by_class = np.argsort(classes, kind="stable")
    moved = np.empty((permutations, count), dtype=np.int32)
    for rows in blocks(permutations, count):
        size = rows.stop - rows.start
        moved[rows, by_class] = np.argsort(classes + rng.random((size, count)), axis=1)
    sources = np.empty((1 + permutations, networks), dtype=np.int32)
    sources[0] = np.arange(networks)
    for rows in blocks(permutations, networks):
        size = rows.stop - rows.start
        shuffled = np.argsort(cells + rng.random((size, networks)), axis=1)
        positions = starts[moved[rows][:, points] * several + draws] + place
        sources[1 + rows.start : 1 + rows.stop] = np.take_along_axis(shuffled, positions, axis=1)
    return sources


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of the rows of a matrix, of at most ``ENTRIES_HELD`` entries if possible."""
    step = max(1, ENTRIES_HELD // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def combined(*labels: np.ndarray) -> np.ndarray:
    """Number the distinct combinations of (n,) int labels."""
    _, index = np.unique(np.column_stack(labels), axis=0, return_inverse=True)
    return np.asarray(index.reshape(-1), dtype=np.int64)
