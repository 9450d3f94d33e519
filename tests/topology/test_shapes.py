"""Known shapes in every dimension, our engine against ripser, and the budget."""

from __future__ import annotations

import subprocess
import sys
from math import comb

import numpy as np
import pytest

from gengap.errors import GengapError
from gengap.topology import (
    Budget,
    affordable_diagrams,
    correlation_dissimilarity,
    persistence_diagrams,
)
from gengap.topology.budget import Cost, estimate


def distances(points: np.ndarray) -> np.ndarray:
    matrix = np.linalg.norm(points[:, None] - points[None], axis=-1)
    symmetric: np.ndarray = (matrix + matrix.T) / 2
    return symmetric


def fibonacci_sphere(count: int) -> np.ndarray:
    height = 1 - 2 * (np.arange(count) + 0.5) / count
    angle = np.pi * (1 + 5**0.5) * np.arange(count)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


def circle(count: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def torus(side: int) -> np.ndarray:
    """A product of two regular polygons, as far apart as they are in the worse of the two.

    Complexes of this product are products of complexes, so its bars are intersections of theirs.
    """
    around = distances(circle(side))
    product: np.ndarray = np.maximum(
        np.kron(around, np.ones((side, side))), np.tile(around, (side, side))
    )
    return product


def cross_polytope(dimension: int) -> np.ndarray:
    """2 * (dimension + 1) points whose clique complex is the sphere of that dimension."""
    corners = np.concatenate([np.eye(dimension + 1), -np.eye(dimension + 1)])
    return distances(corners)


def long_bars(diagrams: list[np.ndarray], length: float) -> list[int]:
    return [int(((bars[:, 1] - bars[:, 0]) > length).sum()) for bars in diagrams]


@pytest.mark.parametrize(
    ("matrix", "length", "betti"),
    [
        (distances(circle(40)), 0.5, [1, 1, 0]),
        (distances(fibonacci_sphere(50)), 0.5, [1, 0, 1]),
        (torus(9), 0.9, [1, 2, 1]),
    ],
    ids=["circle", "sphere", "torus"],
)
def test_manifolds_have_their_betti_numbers(
    matrix: np.ndarray, length: float, betti: list[int]
) -> None:
    diagrams = affordable_diagrams(matrix, 2)
    assert long_bars(diagrams, length) == betti


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("copies", [1, 3])
def test_disjoint_spheres_of_each_dimension(dimension: int, copies: int) -> None:
    """Clusters far apart: each is a sphere of the dimension, alive from sqrt(2) to 2."""
    one = cross_polytope(dimension)
    matrix = np.full((copies * len(one), copies * len(one)), 9.0)
    for copy in range(copies):
        block = slice(copy * len(one), (copy + 1) * len(one))
        matrix[block, block] = one
    diagrams = affordable_diagrams(matrix, dimension, 3.0)
    assert len(diagrams) == dimension + 1
    assert int(np.isinf(diagrams[0][:, 1]).sum()) == copies
    np.testing.assert_allclose(diagrams[dimension], [[2**0.5, 2.0]] * copies, rtol=1e-6)
    for between in diagrams[1:dimension]:
        assert len(between) == 0


@pytest.mark.parametrize("max_dim", [2, 3])
@pytest.mark.parametrize("threshold", [0.4, None])
def test_affordable_diagrams_agree_with_ripser(max_dim: int, threshold: float | None) -> None:
    rng = np.random.default_rng(max_dim)
    points = np.maximum(rng.standard_normal((26, 6)) @ rng.standard_normal((6, 40)), 0)
    matrix = 1 - np.abs(np.corrcoef(points))
    matrix = np.clip((matrix + matrix.T) / 2, 0, None)
    np.fill_diagonal(matrix, 0)
    ours = affordable_diagrams(matrix, max_dim, threshold)
    for one, other in zip(
        ours, persistence_diagrams(matrix, max_dim, threshold, "ripser"), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("max_dim", [0, 1, 2, 3])
def test_the_estimate_counts_the_simplices_of_a_full_complex(max_dim: int) -> None:
    matrix = 1 - np.eye(30)
    assert estimate(matrix, max_dim).simplices == comb(30, max(max_dim, 1) + 1)
    assert estimate(matrix, max_dim, 0.5).simplices == 30


def test_the_estimate_is_near_a_count_of_all_triangles_and_tetrahedra() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((60, 3))
    matrix = distances(points)
    joined = (matrix <= 0.4) & ~np.eye(60, dtype=bool)
    triples = np.argwhere(joined)
    triangles = sum(int((joined[i] & joined[j]).sum()) for i, j in triples) / 6
    adjacency = joined.astype(float)
    assert triangles == pytest.approx(np.trace(adjacency @ adjacency @ adjacency) / 6)
    assert estimate(matrix, 2, 0.4).simplices == pytest.approx(triangles, rel=0.1)
    tetrahedra = 0
    for i, j in triples:
        lune = np.flatnonzero(joined[i] & joined[j])
        tetrahedra += int(joined[np.ix_(lune, lune)].sum()) // 2
    assert estimate(matrix, 3, 0.4).simplices == pytest.approx(tetrahedra / 12, rel=0.15)


H3 = """
import sys, time, numpy as np
from pathlib import Path
from gengap.topology import correlation_dissimilarity, persistence_diagrams
neurons = int(sys.argv[1])
def resident(key):
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(key))
rng = np.random.default_rng(neurons)
persistence_diagrams(correlation_dissimilarity(rng.standard_normal((12, 40))), 3)
matrix = correlation_dissimilarity(rng.standard_normal((neurons, 1000)))
Path("/proc/self/clear_refs").write_text("5")
before, start = resident("VmRSS"), time.process_time()
persistence_diagrams(matrix, 3)
print(time.process_time() - start, resident("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("neurons", [40, 70, pytest.param(100, marks=pytest.mark.slow)])
def test_h3_of_independent_neurons_takes_no_more_than_its_estimate(neurons: int) -> None:
    """They are the dearest correlation graphs: those of trained networks reduce far faster."""
    command = [sys.executable, "-c", H3, str(neurons)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory = map(float, run.stdout.split())
    rng = np.random.default_rng(neurons)
    rng.standard_normal((12, 40))
    cost = estimate(correlation_dissimilarity(rng.standard_normal((neurons, 1000))), 3)
    assert cost.seconds / 50 < seconds < cost.seconds
    assert memory < 2**30 * cost.gibibytes


@pytest.mark.parametrize("max_dim", [1, 2, 3])
def test_infinite_entries_are_not_counted_as_edges(max_dim: int) -> None:
    """Two complete graphs on ten nodes, without an edge in between."""
    matrix = np.kron(np.where(np.eye(2), 1, np.inf), np.ones((10, 10)))
    np.fill_diagonal(matrix, 0)
    assert estimate(matrix, max_dim).simplices == 2 * comb(10, max_dim + 1)
    diagrams = affordable_diagrams(matrix.tolist(), max_dim)
    np.testing.assert_array_equal(diagrams[0], [[0, 1]] * 18 + [[0, np.inf]] * 2)


def test_what_exceeds_the_budget_is_refused_before_it_is_computed() -> None:
    huge = 1 - np.eye(3000)
    with pytest.raises(GengapError, match=r"H0 to H2 of 3000 nodes would take about \d+ CPU sec"):
        affordable_diagrams(huge, 2)
    small = 1 - np.eye(20)
    with pytest.raises(GengapError, match="budget of 1e-06 seconds"):
        affordable_diagrams(small, 2, budget=Budget(seconds=1e-6))
    with pytest.raises(GengapError, match="1e-09 GiB: sample fewer nodes"):
        affordable_diagrams(small, 2, budget=Budget(gibibytes=1e-9))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(GengapError, match="budget is 0 seconds"):
        Budget(seconds=0)
    with pytest.raises(GengapError, match="max_dim is 4"):
        estimate(1 - np.eye(3), 4)
    assert estimate(np.empty((0, 0)), 2) == Cost(0, 0.0, 0.0)
