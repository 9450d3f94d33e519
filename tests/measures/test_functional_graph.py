"""The family of the functional graph against its parts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gengap.activations import node_activations
from gengap.datasets import Split
from gengap.evaluation import evaluate
from gengap.measures import Subject, compute, functional_graph, tidy, to_frame
from gengap.networks import build, dense
from gengap.topology import correlation_dissimilarity, persistence_diagrams


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 5)).astype(np.float32)
    return Split(inputs, rng.integers(0, 3, 60), 3)


def test_the_family_has_four_summaries_in_three_dimensions_and_the_law(train: Split) -> None:
    network = build(dense((5,), 3, width=20, depth=2))
    found = compute("functional_graph", Subject(network, None, train, np.random.default_rng(0)))
    assert set(found) == {"life_and_midlife.H1"} | {
        f"{name}.H{dim}" for name in ("life", "midlife", "peak", "entropy") for dim in range(3)
    }
    both = found["life_and_midlife.H1"]
    assert both == {"life": found["life.H1"], "midlife": found["midlife.H1"]}
    assert np.asarray(found["life.H1"]) > 0


def test_the_leaderboard_cross_validates_the_law() -> None:
    """A gap that is the law exactly is predicted by both together, by neither alone."""
    rng = np.random.default_rng(0)
    names = [str(number) for number in range(16)]
    values = pd.DataFrame(rng.random((16, 2)), index=names, columns=["life", "midlife"])
    rows = [
        tidy(to_frame(found), "made", name, "functional_graph")
        for name, (life, midlife) in zip(names, values.to_numpy(), strict=True)
        for found in [
            {
                "life.H1": life,
                "midlife.H1": midlife,
                functional_graph.LAW: {"life": life, "midlife": midlife},
            }
        ]
    ]
    board = evaluate(
        pd.concat(rows),
        0.1 + 0.5 * values["life"] - 0.4 * values["midlife"],
        pd.DataFrame({"width": np.tile([1, 2], 8)}, index=names),
        training_accuracy=pd.Series(1.0, index=names),
        resamples=10,
        permutations=10,
    ).leaderboard.set_index("measure")
    law = board.loc["life_and_midlife.H1"]
    assert (law["kind"], law["components"], law["rank"]) == ("vector", 2, 1)
    assert law["r2_mean"] == pytest.approx(1)
    assert (board.loc[["life.H1", "midlife.H1"], "r2_mean"] < 0.9).all()


def test_values_are_those_of_the_diagrams_of_all_units(train: Split) -> None:
    network = build(dense((5,), 3, width=20, depth=2))
    found = functional_graph.summaries(Subject(network, None, train, np.random.default_rng(0)))
    graph = correlation_dissimilarity(node_activations(network, train.inputs).activations)
    for dimension, bars in enumerate(persistence_diagrams(graph, 2, 0.6, "ripser")):
        births, deaths = bars.astype(float).T / 2
        kept = np.isfinite(deaths) & (deaths - births >= 0.02)
        lives = (deaths - births)[kept]
        middle = ((births + deaths) / 2)[kept]
        assert found[f"life.H{dimension}"] == pytest.approx(lives.mean() if len(lives) else 0)
        assert found[f"midlife.H{dimension}"] == pytest.approx(middle.mean() if len(lives) else 0)
    assert np.asarray(found["life.H0"]) > 0
    other = functional_graph.summaries(Subject(network, None, train, np.random.default_rng(9)))
    for name in functional_graph.NAMES:
        assert other[name] == pytest.approx(found[name], rel=1e-6)


def test_large_networks_are_sampled(train: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functional_graph, "NODES", 20)
    network = build(dense((5,), 3, width=20, depth=2))
    found = functional_graph.summaries(Subject(network, None, train, np.random.default_rng(0)))
    again = functional_graph.summaries(Subject(network, None, train, np.random.default_rng(0)))
    other = functional_graph.summaries(Subject(network, None, train, np.random.default_rng(1)))
    assert found == again
    assert found != other
