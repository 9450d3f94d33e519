"""Rank statistics against SciPy: estimates, every bootstrap sample, permutation p, intervals."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gengap.evaluation.permutations import permuted_networks
from gengap.evaluation.rank_statistics import (
    Correlations,
    bca_levels,
    correlate,
    permutation_p,
    quantiles,
    weighted,
)

SCIPY: tuple[Callable[..., Any], ...] = (stats.kendalltau, stats.spearmanr, stats.pearsonr)


def p_of(
    measures: np.ndarray, gaps: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both p values of the statistics of all networks."""
    observed = weighted(measures, gaps, np.ones((1, len(gaps))))[0]
    return permutation_p(measures, gaps, orders, observed)


def by_scipy(x: np.ndarray, y: np.ndarray) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [float(function(x, y).statistic) for function in SCIPY]


def size(function: Callable[..., Any], y: np.ndarray, x: np.ndarray) -> float:
    return abs(float(function(x, y).statistic))


def correlated(
    measures: np.ndarray,
    gaps: np.ndarray,
    *,
    resamples: int,
    permutations: int,
    rng: np.random.Generator,
    points: np.ndarray | None = None,
) -> Correlations:
    """Correlate networks that are each a grid point of their own, unless points are given."""
    return correlate(
        measures,
        gaps,
        points=np.arange(len(gaps)) if points is None else points,
        resamples=resamples,
        permutations=permutations,
        rng=rng,
    )


