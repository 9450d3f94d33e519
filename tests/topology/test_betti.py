"""Betti curves against counting, and summaries against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gengap.errors import GengapError
from gengap.topology import betti_curve, in_density, persistence_diagrams, summarise_bars
from gengap.topology.betti import SUMMARIES, betti_steps, smoothed


def random_bars(seed: int, count: int, infinite: float = 0.2) -> np.ndarray:
    """Bars with many ties, some infinite, in no order."""
    rng = np.random.default_rng(seed)
    births = rng.integers(0, 10, count) / 8
    deaths = births + rng.integers(1, 10, count) / 8
    deaths[rng.random(count) < infinite] = np.inf
    return np.stack([births, deaths], axis=1)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 60))
def test_curve_is_a_count_of_the_bars_alive(seed: int, count: int) -> None:
    bars = random_bars(seed, count)
    grid = np.random.default_rng(seed + 1).integers(-2, 25, 40) / 8
    alive = [sum(birth <= e < death for birth, death in bars) for e in grid]
    np.testing.assert_array_equal(betti_curve(bars, grid), alive)
    np.testing.assert_allclose(betti_curve(bars, grid, nodes=7), np.array(alive) / 7)


def test_unsorted_deaths_do_not_flatten_the_peak() -> None:
    """The published conversion counts deaths in the order of births."""
    births = np.arange(60) / 100
    bars = np.stack([births, 1.6 - births], axis=1)
    assert betti_curve(bars, np.array([0.595]))[0] == 60
    assert summarise_bars(bars)["peak"] == 60


def test_steps_are_the_whole_curve() -> None:
    bars = random_bars(3, 30)
    steps, values = betti_steps(bars)
    between = (steps[:-1] + steps[1:]) / 2
    np.testing.assert_array_equal(betti_curve(bars, between), values[:-1])
    assert betti_curve(bars, steps[:1] - 1)[0] == 0


def test_summaries_by_hand() -> None:
    bars = np.array([[0.0, 0.4], [0.2, 0.6], [0.1, 0.3], [0.5, np.inf]])
    summaries = summarise_bars(bars, nodes=2)
    assert tuple(summaries) == SUMMARIES
    expected = {
        "life": (0.4 + 0.4 + 0.2) / 3,
        "midlife": (0.2 + 0.4 + 0.2) / 3,
        "peak": 3 / 2,
        "argmax": 0.2,
        "death_birth_ratio": (3 + 3) / 2,
        "integral": 1.0 / 2,
        "count": 3 / 2,
        "entropy": -(0.4 * np.log(0.4) * 2 + 0.2 * np.log(0.2)),
    }
    assert summaries == pytest.approx(expected)


def test_the_integral_is_the_area_under_the_curve() -> None:
    bars = random_bars(5, 40, infinite=0.0)
    grid = (np.arange(4000) + 0.5) / 1600
    area = betti_curve(bars, grid).mean() * 2.5
    assert summarise_bars(bars)["integral"] == pytest.approx(area, rel=1e-3)


@pytest.mark.parametrize("bars", [np.empty((0, 2)), np.array([[0, np.inf]]), np.array([[1, 1]])])
def test_nothing_finite_gives_zeros(bars: np.ndarray) -> None:
    assert summarise_bars(bars) == dict.fromkeys(SUMMARIES, 0.0)


def test_density_is_the_share_of_edges_present() -> None:
    rng = np.random.default_rng(0)
    lengths = np.triu(rng.random((20, 20)) ** 3, 1).astype(np.float32)
    matrix = lengths + lengths.T
    ranks = np.zeros_like(matrix, dtype=np.float64)
    edges = np.sort(matrix[np.triu_indices(20, 1)])
    ranks[...] = np.searchsorted(edges, matrix, side="right") / len(edges)
    np.fill_diagonal(ranks, 0)
    dense = in_density(persistence_diagrams(matrix, 1), matrix)
    for one, other in zip(dense, persistence_diagrams(ranks, 1), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_infinite_entries_do_not_count_in_the_density() -> None:
    """Two pairs of points at 1 and 2, and no edge between the pairs."""
    matrix = np.full((4, 4), np.inf)
    matrix[[0, 1], [1, 0]], matrix[[2, 3], [3, 2]] = 1, 2
    np.fill_diagonal(matrix, 0)
    (h0,) = in_density(persistence_diagrams(matrix, 0), matrix)
    np.testing.assert_array_equal(h0, [[0, 0.5], [0, 1], [0, np.inf], [0, np.inf]])


def test_smoothing_keeps_a_constant_and_the_area() -> None:
    np.testing.assert_allclose(smoothed(np.full(30, 2.0), 3), 2.0)
    peak = np.zeros(61)
    peak[30] = 5
    wide = smoothed(peak, 2)
    assert wide.sum() == pytest.approx(5)
    assert wide.argmax() == 30
    assert wide.max() < 2


def test_bad_input_is_refused() -> None:
    with pytest.raises(GengapError, match="shape \\(3,\\): give \\(bars, 2\\)"):
        betti_curve(np.zeros(3), np.zeros(1))
    with pytest.raises(GengapError, match="shape \\(2, 3\\)"):
        summarise_bars(np.zeros((2, 3)))
    with pytest.raises(GengapError, match="per node of 0 nodes"):
        betti_curve(np.empty((0, 2)), np.zeros(1), nodes=0)
    with pytest.raises(GengapError, match="window of 0 points"):
        smoothed(np.zeros(4), 0)
