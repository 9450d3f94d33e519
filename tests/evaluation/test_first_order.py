"""Statistics of very many networks against SciPy, and against the sums over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gengap.evaluation import permutations, rank_statistics
from gengap.evaluation.first_order import (
    below_between,
    below_in_both,
    below_in_both_between,
    concordance,
    dense_ranks,
)
from gengap.evaluation.rank_statistics import Correlations, correlate, r_without, weighted


@pytest.mark.parametrize(("n", "values"), [(1, 1), (2, 1), (40, 3), (300, 10**6), (257, 16)])
def test_concordance_is_the_sum_over_all_others(n: int, values: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.integers(0, values, n), rng.integers(0, values, n)
    y = y + x * (rng.random(n) < 0.5)
    expected = (np.sign(x[:, None] - x) * np.sign(y[:, None] - y)).sum(axis=1)
    np.testing.assert_array_equal(concordance(dense_ranks(x), dense_ranks(y)), expected)
    less = (x < x[:, None]) & (y < y[:, None])
    np.testing.assert_array_equal(below_in_both(dense_ranks(x), dense_ranks(y)), less.sum(axis=1))


@pytest.mark.parametrize("values", [4, 10**6])
def test_of_all_networks_the_statistics_are_scipys(values: int) -> None:
    rng = np.random.default_rng(values)
    n = rank_statistics.MOST_PAIRED + 100
    x = rng.integers(0, values, (3, n)).astype(np.float64)
    x[2] = 1.0
    y = rng.normal(size=n) + x[0] / values
    found = weighted(x, y, np.ones((1, n)))[0]
    for row, own in zip(found[:2], x, strict=False):
        expected = [
            f(own, y).statistic for f in (stats.kendalltau, stats.spearmanr, stats.pearsonr)
        ]
        np.testing.assert_allclose(row, expected, atol=1e-12)
    assert np.isnan(found[2]).all()


def test_intervals_and_p_are_those_of_all_pairs_up_to_one_over_the_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    points = np.repeat(np.arange(160), 2)
    x = np.array([rng.normal(size=320), rng.integers(0, 4, 320), rng.normal(size=320)])
    y = rng.normal(size=320) + 0.5 * x[0] + 0.06 * x[2]

    def of(most: int) -> Correlations:
        monkeypatch.setattr(rank_statistics, "MOST_PAIRED", most)
        rng = np.random.default_rng(1)
        return correlate(x, y, points=points, resamples=500, permutations=500, rng=rng)

    pairs, first_order = of(10**6), of(0)
    np.testing.assert_allclose(first_order.estimate, pairs.estimate, atol=1e-12)
    width = pairs.high - pairs.low
    for ends in ("low", "high"):
        difference = np.abs(getattr(first_order, ends) - getattr(pairs, ends))
        assert (difference < 0.06 * width).all(), ends
        # Pearson's r is exact.
        assert difference[:, 2].max() < 1e-12
    np.testing.assert_allclose(first_order.p, pairs.p, atol=0.02)
    np.testing.assert_allclose(first_order.p_family, pairs.p_family, atol=0.02)


def test_r_without_a_cluster_is_numpys() -> None:
    rng = np.random.default_rng(2)
    cluster = rng.integers(0, 7, 60)
    x, y = rng.normal(size=(2, 60)) + 100, rng.normal(size=60)
    expected = [
        [np.corrcoef(own[cluster != k], y[cluster != k])[0, 1] for own in x] for k in range(7)
    ]
    np.testing.assert_allclose(r_without(x, y, cluster), expected, atol=1e-12)


@pytest.mark.parametrize(("values", "held"), [(4, 10**6), (10**6, 10**6), (12, 100)])
def test_pairs_are_counted_by_their_groups(
    values: int, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permutations, "ENTRIES_HELD", held)
    rng = np.random.default_rng(values)
    x, y = rng.integers(0, values, (2, 90))
    group = rng.integers(0, 6, 90)
    of_group = np.eye(7)[group]
    larger, in_both = x[:, None] > x, (x[:, None] > x) & (y[:, None] > y)
    np.testing.assert_array_equal(
        below_between(dense_ranks(x), group, 7), of_group.T @ larger @ of_group
    )
    np.testing.assert_array_equal(
        below_in_both_between(dense_ranks(x), dense_ranks(y), group, 7),
        of_group.T @ in_both @ of_group,
    )
