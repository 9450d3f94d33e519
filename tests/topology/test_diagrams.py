"""Diagrams that are known in closed form, and engines against each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.names import ENGINES
from gengap.topology import persistence_diagrams

CHOICES = ("auto", *ENGINES)
Matrix = NDArray[np.float64]


def distances(points: Matrix) -> Matrix:
    matrix: Matrix = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return matrix


def polygon(corners: int) -> Matrix:
    angles = 2 * np.pi * np.arange(corners) / corners
    return distances(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def symmetric(values: Matrix) -> Matrix:
    upper = np.triu(values, 1)
    matrix: Matrix = upper + upper.T
    return matrix


def hard_matrix(seed: int, points: int, levels: int) -> Matrix:
    """Random lengths with ties, some points doubled, some at the largest distance from all."""
    rng = np.random.default_rng(seed)
    matrix: Matrix = symmetric(rng.integers(1, levels + 1, (points, points)) / levels)
    dead = rng.random(points) < 0.1
    matrix[dead] = matrix[:, dead] = 1
    copies = rng.integers(0, points, points)
    which = np.where(rng.random(points) < 0.2, copies, np.arange(points))
    matrix = np.take(np.take(matrix, which, axis=0), which, axis=1)
    np.fill_diagonal(matrix, 0)
    return matrix


@pytest.mark.parametrize("engine", CHOICES)
@pytest.mark.parametrize("points", [1, 2, 3, 4, 9])
def test_equilateral_points_merge_at_once_and_leave_no_loop(engine: str, points: int) -> None:
    h0, h1 = persistence_diagrams(1 - np.eye(points), engine=engine)
    np.testing.assert_array_equal(h0, [[0, 1]] * (points - 1) + [[0, np.inf]])
    assert h1.shape == (0, 2)


@pytest.mark.parametrize("engine", CHOICES)
@pytest.mark.parametrize("corners", [4, 5, 6, 7, 12, 20, 31])
def test_regular_polygon(engine: str, corners: int) -> None:
    """One loop, from the side's length to that of the chord over a third of the corners.

    Adamaszek 2013 (Israel J. Math. 196), on cliques in powers of a cycle.
    """
    h0, h1 = persistence_diagrams(polygon(corners), engine=engine)
    side = 2 * math.sin(math.pi / corners)
    chord = 2 * math.sin(math.pi * math.ceil(corners / 3) / corners)
    np.testing.assert_allclose(h0, [[0, side]] * (corners - 1) + [[0, np.inf]], rtol=1e-6)
    longest = h1[np.argmax(h1[:, 1] - h1[:, 0])]
    np.testing.assert_allclose(longest, [side, chord], rtol=1e-6)
    # Sides that differ in the last bit may leave bars of one rounding error.
    assert np.sort(h1[:, 1] - h1[:, 0])[:-1].sum() < 1e-5


@pytest.mark.parametrize("engine", CHOICES)
def test_noisy_circle_has_one_long_loop(engine: str) -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 80)
    points = np.stack([np.cos(angles), np.sin(angles)], 1) + rng.normal(0, 0.03, (80, 2))
    _, h1 = persistence_diagrams(distances(points), engine=engine)
    lives = np.sort(h1[:, 1] - h1[:, 0])[::-1]
    assert lives[0] > 1
    assert lives[1:].max(initial=0) < 0.3


@pytest.mark.parametrize("engine", CHOICES)
def test_two_clusters_merge_last_at_their_distance(engine: str) -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(0, 0.1, (40, 2))
    points[20:, 0] += 10
    matrix = distances(points)
    h0, _ = persistence_diagrams(matrix, engine=engine)
    finite = h0[np.isfinite(h0[:, 1]), 1]
    assert finite.max() == np.float32(matrix[:20, 20:].min())
    assert np.sort(finite)[-2] < 1


def test_octahedron_encloses_a_void() -> None:
    matrix = 1 - np.eye(6)
    for corner in range(0, 6, 2):
        matrix[corner, corner + 1] = matrix[corner + 1, corner] = 2
    for engine in ("auto", "ripser", "gudhi"):
        diagrams = persistence_diagrams(matrix, max_dim=2, engine=engine)
        assert len(diagrams) == 3
        np.testing.assert_array_equal(diagrams[2], [[1, 2]])


@pytest.mark.parametrize("engine", CHOICES)
@pytest.mark.parametrize("max_dim", [0, 1])
def test_no_point_gives_empty_diagrams(engine: str, max_dim: int) -> None:
    diagrams = persistence_diagrams(np.empty((0, 0)), max_dim=max_dim, engine=engine)
    assert [bars.shape for bars in diagrams] == [(0, 2)] * (max_dim + 1)


@pytest.mark.parametrize("engine", CHOICES)
def test_doubled_points_leave_no_bar_of_zero_length(engine: str) -> None:
    matrix = np.repeat(np.repeat(polygon(8), 3, axis=0), 3, axis=1)
    for once, thrice in zip(
        persistence_diagrams(polygon(8), engine=engine),
        persistence_diagrams(matrix, engine=engine),
        strict=True,
    ):
        np.testing.assert_array_equal(once, thrice)


@pytest.mark.parametrize("engine", CHOICES)
def test_threshold_leaves_alive_what_dies_later(engine: str) -> None:
    matrix = polygon(12)
    side, chord = np.float32(matrix[0, 1]), np.float32(matrix[0, 4])
    _, h1 = persistence_diagrams(matrix, threshold=float(chord) * 0.99, engine=engine)
    assert np.isinf(h1[np.argmax(h1[:, 1] - h1[:, 0]), 1])
    h0, h1 = persistence_diagrams(matrix, threshold=float(side) * 0.9, engine=engine)
    np.testing.assert_array_equal(h0, [[0, np.inf]] * 12)
    assert len(h1) == 0


@pytest.mark.parametrize("engine", CHOICES)
@pytest.mark.filterwarnings("error:overflow")
def test_a_threshold_beyond_float32_cuts_nothing(engine: str) -> None:
    square = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    for bars, expected in zip(
        persistence_diagrams(square, threshold=1e300, engine=engine),
        persistence_diagrams(square, engine=engine),
        strict=True,
    ):
        np.testing.assert_array_equal(bars, expected)


@pytest.mark.parametrize("engine", CHOICES)
def test_an_edge_as_long_as_the_threshold_enters(engine: str) -> None:
    h0, _ = persistence_diagrams(0.1 * (1 - np.eye(2)), threshold=0.1, engine=engine)
    np.testing.assert_array_equal(h0, np.array([[0, 0.1], [0, np.inf]], dtype=np.float32))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    points=st.integers(1, 40),
    levels=st.sampled_from([1, 2, 5, 1000]),
    threshold=st.sampled_from([None, 0.2, 0.5, 1.0]),
    max_dim=st.sampled_from([0, 1, 2]),
)
def test_engines_agree_bitwise(
    seed: int, points: int, levels: int, threshold: float | None, max_dim: int
) -> None:
    matrix = hard_matrix(seed, points, levels)
    ripser = persistence_diagrams(matrix, max_dim, threshold, "ripser")
    others = ("gudhi", "auto") if max_dim > 1 else ("gudhi", "auto", "fast")
    for engine in others:
        diagrams = persistence_diagrams(matrix, max_dim, threshold, engine)
        assert len(diagrams) == len(ripser) == max_dim + 1
        for one, other in zip(ripser, diagrams, strict=True):
            assert one.dtype == other.dtype == np.float32
            np.testing.assert_array_equal(one, other)


def test_does_not_depend_on_the_order_of_the_points() -> None:
    rng = np.random.default_rng(4)
    matrix = symmetric(rng.random((50, 50)))
    order = rng.permutation(50)
    for one, other in zip(
        persistence_diagrams(matrix),
        persistence_diagrams(matrix[np.ix_(order, order)]),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_bars_are_sorted_by_birth_then_death() -> None:
    diagrams = persistence_diagrams(symmetric(np.random.default_rng(5).random((60, 60))))
    for bars in diagrams:
        assert [tuple(bar) for bar in bars] == sorted(tuple(bar) for bar in bars)


def spoilt(row: int, column: int, value: float) -> Matrix:
    matrix = 1 - np.eye(4)
    matrix[row, column] = value
    return matrix


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (np.zeros((2, 3)), "square"),
        (np.zeros(3), "square"),
        (np.zeros((2, 2), complex), "real numbers"),
        (spoilt(0, 1, np.nan), "NaN or infinite"),
        (spoilt(0, 1, np.inf), "NaN or infinite"),
        (spoilt(0, 1, -1), "negative"),
        (spoilt(2, 2, 0.5), "diagonal"),
        (spoilt(0, 1, 0.5), "symmetric"),
    ],
)
def test_refuses_what_is_no_dissimilarity(matrix: Matrix, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        persistence_diagrams(matrix)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"engine": "riper"}, "Unknown engine 'riper': choose one of auto, fast, ripser, gudhi"),
        ({"engine": "fast", "max_dim": 2}, "fast engine computes H0 to H1, not H2: choose"),
        ({"max_dim": -1}, "max_dim is -1"),
        ({"threshold": -0.1}, "threshold is -0.1"),
        ({"threshold": math.nan}, "threshold is nan"),
    ],
)
def test_refuses_bad_arguments(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        persistence_diagrams(1 - np.eye(3), **arguments)


def test_refuses_what_would_abort_ripser() -> None:
    with pytest.raises(GengapError, match="cannot number the simplices of 300 points"):
        persistence_diagrams(1 - np.eye(300), max_dim=12, engine="ripser")