def shuffled(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Permutations of the points of networks that saw one draw."""
    one = np.zeros(len(points), dtype=np.int64)
    return permuted_networks(points, one, one, count, rng)[1:]


def tied(rng: np.random.Generator, n: int, values: int) -> np.ndarray:
    return rng.integers(0, values, n).astype(np.float64)


@pytest.mark.parametrize("values", [2, 5, 10**6])
def test_every_bootstrap_sample_has_scipys_statistics(values: int) -> None:
    rng = np.random.default_rng(values)
    x, y = tied(rng, 17, values), tied(rng, 17, values)
    weights = rng.multinomial(17, np.full(17, 1 / 17), size=30)
    found = weighted(x[None, :], y, weights.astype(np.float64))[:, 0]
    for row, weight in zip(found, weights, strict=True):
        expected = by_scipy(np.repeat(x, weight), np.repeat(y, weight))
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_samples_without_variation_have_no_statistic() -> None:
    x, y = np.array([0.1, 0.1, 0.3]), np.array([1.0, 2.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = weighted(x[None, :], y, np.array([[1.0, 2.0, 0.0], [1.0, 1.0, 1.0]]))[:, 0]
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1], by_scipy(x, y))


def test_p_is_the_exact_one_when_all_permutations_are_given() -> None:
    rng = np.random.default_rng(0)
    x, y = tied(rng, 6, 4), tied(rng, 6, 5)
    orders = np.array(list(itertools.permutations(range(6))))
    found = p_of(x[None, :], y, orders)[0][0]
    for p, function in zip(found, SCIPY, strict=True):
        statistic = partial(size, function, y)
        # At least as many as there are: scipy takes each once.
        exact = stats.permutation_test(
            (x,),
            statistic,
            permutation_type="pairings",
            alternative="greater",
            n_resamples=math.factorial(6),
        )
        # Ours counts the observed order once more, so that p is never 0.
        assert p == pytest.approx((1 + exact.pvalue * 720) / 721, abs=1e-12)


def test_random_permutations_come_near_the_exact_p() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=30)
    y = 0.35 * x + rng.normal(size=30)
    found = correlated(x[None, :], y, resamples=2, permutations=20_000, rng=rng)
    asymptotic = [function(x, y).pvalue for function in SCIPY]
    np.testing.assert_allclose(found.p[0], asymptotic, atol=0.015)


def test_perfect_order_has_the_smallest_p_and_intervals_of_one_point() -> None:
    y = np.random.default_rng(1).random(12)
    found = correlated(
        np.stack([y, -y]), y, resamples=100, permutations=199, rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(found.estimate, [[1, 1, 1], [-1, -1, -1]], atol=1e-12)
    np.testing.assert_allclose(found.low, found.high, atol=1e-12)
    np.testing.assert_array_equal(found.p, 1 / 200)


def test_interval_of_pearson_comes_near_fishers() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=180)
    y = 0.6 * x + 0.8 * rng.normal(size=180)
    found = correlated(x[None, :], y, resamples=4000, permutations=1, rng=rng)
    z = math.atanh(found.estimate[0, 2])
    half = stats.norm.ppf(0.975) / math.sqrt(180 - 3)
    assert found.low[0, 2] == pytest.approx(math.tanh(z - half), abs=0.03)
    assert found.high[0, 2] == pytest.approx(math.tanh(z + half), abs=0.03)
    assert (found.low <= found.estimate).all()
    assert (found.estimate <= found.high).all()


def test_ranks_do_not_see_increasing_maps_and_signs_turn() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=20), rng.normal(size=20)

    def of(values: np.ndarray) -> list[np.ndarray]:
        found = correlated(
            values[None, :], y, resamples=40, permutations=99, rng=np.random.default_rng(9)
        )
        return [found.estimate, found.low, found.high, found.p]

    for plain, curved in zip(of(x), of(np.exp(3 * x)), strict=True):
        np.testing.assert_array_equal(plain[:, :2], curved[:, :2])
    for plain, moved in zip(of(x), of(1e-7 * x - 2), strict=True):
        np.testing.assert_allclose(plain, moved, rtol=1e-7)
    estimate, low, high, p = of(-x)
    np.testing.assert_allclose(estimate, -of(x)[0])
    np.testing.assert_allclose(low, -of(x)[2])
    np.testing.assert_allclose(high, -of(x)[1])
    np.testing.assert_array_equal(p, of(x)[3])


def test_a_measure_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(5)
    measures, gaps = rng.normal(size=(3, 15)), rng.normal(size=15)
    every = correlated(measures, gaps, resamples=20, permutations=20, rng=np.random.default_rng(0))
    single = correlated(
        measures[2:], gaps, resamples=20, permutations=20, rng=np.random.default_rng(0)
    )
    for name in ("estimate", "low", "high", "p"):
        np.testing.assert_array_equal(getattr(every, name)[2:], getattr(single, name))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.full(9, 0.1), np.arange(9.0)),
        (np.arange(9.0), np.full(9, 0.1)),
        (np.array([2.0]), np.array([1.0])),
    ],
)
def test_without_variation_there_is_no_statistic_and_no_warning(
    x: np.ndarray, y: np.ndarray
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = correlated(x[None, :], y, resamples=9, permutations=9, rng=np.random.default_rng(0))
    assert np.isnan(found.estimate).all()
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()
    np.testing.assert_array_equal(found.p, 1.0)


def test_very_large_and_very_small_values_are_fine() -> None:
    y = np.arange(8.0)
    for scale in (1e-300, 1e300):
        found = correlated(
            (scale * y)[None, :], y, resamples=5, permutations=5, rng=np.random.default_rng(0)
        )
        np.testing.assert_allclose(found.estimate, 1.0)


@pytest.mark.parametrize("replicates", [1, 3])
def test_samples_of_unequal_size_have_scipys_statistics(replicates: int) -> None:
    rng = np.random.default_rng(replicates)
    measures, y = rng.normal(size=(4, 12)).round(1), tied(rng, 12, 6)
    weights = rng.integers(0, 4, (20, 12)) * replicates
    found = weighted(measures, y, weights.astype(np.float64))
    for row, weight in zip(found, weights, strict=True):
        for statistics, x in zip(row, measures, strict=True):
            expected = by_scipy(np.repeat(x, weight), np.repeat(y, weight))
            np.testing.assert_allclose(statistics, expected, atol=1e-12)


def test_interval_of_pearson_is_scipys_given_the_same_resamples() -> None:
    rng = np.random.default_rng(6)
    x = np.exp(rng.normal(size=25))
    y = np.log(x) + rng.normal(size=25)
    expected = stats.bootstrap(
        (x, y),
        lambda a, b: stats.pearsonr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=500,
        method="BCa",
        rng=np.random.default_rng(7),
    )
    jackknife = np.array(
        [stats.pearsonr(np.delete(x, row), np.delete(y, row)).statistic for row in range(25)]
    )
    samples = expected.bootstrap_distribution[:, None]
    estimate = np.array([stats.pearsonr(x, y).statistic])
    levels = bca_levels(samples, estimate, jackknife[:, None])
    low, high = quantiles(samples, levels)[0]
    interval = expected.confidence_interval
    np.testing.assert_allclose([low, high], [interval.low, interval.high], atol=1e-9)
    # It is no percentile interval: the distribution of r is skewed.
    assert abs(levels[0, 0] - 0.025) > 0.005


def test_quantiles_are_numpys_of_the_samples_that_exist() -> None:
    rng = np.random.default_rng(8)
    samples = rng.normal(size=(40, 3))
    samples[:7, 1], samples[:, 2] = np.nan, np.nan
    found = quantiles(samples, np.tile([0.025, 0.4, 1.0], (3, 1)))
    np.testing.assert_allclose(
        found[:2], np.nanquantile(samples[:, :2], [0.025, 0.4, 1.0], axis=0).T
    )
    assert np.isnan(found[2]).all()


def test_intervals_stay_within_bounds_and_hold_the_estimate() -> None:
    rng = np.random.default_rng(9)
    y = rng.normal(size=9)
    noise = np.exp(rng.normal(size=(60, 9)) * 2)
    found = correlated(
        y + noise, y, resamples=200, permutations=9, rng=rng, points=np.repeat([0, 1, 2], 3)
    )
    assert (found.low >= -1).all()
    assert (found.high <= 1).all()
    assert (found.low <= found.high).all()


def test_copies_of_every_network_do_not_sharpen_interval_or_p() -> None:
    rng = np.random.default_rng(10)
    x = rng.normal(size=16)
    y = 0.5 * x + rng.normal(size=16)

    def of(copies: int) -> Correlations:
        return correlated(
            np.repeat(x, copies)[None, :],
            np.repeat(y, copies),
            resamples=500,
            permutations=999,
            rng=np.random.default_rng(0),
            points=np.repeat(np.arange(16), copies),
        )

    single, copied = of(1), of(4)
    for name in ("estimate", "low", "high", "p", "p_family"):
        expected, found = getattr(single, name), getattr(copied, name)
        np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=name)


def test_replicates_without_a_point_of_their_own_would_sharpen_the_interval() -> None:
    rng = np.random.default_rng(11)
    x = np.repeat(rng.normal(size=16), 4)
    y = np.repeat(rng.normal(size=16), 4)

    def width(points: np.ndarray) -> np.ndarray:
        found = correlated(
            x[None, :],
            y,
            resamples=400,
            permutations=9,
            rng=np.random.default_rng(0),
            points=points,
        )
        return np.asarray(found.high - found.low)

    assert (width(np.repeat(np.arange(16), 4)) > 1.5 * width(np.arange(64))).all()


def test_p_of_the_family_is_that_of_the_largest_statistic() -> None:
    rng = np.random.default_rng(12)
    measures, y = rng.normal(size=(5, 14)).round(1), rng.normal(size=14).round(1)
    measures[1] = y + rng.normal(size=14)
    measures[4] = 1.0
    orders = shuffled(np.arange(14), 60, rng)
    p, p_family = p_of(measures, y, orders)
    for statistic, function in enumerate(SCIPY):
        varying = [size(function, y, x) for x in measures[:4]]
        largest = [max(size(function, y[order], x) for x in measures[:4]) for order in orders]
        for index, observed in enumerate(varying):
            count = sum(value >= observed - 1e-12 for value in largest)
            assert p_family[index, statistic] == pytest.approx((1 + count) / 61)
    assert (p_family >= p).all()
    alone = p_of(measures[:1], y, orders)
    np.testing.assert_array_equal(alone[0], alone[1])


def test_duplicates_do_not_change_the_p_of_the_family() -> None:
    rng = np.random.default_rng(13)
    measures, y = rng.normal(size=(3, 12)), rng.normal(size=12)
    orders = shuffled(np.arange(12), 99, rng)
    doubled = p_of(np.vstack([measures, -2 * measures]), y, orders)[1]
    np.testing.assert_array_equal(doubled[:3], p_of(measures, y, orders)[1])
    np.testing.assert_array_equal(doubled[3:], doubled[:3])


def test_family_wise_level_of_null_measures() -> None:
    rejected = 0
    rng = np.random.default_rng(14)
    # Gaps and measures share the level of a grid point, as replicates do.
    points = np.repeat(np.arange(10), 3)
    for _ in range(150):
        effect = rng.normal(size=(7, 10))[:, points] + 0.3 * rng.normal(size=(7, 30))
        orders = shuffled(points, 99, rng)
        rejected += int((p_of(effect[1:], effect[0], orders)[1][:, 0] <= 0.05).any())
    # Binomial with mean 7.5 at most: 15 is passed in fewer than 1 of 100 series.
    assert rejected <= 15
