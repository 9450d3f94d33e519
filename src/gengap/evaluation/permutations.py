"""Permutations of the networks of a task that keep whole grid points together."""

from __future__ import annotations

import numpy as np


def point_permutations(
    points: np.ndarray, draws: np.ndarray | None, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw permutations of the networks that move whole grid points.

    The unit that is exchangeable is the grid point: its replicates stay together and in their
    order. Where networks saw different draws of the training data, a network goes to a network of
    the same draw. So a point can only go to one with as many replicates, or with replicates of the
    same draws. A point that no other matches stays where it is.

    Args:
        points: (networks,) int: the grid point of each network.
        draws: (networks,) label of the draw that each network saw, or None for one draw.
        count: number of permutations.
        rng: draws them.

    Returns:
        (count, networks) int64: the network whose gap each network receives.
    """
    labels = np.zeros(len(points), dtype=np.int64)
    if draws is not None:
        labels = np.unique(np.asarray(draws, dtype=str), return_inverse=True)[1]
    alike: dict[tuple[int, ...], list[np.ndarray]] = {}
    for point in np.unique(points):
        members = np.flatnonzero(points == point)
        members = members[np.argsort(labels[members], kind="stable")]
        alike.setdefault(tuple(labels[members]), []).append(members)
    orders = np.tile(np.arange(len(points)), (count, 1))
    for group in alike.values():
        networks = np.array(group)
        moved = np.argsort(rng.random((count, len(networks))), axis=1)
        orders[:, networks.ravel()] = networks[moved].reshape(count, -1)
    return orders
