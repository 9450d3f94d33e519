"""Rank statistics against scipy: estimates, every bootstrap sample, permutation p, intervals."""

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

from gengap.evaluation.rank_statistics import correlate, permutation_p, weighted

SCIPY: tuple[Callable[..., Any], ...] = (stats.kendalltau, stats.spearmanr, stats.pearsonr)


def by_scipy(x: np.ndarray, y: np.ndarray) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [float(function(x, y).statistic) for function in SCIPY]


def size(function: Callable[..., Any], y: np.ndarray, x: np.ndarray) -> float:
    return abs(float(function(x, y).statistic))


def tied(rng: np.random.Generator, n: int, values: int) -> np.ndarray:
    return rng.integers(0, values, n).astype(np.float64)


@pytest.mark.parametrize("values", [2, 5, 10**6])
def test_every_bootstrap_sample_has_scipys_statistics(values: int) -> None:
    rng = np.random.default_rng(values)
    x, y = tied(rng, 17, values), tied(rng, 17, values)
    weights = rng.multinomial(17, np.full(17, 1 / 17), size=30)
    found = weighted(x, y, weights.astype(np.float64))
    for row, weight in zip(found, weights, strict=True):
        expected = by_scipy(np.repeat(x, weight), np.repeat(y, weight))
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_samples_without_variation_have_no_statistic() -> None:
    x, y = np.array([0.1, 0.1, 0.3]), np.array([1.0, 2.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = weighted(x, y, np.array([[1.0, 2.0, 0.0], [1.0, 1.0, 1.0]]))
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1], by_scipy(x, y))


def test_p_is_the_exact_one_when_all_permutations_are_given() -> None:
    rng = np.random.default_rng(0)
    x, y = tied(rng, 6, 4), tied(rng, 6, 5)
    orders = np.array(list(itertools.permutations(range(6))))
    found = permutation_p(x[None, :], y, orders)[0]
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
    found = correlate(x[None, :], y, resamples=2, permutations=20_000, rng=rng)
    asymptotic = [function(x, y).pvalue for function in SCIPY]
    np.testing.assert_allclose(found.p[0], asymptotic, atol=0.015)


def test_perfect_order_has_the_smallest_p_and_intervals_of_one_point() -> None:
    y = np.random.default_rng(1).random(12)
    found = correlate(
        np.stack([y, -y]), y, resamples=100, permutations=199, rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(found.estimate, [[1, 1, 1], [-1, -1, -1]], atol=1e-12)
    np.testing.assert_allclose(found.low, found.high, atol=1e-12)
    np.testing.assert_array_equal(found.p, 1 / 200)


def test_interval_of_pearson_comes_near_fishers() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=180)
    y = 0.6 * x + 0.8 * rng.normal(size=180)
    found = correlate(x[None, :], y, resamples=4000, permutations=1, rng=rng)
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
        found = correlate(
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
    every = correlate(measures, gaps, resamples=20, permutations=20, rng=np.random.default_rng(0))
    single = correlate(
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
        found = correlate(x[None, :], y, resamples=9, permutations=9, rng=np.random.default_rng(0))
    assert np.isnan(found.estimate).all()
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()
    np.testing.assert_array_equal(found.p, 1.0)


def test_very_large_and_very_small_values_are_fine() -> None:
    y = np.arange(8.0)
    for scale in (1e-300, 1e300):
        found = correlate(
            (scale * y)[None, :], y, resamples=5, permutations=5, rng=np.random.default_rng(0)
        )
        np.testing.assert_allclose(found.estimate, 1.0)
