"""Bottleneck distances against GUDHI, persim and every possible matching."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import numpy as np
import persim
import pytest
from gudhi import bottleneck_distance as by_gudhi

from gengap.errors import GengapError
from gengap.topology import bottleneck_between_draws


def by_all_matchings(one: np.ndarray, other: np.ndarray) -> float:
    """The least, over all partial matchings, of the longest move; unmatched bars go to b = d."""
    best = np.inf
    for size in range(min(len(one), len(other)) + 1):
        for left in combinations(range(len(one)), size):
            for right in permutations(range(len(other)), size):
                pairs = [np.abs(one[i] - other[j]).max() for i, j in zip(left, right, strict=True)]
                rest = [(one[i, 1] - one[i, 0]) / 2 for i in set(range(len(one))) - set(left)]
                rest += [
                    (other[j, 1] - other[j, 0]) / 2 for j in set(range(len(other))) - set(right)
                ]
                best = min(best, max(pairs + rest, default=0.0))
    return best


def random_bars(rng: np.random.Generator, count: int) -> np.ndarray:
    births = rng.uniform(0, 0.6, count)
    return np.stack([births, births + rng.exponential(0.2, count)], axis=1).astype(np.float32)


@pytest.mark.parametrize("seed", range(8))
def test_against_every_matching(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (
        random_bars(rng, int(rng.integers(0, 5))),
        random_bars(rng, int(rng.integers(0, 5))),
    )
    distances = bottleneck_between_draws([[one], [other]])["bottleneck_between_draws.H0"]
    np.testing.assert_allclose(distances, [by_all_matchings(one, other)], rtol=1e-6)


def born_together(rng: np.random.Generator, count: int) -> np.ndarray:
    """As in H0, with ties."""
    return np.stack([np.zeros(count), rng.integers(1, 40, count) / 64], axis=1).astype(np.float32)


@pytest.mark.parametrize("seed", range(8))
def test_bars_born_together_against_every_matching(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (
        born_together(rng, int(rng.integers(0, 5))),
        born_together(rng, int(rng.integers(0, 5))),
    )
    distances = bottleneck_between_draws([[one], [other]])["bottleneck_between_draws.H0"]
    np.testing.assert_allclose(distances, [by_all_matchings(one, other)], rtol=1e-12, atol=0)


def perturbed(rng: np.random.Generator, bars: np.ndarray) -> np.ndarray:
    """The same bars, each moved a little, some of them lost."""
    moved = bars + rng.normal(0, 0.02, bars.shape).astype(np.float32)
    alive = (moved[:, 1] > moved[:, 0]) & (rng.random(len(bars)) < 0.9)
    return moved[alive]


def on_a_grid(rng: np.random.Generator, count: int) -> np.ndarray:
    """Many equal bars and equal costs."""
    births = rng.integers(0, 12, count)
    return (np.stack([births, births + rng.integers(1, 12, count)], axis=1) / 32).astype(np.float32)


@pytest.mark.parametrize("seed", range(60))
def test_against_gudhi(seed: int) -> None:
    rng = np.random.default_rng(seed)
    few, many = int(rng.integers(0, 60)), int(rng.integers(0, 200))
    bars = random_bars(rng, many)
    pairs = [
        (random_bars(rng, few), bars),
        (bars, perturbed(rng, bars)),
        (on_a_grid(rng, few), on_a_grid(rng, many)),
        (born_together(rng, few), born_together(rng, many)),
    ]
    for one, other in pairs:
        distances = bottleneck_between_draws([[one], [other]])["bottleneck_between_draws.H0"]
        # GUDHI answers the smallest float64 instead of 0.
        np.testing.assert_allclose(distances, [by_gudhi(one, other)], rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("seed", range(3))
def test_many_long_bars_that_crowd_against_gudhi(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gengap.topology.bottleneck.BLOCK_BARS", 16)
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(2):
        births = rng.exponential(0.01, 150)
        draws.append([np.stack([births, births + 0.2 + rng.exponential(0.1, 150)], axis=1)])
    distances = bottleneck_between_draws(draws)["bottleneck_between_draws.H0"]
    np.testing.assert_allclose(distances, [by_gudhi(draws[0][0], draws[1][0])], rtol=1e-12)


def many_long_bars(rng: np.random.Generator, count: int) -> np.ndarray:
    """Long bars in a place so small that all compete for the same partners."""
    births = rng.normal(0.5, 0.02, count)
    return np.stack([births, births + 0.1 + rng.exponential(0.01, count)], axis=1)


def repeated(rng: np.random.Generator, count: int) -> np.ndarray:
    """Few places, each with many bars: what counts is how many."""
    return on_a_grid(rng, 6)[rng.integers(0, 6, count)]


@pytest.mark.parametrize("seed", range(6))
def test_competing_bars_against_gudhi(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense, sparse = many_long_bars(rng, 300), many_long_bars(rng, 200)
    shifted = dense + np.array([0.03, 0.03])
    places = repeated(rng, 100)
    pairs = [
        (dense, sparse),
        (dense, shifted),
        (dense, perturbed(rng, dense)),
        (places, places[rng.integers(0, 100, 140)]),
        (places, np.concatenate([places, places[:9]])),
        (places, repeated(rng, 60)),
        (1e9 * dense, 1e9 * sparse),
    ]
    for one, other in pairs:
        distance = bottleneck_between_draws([[one], [other]])["bottleneck_between_draws.H0"]
        np.testing.assert_allclose(distance, [by_gudhi(one, other)], rtol=1e-12, atol=1e-300)


def test_the_distance_is_half_a_length_or_the_cost_of_a_pair() -> None:
    """Exact, so that no rounding or step of a search shows."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        one, other = many_long_bars(rng, 60), many_long_bars(rng, 50)
        distance = bottleneck_between_draws([[one], [other]])["bottleneck_between_draws.H0"][0]
        costs = np.abs(one[:, None] - other).max(axis=2)
        halves = np.concatenate([np.diff(one), np.diff(other)]) / 2
        assert distance in costs or distance in halves


