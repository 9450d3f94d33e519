"""Graphs per sample, discriminative nodes, partitions, and samples of nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gengap.errors import GengapError
from gengap.topology import (
    Budget,
    correlation_dissimilarity,
    discriminative_nodes,
    graph_summaries,
    per_sample_graph,
    persistence_diagrams,
    sampled_summaries,
)
from gengap.topology.budget import OverBudgetError, check_matrix
from gengap.topology.partitions import (
    by_structure,
    communities,
    cut,
    equal_chunks,
    partition_divergences,
    partition_means,
)


def clustered(seed: int, groups: int, size: int, noise: float = 0.1) -> np.ndarray:
    """Activations (groups * size, 80): the nodes of a group follow one signal."""
    rng = np.random.default_rng(seed)
    signals = np.repeat(rng.standard_normal((groups, 80)), size, axis=0)
    return signals + noise * rng.standard_normal(signals.shape)


def test_per_sample_by_hand() -> None:
    values = np.array([1.0, 3.0, 5.0])
    alike = per_sample_graph(values, join="alike")
    np.testing.assert_array_equal(alike, [[0, 0.5, 1], [0.5, 0, 0.5], [1, 0.5, 0]])
    np.testing.assert_array_equal(
        per_sample_graph(values), [[0, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0]]
    )
    np.testing.assert_array_equal(per_sample_graph(np.ones(3)), 1 - np.eye(3))


def test_nodes_on_a_line_have_no_loops_but_joined_when_unlike_they_have() -> None:
    rng = np.random.default_rng(0)
    values = np.maximum(rng.standard_normal(40), 0)
    alike = persistence_diagrams(per_sample_graph(values, join="alike"), 2, engine="gudhi")
    assert [len(bars) for bars in alike[1:]] == [0, 0]
    unlike = persistence_diagrams(per_sample_graph(np.sort(rng.random(40))), 1)
    assert len(unlike[1]) > 0


def test_discriminative_nodes_are_those_that_differ() -> None:
    rng = np.random.default_rng(1)
    activations = rng.standard_normal((40, 300))
    right = rng.random(300) < 0.5
    activations[[7, 30]] += 3 * right
    np.testing.assert_array_equal(discriminative_nodes(activations, right, 0.05), [7, 30])
    assert len(discriminative_nodes(activations, right)) == 4


def test_chunks_and_blocks_cover_every_node_once() -> None:
    layers = [10, 0, 3, 25]
    for parts in (equal_chunks(layers, 5), by_structure(layers)):
        np.testing.assert_array_equal(np.concatenate(parts), np.arange(38))
    assert [len(part) for part in by_structure(layers)] == [10, 3, 25]
    assert [len(part) for part in by_structure([*layers, 4], together=2)] == [10, 28, 4]
    assert [len(part) for part in equal_chunks(layers, 5)] == [5, 5, 3, 5, 5, 5, 5, 5]


def test_communities_are_the_groups_that_were_made() -> None:
    activations = np.concatenate([clustered(2, 4, 8), np.zeros((3, 80))])
    parts = communities(correlation_dissimilarity(activations), np.random.default_rng(0))
    assert [part.tolist() for part in parts[:-1]] == [
        list(range(8 * group, 8 * group + 8)) for group in range(4)
    ]
    assert parts[-1].tolist() == [32, 33, 34]
    alone = communities(1 - np.eye(3), np.random.default_rng(0))
    assert [part.tolist() for part in alone] == [[0, 1, 2]]


def test_means_of_parts_are_their_signals() -> None:
    activations = clustered(3, 3, 50, noise=0.01)
    parts = by_structure([50, 50, 50])
    expected = 1 - np.abs(np.corrcoef([activations[part].mean(0) for part in parts]))
    np.testing.assert_allclose(partition_means(activations, parts), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["kl", "js"])
def test_divergences_between_distributions_of_correlations(kind: str) -> None:
    """Two parts of strongly correlated nodes are alike, a part of independent ones is not."""
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import entropy

    rng = np.random.default_rng(4)
    activations = np.concatenate([clustered(4, 2, 12), rng.standard_normal((12, 80))])
    parts = [*by_structure([12, 12, 12]), np.array([3])]
    divergences = partition_divergences(activations, parts, kind)
    assert divergences.shape == (3, 3)
    np.testing.assert_array_equal(divergences, divergences.T)
    assert divergences[0, 1] < 0.1 < 0.5 < divergences[0, 2]
    p = []
    for part in parts[:3]:
        within = np.abs(np.corrcoef(activations[part]))[np.triu_indices(12, 1)]
        shares = np.maximum(np.histogram(within, 10, (0, 1))[0] / len(within), 1e-5)
        p.append(shares / shares.sum())
    if kind == "js":
        expected = np.array([[jensenshannon(a, b, base=2) ** 2 for a in p] for b in p])
    else:
        expected = np.array([[(entropy(a, b) + entropy(b, a)) / 2 for a in p] for b in p])
        expected /= expected.max()
    np.testing.assert_allclose(divergences, expected, atol=1e-6)
    # It is a graph like any other.
    assert len(persistence_diagrams(divergences, 1)[0]) > 0


@pytest.mark.parametrize("eps_max", [0.3, 0.2])
def test_summaries_are_those_of_the_published_scale(eps_max: float) -> None:
    activations = clustered(5, 6, 6, noise=0.8)
    summaries = graph_summaries(activations, max_dim=1, eps_max=eps_max)
    graph = correlation_dissimilarity(activations)
    assert ((graph > 2 * 0.2) & (graph < 2 * 0.3)).any()
    h0 = persistence_diagrams(graph, 1, threshold=2 * eps_max)[0] / 2
    h0 = h0[np.isfinite(h0[:, 1]) & (h0[:, 1] >= 0.02)]
    assert summaries["life.H0"] == pytest.approx(h0[:, 1].mean(), rel=1e-6)
    assert summaries["midlife.H0"] == pytest.approx(h0[:, 1].mean() / 2, rel=1e-6)
    assert summaries["count.H0"] == pytest.approx(len(h0) / 36)
    assert set(summaries) == {
        f"{name.split('.')[0]}.H{dim}" for name in summaries for dim in (0, 1)
    }


def test_samples_of_nodes_enclose_their_mean_and_shrink_to_a_point_on_all_nodes() -> None:
    activations = clustered(6, 8, 6, noise=0.6)
    table = sampled_summaries(activations, 30, 6, np.random.default_rng(0), max_dim=1)
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    row = table.set_index("measure").loc["life.H0"]
    rng = np.random.default_rng(0)
    lives = [
        graph_summaries(activations[np.sort(rng.choice(48, 30, replace=False))], 1)["life.H0"]
        for _ in range(6)
    ]
    interval = stats.t.interval(0.95, 5, loc=np.mean(lives), scale=stats.sem(lives))
    assert (row["low"], row["high"]) == pytest.approx(interval)
    assert row["low"] < row["high"]
    whole = sampled_summaries(activations, 48, 3, np.random.default_rng(0), max_dim=1)
    expected = graph_summaries(activations, max_dim=1)
    np.testing.assert_allclose(whole["value"], [expected[name] for name in whole["measure"]])
    np.testing.assert_allclose(whole["low"], whole["high"])
    again = sampled_summaries(activations, 30, 6, np.random.default_rng(0), max_dim=1)
    assert table.equals(again)


def test_a_matrix_over_the_budget_is_refused_before_it_is_made() -> None:
    """Rows that share memory: a million nodes would have eight terabytes of pairs."""
    many = np.broadcast_to(np.arange(4.0), (1_000_000, 4))
    parts = [np.arange(500_000), np.arange(500_000, 1_000_000)]
    alone = [np.array([place]) for place in range(1000)]
    small = Budget(seconds=300, gibibytes=1e-3)
    for call, sentence in (
        (lambda: graph_summaries(many, 1), "1000000 nodes on 4 inputs"),
        (lambda: partition_divergences(many, parts), "500000 nodes on 4 inputs"),
        (lambda: partition_means(many[:1000], alone, small), "1000 nodes"),
        (lambda: check_matrix(2000, 1000, Budget(seconds=0.01)), "raise the budget"),
    ):
        with pytest.raises(OverBudgetError, match=sentence):
            call()
    check_matrix(2000, 1000)


def test_bad_input_is_refused() -> None:
    graph = np.zeros((3, 3))
    rng = np.random.default_rng(0)
    for call, sentence in (
        (lambda: per_sample_graph(np.zeros((2, 2))), "vector of two or more"),
        (lambda: per_sample_graph(np.array([0.0, np.nan])), "not finite"),
        (lambda: per_sample_graph(np.zeros(3), join="near"), "Unknown join 'near'"),
        (lambda: discriminative_nodes(graph, np.ones(3, bool)), "All predictions are right"),
        (lambda: discriminative_nodes(graph, np.zeros(3, bool)), "All predictions are wrong"),
        (lambda: discriminative_nodes(graph, np.ones(3, bool), 0), "share is 0"),
        (lambda: equal_chunks([3], 0), "size is 0"),
        (lambda: by_structure([3], 0), "together is 0"),
        (lambda: partition_divergences(graph, [np.arange(3)], "l2"), "Unknown divergence 'l2'"),
        (lambda: partition_divergences(graph, [np.arange(3)]), "Fewer than two parts"),
        (lambda: partition_means(graph, []), "no parts"),
        (lambda: partition_means(graph, [np.array([5])]), "beyond the 3"),
        (lambda: sampled_summaries(graph, 4, 2, rng), "nodes is 4"),
        (lambda: sampled_summaries(graph, 2, 1, rng), "draws is 1"),
    ):
        with pytest.raises(GengapError, match=sentence):
            call()


@pytest.mark.parametrize("form", [lambda a: a.tolist(), pd.DataFrame, lambda a: a.astype(np.int16)])
def test_activations_in_any_form_give_the_same_graphs(form: Callable[[Any], Any]) -> None:
    activations = np.round(100 * clustered(7, 4, 5, noise=0.5))
    right = np.arange(activations.shape[1]) % 2 == 0
    parts = [np.arange(0, 10), np.arange(10, 20)]
    given = form(activations)
    assert graph_summaries(given, 1) == graph_summaries(activations, 1)
    np.testing.assert_array_equal(
        partition_means(given, parts), partition_means(activations, parts)
    )
    np.testing.assert_array_equal(
        partition_divergences(given, parts), partition_divergences(activations, parts)
    )
    np.testing.assert_array_equal(
        discriminative_nodes(given, right), discriminative_nodes(activations, right)
    )


def test_a_graph_is_cut_into_a_given_number_of_parts() -> None:
    """Four planted groups of 10 nodes, in any order, with few edges between them, or none."""
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(4), 10))
    apart = np.where(groups[:, None] == groups, 0.1, 0.9)
    np.fill_diagonal(apart, 0)
    strays = rng.random((40, 40)) < 0.03
    lengths = np.where(strays | strays.T, 0.4, apart)
    np.fill_diagonal(lengths, 0)
    for graph in (lengths, apart):
        parts = cut(graph, 4)
        assert [len(set(groups[part])) for part in parts] == [1] * 4
        assert [len(part) for part in parts] == [10] * 4
    # Nodes without any edge are divided as well.
    for count in (1, 3, 7):
        sizes = [len(part) for part in cut(np.ones((40, 40)) - np.eye(40), count)]
        assert len(sizes) == count
        assert sum(sizes) == 40
        assert max(sizes) - min(sizes) <= 1
    with pytest.raises(GengapError, match="40 nodes are to be cut into 41 parts"):
        cut(lengths, 41)
