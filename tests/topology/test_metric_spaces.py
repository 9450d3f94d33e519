"""Metric spaces against spanning trees, closed forms, and spaces of known dimension."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from gengap.errors import GengapError
from gengap.topology import (
    lifetime_sum,
    magnitude,
    persistence_diagrams,
    persistent_homology_dimension,
    two_nn,
)


def distances_of(points: np.ndarray) -> np.ndarray:
    return np.asarray(squareform(pdist(points)))


def cube(dimension: int, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, dimension))


def sphere(count: int) -> np.ndarray:
    points = np.random.default_rng(1).standard_normal((count, 3))
    scaled: np.ndarray = points / np.linalg.norm(points, axis=1, keepdims=True)
    return scaled


def test_lifetime_sums_of_points_on_a_line() -> None:
    distances = distances_of(np.array([[0.0], [1.0], [3.0], [7.0]]))
    assert lifetime_sum(distances) == 7
    assert lifetime_sum(distances, 2) == 1 + 4 + 16
    assert lifetime_sum([[0]]) == 0


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_lifetime_sums_are_those_of_a_spanning_tree_and_of_h0(power: float) -> None:
    points = cube(3, 40)
    points[7] = points[3]
    distances = distances_of(points)
    graph = nx.Graph()
    graph.add_weighted_edges_from(
        (i, j, distances[i, j]) for i in range(len(points)) for j in range(i)
    )
    tree = nx.minimum_spanning_edges(graph, data=True)
    expected = sum(edge["weight"] ** power for _, _, edge in tree)
    assert lifetime_sum(distances, power) == pytest.approx(expected, rel=1e-12)
    deaths = persistence_diagrams(distances, 0)[0][:, 1].astype(float)
    assert lifetime_sum(distances, power) == pytest.approx(
        (deaths[np.isfinite(deaths)] ** power).sum(), rel=1e-6
    )


@pytest.mark.parametrize("distance", [0.01, 1.0, 5.0])
def test_magnitude_of_two_points(distance: float) -> None:
    expected = 1 + math.tanh(distance / 2)
    assert magnitude([[0, distance], [distance, 0]]) == pytest.approx(expected, rel=1e-12)


def test_magnitude_of_points_at_equal_distances_and_of_points_on_a_line() -> None:
    count, distance = 7, 0.8
    equal = distance * (1 - np.eye(count))
    expected = count / (1 + (count - 1) * math.exp(-distance))
    assert magnitude(equal) == pytest.approx(expected)
    places = np.array([0.0, 0.5, 0.7, 3.0])
    # Leinster 2013: on a line, 1 + the sum of tanh of half the gaps.
    assert magnitude(distances_of(places[:, None])) == pytest.approx(
        1 + np.tanh(np.diff(places) / 2).sum()
    )


def test_magnitude_counts_points_in_one_place_once_and_grows_with_the_scale() -> None:
    points = cube(2, 30)
    distances = distances_of(points)
    twice = distances_of(np.concatenate([points, points]))
    assert magnitude(twice) == pytest.approx(magnitude(distances))
    values = [magnitude(scale * distances) for scale in (0.1, 1.0, 10.0, 1e5)]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(30)
    assert magnitude(distances, positive=True) >= magnitude(distances)
    inverse = np.linalg.inv(np.exp(-distances)).sum(axis=1)
    assert magnitude(distances, positive=True) == pytest.approx(inverse[inverse > 0].sum())


@pytest.mark.parametrize(
    ("points", "dimension", "tolerance"),
    [
        (cube(1, 2000), 1, 0.06),
        (cube(2, 2000), 2, 0.06),
        (cube(5, 2000), 5, 0.1),
        (sphere(2000), 2, 0.06),
        (np.pad(cube(2, 2000), ((0, 0), (0, 8))) @ np.linalg.qr(cube(10, 10))[0], 2, 0.06),
    ],
)
def test_two_nn_finds_the_dimension_of_known_manifolds(
    points: np.ndarray, dimension: int, tolerance: float
) -> None:
    assert two_nn(distances_of(points)) == pytest.approx(dimension, rel=tolerance)


def test_two_nn_is_that_of_scikit_dimension() -> None:
    skdim = pytest.importorskip("skdim", reason="scikit-dimension is not installed")
    for points in (cube(3, 150), np.random.default_rng(3).standard_normal((200, 40))):
        expected = skdim.id.TwoNN().fit(points).dimension_
        assert two_nn(distances_of(points)) == pytest.approx(expected, rel=1e-9)


def test_two_nn_by_hand() -> None:
    # Twenty points in pairs at distance 1, a pair from the next at 2, 4, 8, ...
    gaps = np.array([1.0 if i % 2 == 0 else 2.0 + i for i in range(19)])
    places = np.concatenate([[0.0], np.cumsum(gaps)])
    distances = distances_of(places[:, None])
    ratios = []
    for row in distances:
        first, second = np.sort(row)[1:3]
        ratios.append(second / first)
    logarithms = np.log(sorted(ratios)[:18])
    expected = [-math.log(1 - i / 20) for i in range(1, 19)]
    slope = np.linalg.lstsq(logarithms[:, None], np.array(expected), rcond=None)[0][0]
    assert two_nn(distances) == pytest.approx(slope)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_scale_changes_no_dimension_and_neither_do_repeated_points(scale: float) -> None:
    points = cube(3, 120)
    repeated = np.concatenate([points, points[:20]])
    expected = two_nn(distances_of(points))
    assert two_nn(scale * distances_of(repeated)) == pytest.approx(expected)
    one, other = (
        persistent_homology_dimension(distances, np.random.default_rng(0))
        for distances in (distances_of(points), scale * distances_of(repeated))
    )
    assert one == pytest.approx(other)


@pytest.mark.parametrize(
    ("points", "dimension", "tolerance"),
    [
        (cube(1, 800), 1, 0.05),
        (cube(2, 800), 2, 0.1),
        (cube(3, 800), 3, 0.15),
        (sphere(800), 2, 0.1),
    ],
)
def test_persistent_homology_dimension_of_known_manifolds(
    points: np.ndarray, dimension: int, tolerance: float
) -> None:
    distances = distances_of(points)
    for power in (0.5, 1.0) if dimension > 1 else (0.5,):
        value = persistent_homology_dimension(distances, np.random.default_rng(0), power=power)
        assert value == pytest.approx(dimension, rel=tolerance)


def test_persistent_homology_dimension_of_equal_distances_has_no_estimate() -> None:
    # E_1 of n points at equal distances is n - 1, which grows faster than n on a logarithmic scale.
    with pytest.raises(GengapError, match=r"grow with the power 1\.\d+ .* give more points"):
        persistent_homology_dimension(1 - np.eye(50), np.random.default_rng(0))


def test_bad_distances_are_refused() -> None:
    rng = np.random.default_rng(0)
    few = distances_of(cube(2, 9))
    for estimate in (two_nn, lambda matrix: persistent_homology_dimension(matrix, rng)):
        with pytest.raises(GengapError, match="There are 9 distinct points"):
            estimate(few)
    with pytest.raises(GengapError, match="two nearest neighbours at the same distance"):
        two_nn(1 - np.eye(12))
    for wrong in ([[0, -1], [-1, 0]], [[0, 1], [2, 0]], [[1, 1], [1, 0]], [[0, np.nan]] * 2):
        with pytest.raises(GengapError, match="none of distances"):
            lifetime_sum(wrong)
    with pytest.raises(GengapError, match="no points"):
        magnitude(np.empty((0, 0)))
