"""Baselines against closed forms, dense computations and their invariances."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from gengap.datasets import Split
from gengap.measures import Subject, compute
from gengap.networks import build, convolutional, kernel_norms, weight_layers

Builder = Callable[..., nn.Module]


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.standard_normal((50, 6, 6, 1)).astype(np.float32), rng.integers(0, 3, 50), 3)


def values(network: nn.Module, initial: nn.Module, train: Split) -> dict[str, float]:
    computed = compute("baseline", Subject(network, initial, train, np.random.default_rng(0)))
    return {name: float(value) for name, value in computed.items()}  # type: ignore[arg-type]


def linear(weight: list[list[float]], bias: list[float]) -> nn.Module:
    """A network that is one affine map."""
    network = build(
        {
            "model_config": [{"layer_name": "Dense", "units": len(weight)}],
            "input_shape": [len(weight[0])],
        }
    )
    ((_, layer),) = weight_layers(network)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))  # type: ignore[union-attr]
    return network.eval()


def test_a_linear_network_worked_by_hand() -> None:
    final = linear([[3.0, 0.0], [0.0, 4.0]], [0.0, 1.0])
    initial = linear([[0.0, 0.0], [0.0, 4.0]], [4.0, 1.0])
    train = Split(np.array([[1, 0], [0, 1], [1, 1]], np.float32), np.array([0, 1, 0]), 2)
    found = values(final, initial, train)
    assert found["parameter_count"] == 6
    assert found["sum_of_squared_weights"] == 9 + 16 + 1
    assert found["distance_from_initialisation"] == 5.0
    assert found["log_spectral_norm_product"] == pytest.approx(math.log(4))
    # Logits (3, 1), (0, 5), (3, 5): margins 2, 5, -2.
    spread = math.sqrt(2 + np.var([1, 5, 5]))
    expected = -np.percentile([2, 5, -2], 10) / spread
    assert found["negative_normalised_margin"] == pytest.approx(expected)
    assert found["training_accuracy"] == pytest.approx(2 / 3)
    losses = [math.log(1 + math.exp(-margin)) for margin in (2, 5, -2)]
    assert found["negative_training_loss"] == pytest.approx(-np.mean(losses), rel=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        {"filters": 3, "kernel_size": [3, 3], "padding": "same"},
        {"filters": 3, "kernel_size": [3, 3], "padding": "valid"},
        {"filters": 2, "kernel_size": [2, 3], "padding": "same", "strides": [2, 2]},
    ],
)
def test_operator_norms_equal_those_of_the_dense_matrix(
    layer: dict[str, object], seeded: Builder
) -> None:
    spec = {
        "model_config": [
            {"layer_name": "Conv2D", **layer},
            {"layer_name": "Flatten"},
            {"layer_name": "Dense", "units": 3},
        ],
        "input_shape": [5, 5, 2],
    }
    network = seeded(spec)
    example = torch.zeros(1, 5, 5, 2)
    (_, convolution), (_, last) = weight_layers(network)
    parts = list(network.children())
    padded = nn.Sequential(*parts[: parts.index(convolution) + 1])
    basis = torch.eye(50).reshape(-1, 2, 5, 5)
    with torch.no_grad():
        matrix = (padded(basis) - padded(torch.zeros_like(basis))).flatten(1).double()
        expected = [
            float(torch.linalg.matrix_norm(matrix, ord=2)),
            float(torch.linalg.matrix_norm(last.weight.double(), ord=2)),
        ]
    norms = list(kernel_norms(network, example, np.random.default_rng(0)).values())
    np.testing.assert_allclose(np.log(norms), np.log(expected), rtol=0, atol=1e-6)


def test_scaling_the_last_layer_scales_what_it_should(seeded: Builder, train: Split) -> None:
    initial = seeded(convolutional((6, 6, 1), 3, width=4, depth=1))
    final = seeded(convolutional((6, 6, 1), 3, width=4, depth=1), seed=1)
    before = values(final, initial, train)
    _, last = weight_layers(final)[-1]
    with torch.no_grad():
        last.weight.mul_(10)
        last.bias.mul_(10)  # type: ignore[union-attr]
    after = values(final, initial, train)
    margin = "negative_normalised_margin"
    assert after[margin] == pytest.approx(before[margin], rel=1e-4)
    assert after["training_accuracy"] == before["training_accuracy"]
    product = "log_spectral_norm_product"
    assert after[product] == pytest.approx(before[product] + math.log(10), rel=1e-5)


def test_constant_outputs_have_no_margin(seeded: Builder, train: Split) -> None:
    network = seeded(convolutional((6, 6, 1), 3, width=4, depth=1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    found = values(network, network, train)
    assert found["negative_normalised_margin"] == 0.0
    assert found["distance_from_initialisation"] == 0.0
    assert found["negative_training_loss"] == pytest.approx(-math.log(3), rel=1e-6)
    assert math.isfinite(found["log_spectral_norm_product"])


def test_without_the_initial_weights_the_distance_alone_is_left_out(
    seeded: Builder, train: Split
) -> None:
    network = seeded(convolutional((6, 6, 1), 3, width=4, depth=1))
    results = compute("baseline", Subject(network, None, train, np.random.default_rng(0)))
    assert set(results.left_out) == {"distance_from_initialisation"}
    assert results == {
        name: value
        for name, value in values(network, network, train).items()
        if name != "distance_from_initialisation"
    }


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, prune.identity])
def test_weights_count_as_the_network_uses_them(wrap: Callable[..., nn.Module]) -> None:
    inputs = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    train = Split(inputs, np.arange(20) % 3, 3)
    torch.manual_seed(0)
    plain, initial = nn.Linear(4, 3), nn.Linear(4, 3)
    wrapped, first = (wrap(copy.deepcopy(layer), "weight") for layer in (plain, initial))
    if wrap is prune.identity:
        mask = torch.zeros(3, 4)
        mask[:, :2] = 1.0
        prune.custom_from_mask(wrapped, "weight", mask)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            plain.weight.mul_(mask)
    else:  # the direction's length says nothing
        with torch.no_grad():
            wrapped.parametrizations.weight.original1.mul_(10.0)  # type: ignore[operator, union-attr]
    expected, found = values(plain, initial, train), values(wrapped, first, train)
    for name in ("sum_of_squared_weights", "distance_from_initialisation"):
        assert found[name] == pytest.approx(expected[name], rel=1e-6)
    square = float(sum(p.detach().double().square().sum() for p in plain.parameters()))
    assert found["sum_of_squared_weights"] == pytest.approx(square, rel=1e-6)
