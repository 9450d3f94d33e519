"""Diagrams that are known in closed form, and engines against each other."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import gudhi
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gengap.errors import GengapError
from gengap.names import ENGINES
from gengap.topology import correlation_dissimilarity, persistence_diagrams

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
    for engine in CHOICES:
        diagrams = persistence_diagrams(matrix, max_dim=2, engine=engine)
        assert len(diagrams) == 3
        np.testing.assert_array_equal(diagrams[2], [[1, 2]])


@pytest.mark.parametrize("engine", CHOICES)
@pytest.mark.parametrize("max_dim", [0, 1, 2, 3])
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
    for engine in ("gudhi", "auto", "fast"):
        diagrams = persistence_diagrams(matrix, max_dim, threshold, engine)
        assert len(diagrams) == len(ripser) == max_dim + 1
        for one, other in zip(ripser, diagrams, strict=True):
            assert one.dtype == other.dtype == np.float32
            np.testing.assert_array_equal(one, other)


def of_flag_complex(matrix: Matrix, max_dim: int, threshold: float | None) -> list[Matrix]:
    """Diagrams of GUDHI's simplex tree, into which only the edges that exist are inserted."""
    lengths = matrix.astype(np.float32)
    tree = gudhi.SimplexTree()
    for point in range(len(lengths)):
        tree.insert([point], 0)
    for one, other in zip(*np.triu_indices(len(lengths), 1), strict=True):
        length = lengths[one, other]
        if np.isfinite(length) and (threshold is None or length <= np.float32(threshold)):
            tree.insert([one, other], length)
    tree.expansion(max_dim + 1)
    tree.compute_persistence(homology_coeff_field=2, persistence_dim_max=True)
    diagrams = []
    for dimension in range(max_dim + 1):
        bars = np.reshape(tree.persistence_intervals_in_dimension(dimension), (-1, 2))
        bars = bars[bars[:, 1] > bars[:, 0]]
        diagrams.append(bars[np.lexsort((bars[:, 1], bars[:, 0]))])
    return diagrams


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    points=st.integers(1, 14),
    levels=st.sampled_from([2, 5, 1000]),
    missing=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
    threshold=st.sampled_from([None, 0.3, 0.7, 1.0, 5.0, math.inf]),
    max_dim=st.sampled_from([0, 1, 2]),
)
def test_an_infinite_entry_is_no_edge(
    seed: int, points: int, levels: int, missing: float, threshold: float | None, max_dim: int
) -> None:
    matrix = hard_matrix(seed, points, levels)
    edges = symmetric(np.random.default_rng(seed).random((points, points))) >= missing
    matrix[~edges & ~np.eye(points, dtype=bool)] = np.inf
    expected = of_flag_complex(matrix, max_dim, threshold)
    for engine in CHOICES:
        diagrams = persistence_diagrams(matrix, max_dim, threshold, engine)
        for bars, right in zip(diagrams, expected, strict=True):
            np.testing.assert_array_equal(bars, right)


@pytest.mark.parametrize("engine", CHOICES)
def test_a_loop_whose_inside_has_no_edges_never_dies(engine: str) -> None:
    square = np.array([[0, 1, np.inf, 1], [1, 0, 1, np.inf], [np.inf, 1, 0, 1], [1, np.inf, 1, 0]])
    h0, h1 = persistence_diagrams(square, engine=engine)
    np.testing.assert_array_equal(h0, [[0, 1]] * 3 + [[0, np.inf]])
    np.testing.assert_array_equal(h1, [[1, np.inf]])


INTEGERS = symmetric(np.random.default_rng(6).integers(1, 50, (20, 20)).astype(np.float64))
STRIDED = np.zeros((40, 40))
STRIDED[::2, ::2] = INTEGERS


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "matrix",
    [
        INTEGERS.astype(np.int64),
        INTEGERS.astype(np.uint8),
        INTEGERS.astype(np.float16),
        INTEGERS.astype(">f8"),
        INTEGERS.astype(np.longdouble),
        np.asfortranarray(INTEGERS),
        STRIDED[::2, ::2],
        pd.DataFrame(INTEGERS),
        INTEGERS.tolist(),
        torch.from_numpy(INTEGERS),
        np.ma.masked_less(INTEGERS, 0),
    ],
    ids=lambda matrix: f"{type(matrix).__name__}-{getattr(matrix, 'dtype', '')}",
)
def test_the_same_numbers_in_any_form_give_the_same_diagrams(matrix: Any, engine: str) -> None:
    expected = persistence_diagrams(INTEGERS.astype(np.float32), engine="ripser")
    for bars, right in zip(persistence_diagrams(matrix, engine=engine), expected, strict=True):
        np.testing.assert_array_equal(bars, right)


