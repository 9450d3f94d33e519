"""The family of the functional graph against its parts."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.activations import node_activations
from gengap.datasets import Split
from gengap.measures import functional_graph
from gengap.measures.registry import members
from gengap.networks import build, dense
from gengap.topology import correlation_dissimilarity, persistence_diagrams


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 5)).astype(np.float32)
    return Split(inputs, rng.integers(0, 3, 60), 3)


def test_the_family_has_four_summaries_in_three_dimensions(monkeypatch) -> None:
    monkeypatch.setitem(members.__globals__["FAMILIES"], "fg", "gengap.measures.functional_graph")
    assert set(members("fg")) == {
        f"{name}.H{dim}" for name in ("life", "midlife", "peak", "entropy") for dim in range(3)
    }


def test_values_are_those_of_the_diagrams_of_all_units(train: Split) -> None:
    network = build(dense((5,), 3, width=20, depth=2))
    found = functional_graph.summaries(network, None, train, np.random.default_rng(0))
    graph = correlation_dissimilarity(node_activations(network, train.inputs).activations)
    for dimension, bars in enumerate(persistence_diagrams(graph, 2, 0.6, "ripser")):
        births, deaths = bars.astype(float).T / 2
        kept = np.isfinite(deaths) & (deaths - births >= 0.02)
        lives = (deaths - births)[kept]
        middle = ((births + deaths) / 2)[kept]
        assert found[f"life.H{dimension}"] == pytest.approx(lives.mean() if len(lives) else 0)
        assert found[f"midlife.H{dimension}"] == pytest.approx(middle.mean() if len(lives) else 0)
    assert found["life.H0"] > 0
    other = functional_graph.summaries(network, None, train, np.random.default_rng(9))
    assert other == pytest.approx(found, rel=1e-6)


def test_large_networks_are_sampled(train: Split, monkeypatch) -> None:
    monkeypatch.setattr(functional_graph, "NODES", 20)
    network = build(dense((5,), 3, width=20, depth=2))
    found = functional_graph.summaries(network, None, train, np.random.default_rng(0))
    again = functional_graph.summaries(network, None, train, np.random.default_rng(0))
    other = functional_graph.summaries(network, None, train, np.random.default_rng(1))
    assert found == again
    assert found != other
