"""BrAIn's graphs and their label variation against scikit-learn and networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from sklearn.neighbors import kneighbors_graph
from tests.measures.pgdl.conftest import Builder, Data, value
from torch import nn

from gengap.datasets import Split
from gengap.measures import Subject
from gengap.measures.pgdl.drawing import draw_balanced
from gengap.measures.pgdl.smoothness import brain, inner_products, neighbours, variation
from gengap.networks import convolutional, penultimate


@pytest.mark.parametrize("count", [1, 4, 80])
def test_neighbours_are_scikit_learns(count: int) -> None:
    features = np.random.default_rng(0).normal(size=(100, 8))
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    found = neighbours(inner_products([torch.from_numpy(features)]), count)
    np.testing.assert_array_equal(found.numpy(), kneighbors_graph(units, count).toarray())


def test_neighbours_tie_and_are_at_most_all_others() -> None:
    constant = torch.ones(5, 3)
    everyone = 1 - torch.eye(5, dtype=torch.float64)
    assert torch.equal(neighbours(inner_products([constant]), 1), everyone)
    assert torch.equal(neighbours(inner_products([torch.zeros(5, 3)]), 1), everyone)
    rng = torch.Generator().manual_seed(0)
    assert torch.equal(neighbours(inner_products([torch.randn(5, 3, generator=rng)]), 80), everyone)


def test_neighbours_do_not_see_the_scale_of_features() -> None:
    features = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
    scales = torch.rand(40, 1, generator=torch.Generator().manual_seed(2)) + 0.1
    assert torch.equal(
        neighbours(inner_products([features]), 3),
        neighbours(inner_products([features * scales]), 3),
    )


def test_variation_is_that_of_networkx_laplacian() -> None:
    graph = nx.gnp_random_graph(30, 0.3, seed=1)
    assert min(degree for _, degree in graph.degree) > 0
    signal = np.random.default_rng(0).random((30, 4))
    laplacian = nx.normalized_laplacian_matrix(graph).toarray()
    expected = np.trace(signal.T @ laplacian @ signal) / (4 * 30)
    adjacency = torch.from_numpy(nx.to_numpy_array(graph))
    assert variation(adjacency, torch.from_numpy(signal)) == pytest.approx(expected, rel=1e-10)


def test_variation_on_a_directed_graph_worked_by_hand() -> None:
    # 0 -> 1 -> 2 -> 0, labels a, a, b: one edge of three keeps the label, (3 - 1) / 12.
    adjacency = torch.tensor([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=torch.float64)
    signal = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    assert variation(adjacency, signal) == pytest.approx(2 / 12)


def test_brain_against_dense_matrices(seeded: Builder, images: Data) -> None:
    network = seeded(convolutional((8, 8, 3), 3, width=4, depth=2))
    train = images(90)
    # One draw, from a stream that is known; ``compute`` takes the mean of several.
    measured = brain(Subject(network, None, train, np.random.default_rng(0)))
    rng = np.random.default_rng(0)
    chosen = np.concatenate([rng.permutation(np.flatnonzero(train.labels == c)) for c in range(3)])
    shares, partners = rng.beta(2, 2, 90).astype(np.float32), rng.permutation(90)
    inputs, signal = train.inputs[chosen], np.eye(3)[train.labels[chosen]]
    weights = shares[:, None, None, None]
    mixed = weights * inputs + (1 - weights) * inputs[partners]
    targets = shares[:, None] * signal + (1 - shares[:, None]) * signal[partners]
    with torch.no_grad():
        features = penultimate(network, torch.from_numpy(mixed)).double().numpy()
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    for name, count in (("brain", 1), ("brain_80_neighbours", 80)):
        laplacian = np.eye(90) - kneighbors_graph(units, count).toarray() / count
        expected = np.trace(targets.T @ laplacian @ targets) / (4 * 90)
        assert measured[name] == pytest.approx(expected, rel=1e-5)


def test_separated_classes_do_not_vary_and_random_labels_do(layered: Builder) -> None:
    network = layered(np.eye(3).tolist())
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 40)
    clusters = np.eye(3)[labels] + 0.05 * rng.random((120, 3))
    separated = Split(clusters.astype(np.float32), labels, 3)
    random = Split(separated.inputs, rng.permutation(labels), 3)
    directed = neighbours(inner_products([torch.from_numpy(clusters)]), 1)
    assert variation(directed, torch.from_numpy(np.eye(3)[labels])) == 0.0
    for name in ("label_variation", "brain", "brain_80_neighbours"):
        assert value(name, network, separated) < value(name, network, random)
    # The undirected graph's Laplacian is 0 on a class only where all have equally many neighbours.
    assert value("label_variation", network, separated) < 0.02
    assert value("label_variation", network, random) > 0.1


def test_label_variation_is_the_largest_of_the_last_layers(seeded: Builder, images: Data) -> None:
    network = seeded(convolutional((8, 8, 3), 3, width=4, depth=2))
    train = images(60)
    inputs, signal = torch.from_numpy(train.inputs), np.eye(3)[train.labels]
    with torch.no_grad():
        second = torch.relu(network.get_submodule("conv2d_0")(inputs.permute(0, 3, 1, 2)))
        second = nn.functional.max_pool2d(second, 2)
        last = penultimate(network, inputs)
    expected = []
    # Three layers with weights: the last third and one more are two.
    for features in (second.flatten(1).double().numpy(), last.double().numpy()):
        units = features / np.linalg.norm(features, axis=1, keepdims=True)
        graph = nx.Graph(kneighbors_graph(units, 1).toarray() != 0)
        laplacian = nx.normalized_laplacian_matrix(graph, nodelist=range(60), weight=None).toarray()
        expected.append(np.trace(signal.T @ laplacian @ signal) / (4 * 60))
    assert value("label_variation", network, train) == pytest.approx(max(expected), rel=1e-6)


def test_examples_are_balanced() -> None:
    labels = np.array([0] * 50 + [1] * 5 + [3] * 20)
    train = Split(np.arange(75, dtype=np.float32)[:, None], labels, 4)
    inputs, drawn = draw_balanced(train, 10, np.random.default_rng(0), nn.Linear(1, 1))
    assert np.bincount(drawn.numpy(), minlength=4).tolist() == [10, 5, 0, 10]
    assert len(set(inputs[:, 0].tolist())) == 25
    np.testing.assert_array_equal(labels[inputs[:, 0].int().numpy()], drawn.numpy())
