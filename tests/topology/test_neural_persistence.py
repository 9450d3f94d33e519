"""Neural persistence by hand, and against the spanning trees of another library."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest

from gengap.errors import GengapError
from gengap.topology import neural_persistence


def by_networkx(weights: np.ndarray, largest: float) -> float:
    graph = nx.Graph()
    for (i, j), weight in np.ndenumerate(np.abs(weights) / largest):
        graph.add_edge(("output", i), ("input", j), weight=weight)
    tree = nx.maximum_spanning_edges(graph, data=True)
    lives = [1 - edge["weight"] for _, _, edge in tree]
    return math.sqrt(sum(life**2 for life in lives)) / math.sqrt(len(graph) - 1)


def test_by_hand() -> None:
    # The tree takes 1, 3/4 and 1/2; 1/4 would close a cycle.
    weights = np.array([[1.0, -0.5], [0.25, -0.75]])
    expected = math.sqrt((0.25**2 + 0.5**2) / 3)
    assert neural_persistence(weights, 1.0) == pytest.approx(expected)
    assert neural_persistence(2 * weights, 2.0) == pytest.approx(expected)
    assert neural_persistence(weights, 2.0) == pytest.approx(
        math.sqrt((0.5**2 + 0.625**2 + 0.75**2) / 3)
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (5, 7), (30, 4)])
def test_against_networkx(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(shape).astype(np.float32)
    weights[rng.random(shape) < 0.3] = 0
    weights[0, 0] = 1
    largest = float(np.abs(weights).max())
    expected = by_networkx(weights, largest)
    assert neural_persistence(weights, largest) == pytest.approx(expected, rel=1e-6)
    permuted = weights[rng.permutation(shape[0])][:, rng.permutation(shape[1])]
    assert neural_persistence(permuted, largest) == pytest.approx(expected, rel=1e-6)
    assert neural_persistence(weights.T, largest) == pytest.approx(expected, rel=1e-6)


def test_bounds() -> None:
    assert neural_persistence(np.ones((3, 4)), 1.0) == 0
    assert neural_persistence(np.zeros((3, 4)), 1.0) == 1


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(GengapError, match=r"shape \(3,\): give \(outputs, inputs\)"):
        neural_persistence(np.ones(3), 1.0)
    for largest in (0.5, 0.0, math.nan):
        with pytest.raises(GengapError, match="a layer has one of 1: give the largest"):
            neural_persistence(np.ones((2, 2)), largest)
