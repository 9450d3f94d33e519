"""Means over draws and their bootstrap errors against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.errors import GengapError
from gengap.topology import bottleneck_between_draws, summarise, vectorise


def draws_of(count: int, seed: int = 0) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(count):
        births = rng.uniform(0.3, 0.7, 15)
        h1 = np.stack([births, births + rng.uniform(0.01, 0.2, 15)], axis=1)
        h0 = np.stack([np.zeros(20), rng.uniform(0.2, 0.8, 20)], axis=1)
        draws.append([h0.astype(np.float32), h1.astype(np.float32)])
    return draws


def test_value_is_the_mean_over_draws() -> None:
    draws = draws_of(7)
    table = summarise(draws, 10, np.random.default_rng(0))
    assert list(table.columns) == ["measure", "component", "value", "standard_error"]
    vectors = [vectorise(draw) for draw in draws]
    for key in vectors[0]:
        rows = table[table.measure == key]
        assert list(rows.component) == list(range(len(vectors[0][key])))
        np.testing.assert_allclose(rows.value, np.mean([v[key] for v in vectors], axis=0))
    assert table.value.notna().all()


def test_standard_error_is_that_of_the_bootstrap_distribution() -> None:
    """The mean of B values drawn with replacement has variance (population variance) / B."""
    draws = draws_of(12)
    table = summarise(draws, 10_000, np.random.default_rng(1))
    key = "deviations_and_averages_of_births_and_deaths.H0H1"
    values = np.stack([vectorise(draw)[key] for draw in draws])
    errors = table[table.measure == key].standard_error
    np.testing.assert_allclose(errors, values.std(axis=0) / np.sqrt(12), rtol=0.04, atol=1e-12)


def test_stability_is_the_mean_distance_of_consecutive_draws() -> None:
    draws = draws_of(6)
    table = summarise(draws, 5_000, np.random.default_rng(2)).set_index("measure")
    for key, distances in bottleneck_between_draws(draws).items():
        assert table.loc[key, "value"] == pytest.approx(distances.mean())
        expected = distances.std() / np.sqrt(len(distances))
        assert table.loc[key, "standard_error"] == pytest.approx(expected, rel=0.05)


def test_the_same_seed_gives_the_same_table() -> None:
    draws = draws_of(5)
    one = summarise(draws, 50, np.random.default_rng(3))
    assert one.equals(summarise(draws, 50, np.random.default_rng(3)))
    assert not one.equals(summarise(draws, 50, np.random.default_rng(4)))


def test_equal_draws_have_no_error() -> None:
    table = summarise(draws_of(1) * 4, 100, np.random.default_rng(0))
    np.testing.assert_array_equal(table.standard_error, 0)


def test_a_single_draw_has_no_known_error_and_no_stability() -> None:
    table = summarise(draws_of(1), 100, np.random.default_rng(0))
    assert table.standard_error.isna().all()
    assert not table.measure.str.startswith("bottleneck").any()


@pytest.mark.parametrize(
    ("draws", "resamples", "sentence"),
    [
        ([], 10, "no draws"),
        ([draws_of(1)[0], draws_of(1)[0][:1]], 10, "different dimensions"),
        (draws_of(2), 1, "resamples is 1"),
    ],
)
def test_refuses(draws: list[list[np.ndarray]], resamples: int, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        summarise(draws, resamples, np.random.default_rng(0))
