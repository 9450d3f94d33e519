"""The family ``representations`` against the functions of its points, and what must not matter."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from torch import nn

from gengap import topology
from gengap.activations import streaming
from gengap.datasets import Split
from gengap.measures import Subject, attempt, compute
from gengap.measures import representations as family
from gengap.networks import adopt
from gengap.topology.betti import summarise_bars


def linear(module: nn.Sequential, position: int) -> nn.Linear:
    layer = module[position]
    assert isinstance(layer, nn.Linear)
    return layer


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.standard_normal((150, 6)).astype(np.float32), rng.integers(0, 3, 150), 3)


@pytest.fixture
def module() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 3)
    )


def values(module: nn.Module, train: Split) -> dict[str, object]:
    network = adopt(module, train.inputs)
    return dict(compute("representations", Subject(network, None, train, np.random.default_rng(0))))


def layers_of(module: nn.Sequential, train: Split) -> list[np.ndarray]:
    points, layers = torch.from_numpy(train.inputs), []
    for part in module:
        points = part(points)
        if isinstance(part, nn.ReLU):
            layers.append(points.detach().double().numpy())
    return [*layers, points.detach().double().numpy()]


def test_values_are_those_of_the_points_of_each_layer(module: nn.Sequential, train: Split) -> None:
    own = values(module, train)
    layers = [np.asarray(squareform(pdist(points))) for points in layers_of(module, train)]
    dimensions = [topology.two_nn(distances) for distances in layers]
    np.testing.assert_allclose(np.asarray(own["two_nn_by_layer"]), dimensions, rtol=1e-4)
    assert own["two_nn"] == pytest.approx(dimensions[1], rel=1e-4)
    assert own["two_nn_maximum"] == pytest.approx(max(dimensions), rel=1e-4)

    relative = [distances / distances[np.triu_indices(150, 1)].mean() for distances in layers]
    for name, function in (
        ("total_persistence", topology.lifetime_sum), ("magnitude", topology.magnitude)
    ):  # fmt: skip
        expected = [function(distances) for distances in relative]
        np.testing.assert_allclose(np.asarray(own[f"{name}_by_layer"]), expected, rtol=1e-4)
        assert own[name] == pytest.approx(expected[1], rel=1e-4)
    sums = own["lifetime_sums"]
    assert isinstance(sums, dict)
    assert sums["one"] == pytest.approx(own["total_persistence"])
    assert sums["half"] == pytest.approx(topology.lifetime_sum(relative[1], 0.5), rel=1e-4)
    assert sums["two"] == pytest.approx(topology.lifetime_sum(relative[1], 2), rel=1e-4)
    spread = [
        topology.persistent_homology_dimension(relative[1], np.random.default_rng(seed))
        for seed in range(5)
    ]
    assert own["persistent_homology_dimension"] == pytest.approx(np.mean(spread), rel=0.3)


def test_diagrams_of_layers_are_those_of_their_correlations(
    module: nn.Sequential, train: Split
) -> None:
    own = values(module, train)["layer_diagrams"]
    assert isinstance(own, dict)
    assert len(own) == 3 * 2 * 8
    points = layers_of(module, train)[0]
    alive = points.std(axis=0) > 0
    assert alive.all()
    dissimilarity = np.clip(1 - np.abs(np.corrcoef(points.T)), 0, None)
    np.fill_diagonal(dissimilarity, 0)
    bars = topology.persistence_diagrams(dissimilarity, 1)
    for dimension in range(2):
        for name, value in summarise_bars(bars[dimension], 20).items():
            assert own[f"0.H{dimension}.{name}"] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def permuted(module: nn.Sequential) -> nn.Sequential:
    other = copy.deepcopy(module)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        linear(other, 0).weight.copy_(linear(module, 0).weight[order])
        linear(other, 0).bias.copy_(linear(module, 0).bias[order])
        linear(other, 2).weight.copy_(linear(module, 2).weight[:, order])
    return other


def rescaled(module: nn.Sequential) -> nn.Sequential:
    other = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in other[0].parameters():
            parameter.mul_(8)
        linear(other, 2).weight.div_(8)
    return other


@pytest.mark.parametrize("change", [permuted, rescaled])
def test_permuted_neurons_and_rescaled_layers_have_the_same_values(
    change: Callable[[nn.Sequential], nn.Sequential], module: nn.Sequential, train: Split
) -> None:
    before, after = values(module, train), values(change(module), train)
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def test_the_batch_size_does_not_matter(
    module: nn.Sequential, train: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = values(module, train)
    monkeypatch.setattr(streaming, "SAMPLED_LAYER_BYTES", 7 * 20 * 4)
    after = values(module, train)
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def test_of_many_neurons_and_inputs_some_are_drawn(
    module: nn.Sequential, train: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family, "INPUTS", 40)
    monkeypatch.setattr(family, "NEURONS", 12)
    network = adopt(module, train.inputs)
    points = family.representations(Subject(network, None, train, np.random.default_rng(0)))
    assert [layer.shape for layer in points.layers] == [(40, 12), (40, 12), (40, 3)]
    assert isinstance(points.last, np.ndarray)
    assert points.last.shape == (40, 12)


def test_a_dead_layer_leaves_out_what_rests_on_it(module: nn.Sequential, train: Split) -> None:
    with torch.no_grad():
        linear(module, 2).bias.fill_(-1e6)
    network = adopt(module, train.inputs)
    results = attempt("representations", Subject(network, None, train, np.random.default_rng(0)))
    assert {"two_nn_maximum", "layer_diagrams"} == set(results)
    assert "1 distinct points" in results.left_out["two_nn"]
    assert "same activations for all inputs" in results.left_out["magnitude"]
    assert "same activations for all inputs" in results.left_out["total_persistence_by_layer"]


def test_data_on_a_curve_have_a_small_dimension() -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 400)
    inputs = np.stack([np.cos(angles), np.sin(angles), np.cos(2 * angles)], 1).astype(np.float32)
    curve = Split(inputs, (angles > np.pi).astype(np.int64), 2)
    ball = Split(rng.standard_normal((400, 3)).astype(np.float32), curve.labels, 2)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 30), nn.Tanh(), nn.Linear(30, 2))
    one, other = values(module, curve), values(module, ball)
    assert one["two_nn"] == pytest.approx(1, rel=0.15)
    assert one["persistent_homology_dimension"] == pytest.approx(1, rel=0.2)
    assert other["two_nn"] == pytest.approx(3, rel=0.25)
    assert one["magnitude"] < other["magnitude"]  # type: ignore[operator]
