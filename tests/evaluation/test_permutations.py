"""Permutations keep grid points and draws together, and reach every arrangement."""

from __future__ import annotations

import numpy as np

from gengap.evaluation.permutations import permuted_networks


def test_points_and_draws_stay_together() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(24)
    points, draws = np.repeat(np.arange(8), 3)[order], np.tile(np.arange(3), 8)[order]
    orders = permuted_networks(points, draws, np.zeros(24, dtype=np.int64), 50, rng)
    np.testing.assert_array_equal(orders[0], np.arange(24))
    orders = orders[1:]
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(24), (50, 1)))
    assert (draws[orders] == draws).all()
    for moved in orders:
        for point in range(8):
            assert len(set(points[moved][points == point])) == 1
    assert (orders != np.arange(24)).any()


def test_points_go_only_to_points_of_the_same_draws() -> None:
    # Points 0 and 1 have two draws, 2 and 3 the first alone; 4 has the second alone.
    points, draws = np.array([0, 0, 1, 1, 2, 3, 4]), np.array([0, 1, 0, 1, 0, 0, 1])
    anywhere = np.zeros(7, dtype=np.int64)
    orders = permuted_networks(points, draws, anywhere, 200, np.random.default_rng(1))
    found = {tuple(int(network) for network in row) for row in orders}
    both, first = [(0, 1, 2, 3), (2, 3, 0, 1)], [(4, 5), (5, 4)]
    assert found == {(*left, *right, 6) for left in both for right in first}


def test_every_order_of_single_networks_is_as_likely() -> None:
    anywhere = np.zeros(3, dtype=np.int64)
    orders = permuted_networks(np.arange(3), anywhere, anywhere, 6000, np.random.default_rng(2))[1:]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    # Standard deviation of each count: 29.
    assert np.abs(counts - 1000).max() < 130


def test_points_stay_within_their_stratum_and_replicates_of_one_draw_are_shuffled() -> None:
    points, strata = np.repeat(np.arange(4), 2), np.repeat([0, 1], 4)
    one = np.zeros(8, dtype=np.int64)
    orders = permuted_networks(points, one, strata, 2000, np.random.default_rng(3))
    assert (strata[orders] == strata).all()
    # Two orders of the points, and two of the replicates of each, in each stratum.
    assert len(np.unique(orders, axis=0)) == (2 * 2 * 2) ** 2