@pytest.mark.parametrize("count", [1, 20, 120])
def test_against_persim(count: int) -> None:
    rng = np.random.default_rng(count)
    draws = [[random_bars(rng, count), random_bars(rng, count + 3)] for _ in range(3)]
    distances = bottleneck_between_draws(draws)
    for dimension in (0, 1):
        expected = [persim.bottleneck(draws[b][dimension], draws[b + 1][dimension]) for b in (0, 1)]
        np.testing.assert_allclose(
            distances[f"bottleneck_between_draws.H{dimension}"], expected, rtol=1e-6
        )


def test_identical_draws_are_at_distance_zero_and_infinite_bars_do_not_count() -> None:
    bars = random_bars(np.random.default_rng(0), 30)
    with_infinite = np.concatenate([bars, [[0, np.inf]]])
    distances = bottleneck_between_draws([[bars], [with_infinite], [with_infinite]])
    np.testing.assert_array_equal(distances["bottleneck_between_draws.H0"], [0, 0])


def test_distance_to_no_bars_is_half_the_longest_life() -> None:
    empty = np.empty((0, 2), dtype=np.float32)
    bars = np.array([[0, 0.25], [0.25, 1.0]], dtype=np.float32)
    distances = bottleneck_between_draws([[empty], [bars], [empty], [empty]])
    np.testing.assert_allclose(distances["bottleneck_between_draws.H0"], [0.375, 0.375, 0])


def test_a_single_draw_has_no_distances_and_lists_are_diagrams() -> None:
    distances = bottleneck_between_draws([[[[0, 0.5]], []]])
    assert {name: len(values) for name, values in distances.items()} == {
        "bottleneck_between_draws.H0": 0,
        "bottleneck_between_draws.H1": 0,
    }
    distances = bottleneck_between_draws([[[[0, 0.5]]], [[]]])
    np.testing.assert_array_equal(distances["bottleneck_between_draws.H0"], [0.25])


@pytest.mark.parametrize(
    ("draws", "sentence"),
    [
        ([], "no draws to compare: give the diagrams of two or more"),
        ([[[[0, 1]]], [[[0, 1]], [[0, 1]]]], "different dimensions: compute them with one max_dim"),
        ([[np.zeros((2, 3))], [np.zeros((2, 3))]], r"shape \(2, 3\): give \(bars, 2\)"),
        ([[[[0, np.nan]]], [[[0, 1]]]], "dies at nan"),
    ],
)
def test_refuses_what_is_no_diagram(draws: Any, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        bottleneck_between_draws(draws)
