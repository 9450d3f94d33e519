"""Permutations keep grid points and draws together, and reach every arrangement."""

from __future__ import annotations

import numpy as np

from gengap.evaluation.permutations import point_permutations


def test_points_and_draws_stay_together() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(24)
    points, draws = np.repeat(np.arange(8), 3)[order], np.tile(["a", "b", "c"], 8)[order]
    orders = point_permutations(points, draws, 50, rng)
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(24), (50, 1)))
    assert (draws[orders] == draws).all()
    for moved in orders:
        for point in range(8):
            assert len(set(points[moved][points == point])) == 1
    assert (orders != np.arange(24)).any()


def test_points_go_only_to_points_of_the_same_draws() -> None:
    # Points 0 and 1 have two draws, 2 and 3 the first alone; 4 has the second alone.
    points, draws = np.array([0, 0, 1, 1, 2, 3, 4]), np.array(["a", "b", "a", "b", "a", "a", "b"])
    orders = point_permutations(points, draws, 200, np.random.default_rng(1))
    found = {tuple(int(network) for network in row) for row in orders}
    both, first = [(0, 1, 2, 3), (2, 3, 0, 1)], [(4, 5), (5, 4)]
    assert found == {(*left, *right, 6) for left in both for right in first}


def test_every_order_of_single_networks_is_as_likely() -> None:
    orders = point_permutations(np.arange(3), None, 6000, np.random.default_rng(2))
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    # Standard deviation of each count: 29.
    assert np.abs(counts - 1000).max() < 130
