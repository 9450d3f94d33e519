"""Means over draws, and their standard errors, against closed forms and repeated draws."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from gengap.errors import GengapError
from gengap.topology import bottleneck_between_draws, summarise, vectorise
from gengap.topology.summaries import error_of_mean, error_of_mean_distance


def draws_of(count: int, seed: int = 0) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(count):
        births = rng.uniform(0.3, 0.7, 15)
        h1 = np.stack([births, births + rng.uniform(0.01, 0.2, 15)], axis=1)
        h0 = np.stack([np.zeros(20), rng.uniform(0.2, 0.8, 20)], axis=1)
        draws.append([h0.astype(np.float32), h1.astype(np.float32)])
    return draws


def test_value_is_the_mean_over_draws_with_the_standard_error_of_scipy() -> None:
    draws = draws_of(7)
    table = summarise(draws)
    assert list(table.columns) == ["measure", "component", "value", "standard_error"]
    vectors = [vectorise(draw) for draw in draws]
    for key in vectors[0]:
        rows = table[table.measure == key]
        values = np.array([vector[key] for vector in vectors])
        assert list(rows.component) == list(range(values.shape[1]))
        np.testing.assert_allclose(rows.value, values.mean(axis=0))
        np.testing.assert_allclose(rows.standard_error, stats.sem(values), rtol=1e-9, atol=1e-13)
    assert table.value.notna().all()


def test_the_squared_error_is_the_variance_of_the_mean() -> None:
    """Over many sets of draws, whose number is small, so that a divisor B would be off by a third.

    The variance of a mean of three exponential numbers is 1/3.
    """
    rng = np.random.default_rng(0)
    errors = error_of_mean(rng.standard_exponential((3, 40_000)))
    assert (errors**2).mean() == pytest.approx(1 / 3, rel=0.03)


def test_stability_is_the_mean_distance_of_consecutive_draws() -> None:
    draws = draws_of(6)
    table = summarise(draws).set_index("measure")
    for key, distances in bottleneck_between_draws(draws).items():
        assert table.loc[key, "value"] == pytest.approx(distances.mean())
        error = error_of_mean_distance(distances)
        assert table.loc[key, "standard_error"] == pytest.approx(error)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_error_of_a_mean_distance_knows_that_consecutive_ones_share_a_draw(
    power: float,
) -> None:
    """Against the variance of 10 000 means of 19 distances between 20 normal numbers.

    Two squared distances that share a number have the correlation 1/4, so an error that takes them
    as independent is low by a fifth.
    """
    rng = np.random.default_rng(1)
    numbers = rng.standard_normal((10_000, 20))
    distances = np.abs(np.diff(numbers, axis=1)) ** power
    expected = distances.mean(axis=1).var()
    errors = np.array([error_of_mean_distance(row) for row in distances[:2000]])
    assert (errors**2).mean() == pytest.approx(expected, rel=0.06)
    assert (stats.sem(distances, axis=1) ** 2).mean() < 0.85 * expected


def test_the_error_of_a_mean_distance_against_a_loop() -> None:
    distances = np.array([1.0, 1.5, 3.0, 2.5, 0.5])
    apart = [
        (one - other) ** 2 / 2 for i, one in enumerate(distances) for other in distances[i + 2 :]
    ]
    shared = [(one - other) ** 2 / 2 for one, other in pairwise(distances)]
    variance = np.mean(apart)
    covariance = variance - np.mean(shared)
    assert 0 < covariance < variance / 2
    expected = np.sqrt((5 * variance + 8 * covariance) / 25)
    assert error_of_mean_distance(distances) == pytest.approx(expected)
    assert np.isnan(error_of_mean_distance(distances[:2]))


def test_equal_draws_have_no_error() -> None:
    np.testing.assert_array_equal(summarise(draws_of(1) * 4).standard_error, 0)


def test_a_single_draw_has_no_known_error_and_no_stability() -> None:
    table = summarise(draws_of(1))
    assert table.standard_error.isna().all()
    assert not table.measure.str.startswith("bottleneck").any()


@pytest.mark.parametrize(
    ("draws", "sentence"),
    [([], "no draws"), ([draws_of(1)[0], draws_of(1)[0][:1]], "different dimensions")],
)
def test_refuses(draws: list[list[np.ndarray]], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        summarise(draws)