def test_booleans_are_lengths_of_0_and_1() -> None:
    h0, h1 = persistence_diagrams(~np.eye(5, dtype=bool))
    np.testing.assert_array_equal(h0, [[0, 1]] * 4 + [[0, np.inf]])
    assert len(h1) == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rounding_of_correlations_is_mended(engine: str, dtype: type[np.floating]) -> None:
    """Duplicated neurons have a correlation that rounds to above 1, and NumPy's are asymmetric."""
    faults = 0
    for seed in range(20):
        activations = np.random.default_rng(seed).standard_normal((12, 7)).astype(dtype)
        activations[3], activations[7] = 2 * activations[5], -activations[5]
        correlations = torch.corrcoef(torch.from_numpy(activations)).numpy()
        matrix = 1 - np.abs(correlations)
        faults += bool((matrix < 0).any() or not np.array_equal(matrix, matrix.T))
        exact = correlation_dissimilarity(activations)
        for bars, right in zip(
            persistence_diagrams(matrix, 0, engine=engine),
            persistence_diagrams(exact, 0, engine=engine),
            strict=True,
        ):
            # Points at distance 0 may be told apart by a rounding error.
            lives = np.sort(bars[:, 1])[::-1][: len(right)]
            np.testing.assert_allclose(lives, np.sort(right[:, 1])[::-1], atol=1e-6)
    assert faults


def test_two_points_at_the_same_place_up_to_rounding() -> None:
    assert persistence_diagrams(np.array([[0, -2e-16], [-2e-16, 0]]))[0].tolist() == [[0, np.inf]]


def test_the_callers_matrix_is_left_as_it_was() -> None:
    matrix = (1 - np.eye(3)).astype(np.float32)
    matrix[0, 1] = matrix[1, 0] = matrix[2, 2] = -1e-7
    before = matrix.copy()
    persistence_diagrams(matrix)
    np.testing.assert_array_equal(matrix, before)


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
        (spoilt(0, 1, np.nan), "points 0 and 1 is NaN: leave out"),
        (spoilt(1, 2, -1), "negative entries, down to -1 between points 1 and 2: .*np.clip"),
        (spoilt(0, 1, -2e-6), "negative entries, down to -2e-06 between points 0 and 1"),
        (1e-8 * spoilt(0, 1, -0.5), "negative entries, down to -5e-09"),
        (spoilt(0, 1, -np.inf), "negative entries, down to -inf"),
        (spoilt(2, 2, 0.5), "diagonal is not zero, but 0.5 at point 2: set it by"),
        (spoilt(2, 2, np.inf), "diagonal is not zero, but inf at point 2"),
        (spoilt(0, 1, 0.5), "not symmetric: from point 0 to 1 it is 0.5, and 1 back"),
        (spoilt(0, 1, np.inf), "not symmetric: from point 0 to 1 it is inf, and 1 back"),
        (1e39 * (1 - np.eye(3)), "points 0 and 1 is too large for float32: divide"),
        ([[0, 1], [1]], "cannot be read as an array"),
        ("matrix", "has type <U6"),
        (np.ma.masked_greater(1 - np.eye(3), 0.5), "has masked entries"),
        (csr_array(np.eye(3)), "has type object: pass a dense array"),
        (torch.ones(2, 2, requires_grad=True), "cannot be read as an array .*detach"),
    ],
)
def test_refuses_what_is_no_dissimilarity(matrix: Any, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        persistence_diagrams(matrix)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"engine": "riper"}, "Unknown engine 'riper': choose one of auto, fast, ripser, gudhi"),
        ({"engine": "fast", "max_dim": 4}, "fast engine computes H0 to H3, not H4: choose"),
        ({"engine": None}, "Unknown engine None: choose one of auto"),
        ({"engine": ["fast"]}, "Unknown engine .'fast'.: choose one of auto"),
        ({"max_dim": -1}, "max_dim is -1: give a whole number of at least 0"),
        ({"max_dim": 1.5}, "max_dim is 1.5"),
        ({"max_dim": "1"}, "max_dim is '1'"),
        ({"max_dim": True}, "max_dim is True"),
        ({"max_dim": None}, "max_dim is None"),
        ({"max_dim": math.inf}, "max_dim is inf"),
        ({"threshold": -0.1}, "threshold is -0.1: give a number of at least 0, or None"),
        ({"threshold": math.nan}, "threshold is nan"),
        ({"threshold": "2"}, "threshold is '2'"),
        ({"threshold": False}, "threshold is False"),
    ],
)
def test_refuses_bad_arguments(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        persistence_diagrams(1 - np.eye(3), **arguments)


@pytest.mark.parametrize("max_dim", [1.0, np.int64(1), np.uint8(1), np.float32(1), np.array(1)])
@pytest.mark.parametrize("threshold", [2, np.float32(2), np.int16(2), Fraction(2), np.array(2.0)])
def test_numbers_of_any_type_are_arguments(max_dim: Any, threshold: Any) -> None:
    matrix = polygon(9)
    for bars, right in zip(
        persistence_diagrams(matrix, max_dim, threshold),
        persistence_diagrams(matrix, 1, 2.0),
        strict=True,
    ):
        np.testing.assert_array_equal(bars, right)


def test_refuses_what_would_abort_ripser() -> None:
    with pytest.raises(GengapError, match="cannot number the simplices of 300 points"):
        persistence_diagrams(1 - np.eye(300), max_dim=12, engine="ripser")
