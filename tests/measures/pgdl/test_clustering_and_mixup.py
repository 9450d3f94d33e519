"""Interpex, its factors and manifold mixup against scikit-learn and loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import davies_bouldin_score
from tests.measures.pgdl.conftest import Builder, Data, value

from gengap.datasets import Split
from gengap.measures.pgdl.clustering import davies_bouldin
from gengap.networks import build, convolutional, dense, observed_layers


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_index_is_scikit_learns(classes: int) -> None:
    rng = np.random.default_rng(classes)
    features, labels = rng.normal(size=(60, 5)), rng.integers(0, classes, 60) * 2
    found = davies_bouldin(torch.from_numpy(features), torch.from_numpy(labels))
    assert found == pytest.approx(davies_bouldin_score(features, labels), rel=1e-12)


def test_the_index_of_degenerate_features_is_scikit_learns() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    constant = np.ones((6, 2))
    one_point_each = np.repeat([[0.0], [1.0], [5.0]], 2, axis=0)
    coinciding = np.array([[-1.0], [1.0], [-2.0], [2.0], [4.0], [5.0]])
    for features in (constant, one_point_each, coinciding):
        found = davies_bouldin(torch.from_numpy(features), torch.from_numpy(labels))
        assert found == pytest.approx(davies_bouldin_score(features, labels))
    assert davies_bouldin(torch.from_numpy(constant), torch.from_numpy(labels)) == 0.0


def test_the_index_does_not_see_scale_shift_or_names_of_classes() -> None:
    rng = np.random.default_rng(0)
    features, labels = torch.from_numpy(rng.normal(size=(40, 3))), torch.arange(40) % 4
    found = davies_bouldin(features, labels)
    assert davies_bouldin(5 * features - 2, labels) == pytest.approx(found)
    assert davies_bouldin(features, 9 - labels) == pytest.approx(found)


def test_first_layer_features_are_pooled_by_four(seeded: Builder, images: Data) -> None:
    network, train = seeded(convolutional((9, 10, 3), 3, width=5, depth=2)), images(100, (9, 10, 3))
    with torch.no_grad():
        channels_first = torch.from_numpy(train.inputs).permute(0, 3, 1, 2)
        outputs = torch.relu(network.get_submodule("conv2d_0")(channels_first))
    pooled = [outputs[:, :, i : i + 4, j : j + 4].amax((2, 3)) for i in (0, 4) for j in (0, 4)]
    expected = davies_bouldin_score(torch.cat(pooled, dim=1).numpy(), train.labels)
    assert value("davies_bouldin_index", network, train) == pytest.approx(expected, rel=1e-5)


def test_a_network_without_convolutions_is_judged_by_its_first_layer(
    seeded: Builder, images: Data
) -> None:
    network, train = seeded(dense((4,), 3, width=6, depth=2)), images(100, (4,))
    with torch.no_grad():
        outputs = torch.relu(network.get_submodule("dense_0")(torch.from_numpy(train.inputs)))
    expected = davies_bouldin_score(outputs.numpy(), train.labels)
    assert value("davies_bouldin_index", network, train) == pytest.approx(expected, rel=1e-5)


def test_a_convolution_after_a_dense_layer_is_the_one_looked_at(images: Data) -> None:
    spec = {
        "model_config": [
            {"layer_name": "Dense", "units": 2},
            {"layer_name": "Conv2D", "filters": 3, "kernel_size": 4, "activation": "relu"},
            {"layer_name": "Flatten"},
            {"layer_name": "Dense", "units": 3},
        ],
        "input_shape": [4, 4, 3],
    }
    network, train = build(spec).eval(), images(80, (4, 4, 3))
    seen: list[torch.Tensor] = []
    _, module = observed_layers(network)[1]
    handle = module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        network(torch.from_numpy(train.inputs))
    handle.remove()
    expected = davies_bouldin_score(seen[0].flatten(1).numpy(), train.labels)
    assert value("davies_bouldin_index", network, train) == pytest.approx(expected, rel=1e-5)


def naive_error(predict: Callable[[int, int], int], labels: np.ndarray) -> float:
    errors = []
    for label in np.unique(labels):
        pairs = itertools.combinations(np.flatnonzero(labels == label), 2)
        errors.append(np.mean([predict(int(i), int(j)) != label for i, j in pairs]))
    return float(np.mean(errors))


def small_groups(images: Data, shape: tuple[int, ...], seed: int = 0) -> Split:
    """Ten inputs of each of three classes, so that every pair of a class is mixed."""
    train = images(30, shape, 3, seed)
    return Split(train.inputs, np.arange(30) % 3, 3)


def test_mixup_error_against_a_loop(seeded: Builder, images: Data) -> None:
    train = small_groups(images, (8, 8, 3))
    network = seeded(convolutional((8, 8, 3), 3, width=4, depth=2), seed=3)

    @torch.no_grad()
    def predict(i: int, j: int) -> int:
        mixed = torch.from_numpy(0.5 * train.inputs[[i]] + 0.5 * train.inputs[[j]])
        return int(network(mixed).argmax())

    found = value("mixup_error", network, train)
    assert found == pytest.approx(naive_error(predict, train.labels))
    assert 0 < found < 1


def test_manifold_mixup_error_against_a_loop(seeded: Builder, images: Data) -> None:
    train = small_groups(images, (4,), seed=2)
    spec = dense((4,), 3, width=6, depth=2, batch_normalisation=True, activation="tanh")
    network = seeded(spec, seed=1)
    with torch.no_grad():
        bias = network.get_parameter("dense_0.bias")
        bias.normal_(generator=torch.Generator().manual_seed(0))
        network.get_parameter("dense_6.bias").copy_(torch.tensor([0.0, -0.5, 0.3]))
    modules = list(network.children())

    @torch.no_grad()
    def predict(i: int, j: int) -> int:
        hidden = torch.from_numpy(train.inputs[[i, j]])
        for module in modules[:3]:
            hidden = module(hidden)
        hidden = hidden.mean(0, keepdim=True)
        for module in modules[3:]:
            hidden = module(hidden)
        return int(hidden.argmax())

    found = value("manifold_mixup_error", network, train)
    assert found == pytest.approx(naive_error(predict, train.labels))
    assert 0 < found < 1


def test_between_inputs_that_a_linear_network_gets_right_it_is_right(layered: Builder) -> None:
    network = layered(np.random.default_rng(0).normal(size=(3, 5)).tolist())
    inputs = np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)
    with torch.no_grad():
        labels = network(torch.from_numpy(inputs)).argmax(1).numpy()
    train = Split(inputs, labels, 3)
    for name in ("mixup_error", "manifold_mixup_error", "interpex"):
        assert value(name, network, train) == 0.0
    wrong = Split(inputs, (labels + 1) % 3, 3)
    for name in ("mixup_error", "manifold_mixup_error"):
        assert value(name, network, wrong) == 1.0


def test_without_an_activation_manifold_mixup_is_mixup(seeded: Builder, images: Data) -> None:
    train = small_groups(images, (6,))
    network = seeded(dense((6,), 3, width=5, depth=1, activation="linear"))
    expected = value("mixup_error", network, train)
    assert value("manifold_mixup_error", network, train) == pytest.approx(expected)
    assert expected > 0


def test_identical_inputs_of_a_class_mix_into_themselves(seeded: Builder) -> None:
    centres = np.random.default_rng(4).random((3, 4), dtype=np.float32)
    network = seeded(dense((4,), 3, width=8, depth=1), seed=2)
    with torch.no_grad():
        wrong = network(torch.from_numpy(centres)).argmax(1).numpy() != np.arange(3)
    train = Split(np.repeat(centres, 12, axis=0), np.repeat(np.arange(3), 12), 3)
    for name in ("mixup_error", "manifold_mixup_error"):
        assert value(name, network, train) == pytest.approx(wrong.mean())
