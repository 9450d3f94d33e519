"""Permutations of the networks of a task that keep whole grid points together."""

from __future__ import annotations

import numpy as np


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
        (1 + permutations, networks) int64: the network whose gap each network gets; the first row
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
    moved = np.empty((permutations, count), dtype=np.int64)
    moved[:, by_class] = np.argsort(classes + rng.random((permutations, count)), axis=1)
    shuffled = np.argsort(cells + rng.random((permutations, networks)), axis=1)
    positions = starts[moved[:, points] * several + draws] + place
    sources = np.take_along_axis(shuffled, positions, axis=1)
    return np.vstack([np.arange(networks), sources])


def combined(*labels: np.ndarray) -> np.ndarray:
    """Number the distinct combinations of (n,) int labels."""
    _, index = np.unique(np.column_stack(labels), axis=0, return_inverse=True)
    return np.asarray(index.reshape(-1), dtype=np.int64)
