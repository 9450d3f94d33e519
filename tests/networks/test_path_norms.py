"""Sums over paths against their enumeration, and what has no paths."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, weight_norm

from gengap.errors import GengapError
from gengap.networks import adopt, build, sum_over_paths, weight_layers

Builder = Callable[..., nn.Module]


def with_biases(network: nn.Module) -> nn.Module:
    """Draw the biases, which initialisation leaves at 0."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, values in network.named_parameters():
            if name.endswith("bias"):
                values.normal_()
    return network


def parameters(network: nn.Module) -> list[tuple[np.ndarray, np.ndarray]]:
    layers = [layer for _, layer in weight_layers(network)]
    return [
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())  # type: ignore[union-attr]
        for layer in layers
    ]


def test_a_dense_network_path_by_path(seeded: Builder) -> None:
    layers = [
        {"layer_name": "Dense", "units": 4, "activation": "relu"},
        {"layer_name": "Dense", "units": 5, "activation": "leaky_relu"},
        {"layer_name": "Dense", "units": 2},
    ]
    network = with_biases(seeded({"model_config": layers, "input_shape": [3]}))
    (a, first), (b, second), (c, third) = parameters(network)
    expected = float((third**2).sum())
    for output, last, middle in itertools.product(range(2), range(5), range(4)):
        tail = c[output, last] * b[last, middle]
        expected += sum((tail * a[middle, start]) ** 2 for start in range(3))
        expected += (tail * first[middle]) ** 2
    for output, last in itertools.product(range(2), range(5)):
        expected += (c[output, last] * second[last]) ** 2
    assert sum_over_paths(network, torch.zeros(1, 3)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("pooling", ["MaxPooling2D", "AveragePooling2D"])
def test_a_convolutional_network_path_by_path(pooling: str, seeded: Builder) -> None:
    """A path takes one entry of the kernel at each place; pooling joins the sums of four places."""
    layers: list[dict[str, Any]] = [
        {"layer_name": "Conv2D", "filters": 2, "kernel_size": [3, 3], "padding": "same"},
        {"layer_name": "ReLU"},
        {"layer_name": pooling, "pool_size": [2, 2]},
        {"layer_name": "Flatten"},
        {"layer_name": "Dense", "units": 3},
    ]
    network = with_biases(seeded({"model_config": layers, "input_shape": [4, 4, 2]}))
    (kernel, shift), (dense, last) = parameters(network)
    into = np.zeros((2, 4, 4))
    for out, row, column in itertools.product(range(2), range(4), range(4)):
        into[out, row, column] = shift[out] ** 2
        for channel, i, j in itertools.product(range(2), range(3), range(3)):
            if 0 <= row + i - 1 < 4 and 0 <= column + j - 1 < 4:
                into[out, row, column] += kernel[out, channel, i, j] ** 2
    join = np.max if pooling == "MaxPooling2D" else np.mean
    expected = float((last**2).sum())
    for row, column, out in itertools.product(range(2), range(2), range(2)):
        pooled = join(into[out, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2])
        place = (2 * row + column) * 2 + out  # Flatten goes through H, W, C
        expected += float(pooled * (dense[:, place] ** 2).sum())
    assert sum_over_paths(network, torch.zeros(1, 4, 4, 2)) == pytest.approx(expected, rel=1e-9)


def test_residual_sums_and_concatenations_add_paths(seeded: Builder) -> None:
    layers = [
        {"layer_name": "Dense", "units": 3, "name": "a", "activation": "relu", "use_bias": False},
        {"layer_name": "Add", "inbound_nodes": ["a", "input"], "name": "sum"},
        {"layer_name": "Concatenate", "inbound_nodes": ["sum", "a"]},
        {"layer_name": "Dense", "units": 2, "use_bias": False},
    ]
    spec = {"model_config": layers, "input_shape": [3]}
    network = seeded(spec)
    a, c = (layer.weight.detach().double().numpy() ** 2 for _, layer in weight_layers(network))
    ones = np.ones(3)
    expected = c @ np.concatenate([a @ ones + ones, a @ ones])
    assert sum_over_paths(network, torch.zeros(1, 3)) == pytest.approx(expected.sum(), rel=1e-9)


class Text(nn.Module):
    """An embedding, the mean over places, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(7, 4), nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.table(inputs).mean(1).relu())
        return outputs


def test_paths_begin_at_every_token() -> None:
    torch.manual_seed(0)
    network = adopt(Text(), np.arange(12).reshape(2, 6) % 7)
    squares, last, bias = (
        np.square(network.get_parameter(name).detach().double().numpy())
        for name in ("table.weight", "head.weight", "head.bias")
    )
    expected = (last @ squares.sum(0) + bias).sum()
    tokens = torch.zeros(1, 6, dtype=torch.int64)
    assert sum_over_paths(network, tokens) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, weight_norm])
def test_a_parametrised_weight_counts_as_it_is_used(wrap: Callable[..., nn.Module]) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    expected = sum_over_paths(plain, torch.zeros(1, 3))
    wrapped = nn.Sequential(wrap(plain[0]), plain[1], wrap(plain[2]))
    assert sum_over_paths(wrapped, torch.zeros(1, 3)) == pytest.approx(expected, rel=1e-6)


class Functional(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 2)
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.function(self.first(inputs)))
        return outputs


@pytest.mark.parametrize(
    "function",
    [
        torch.tanh,
        nn.functional.gelu,
        nn.functional.silu,
        nn.functional.softplus,
        lambda values: nn.functional.layer_norm(values, (4,)),
        lambda values: values * values.sigmoid(),
        lambda values: values.softmax(1),
        lambda values: values**2,
    ],
)
def test_what_does_not_scale_has_no_paths(function: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    with pytest.raises(GengapError, match="not positively homogeneous"):
        sum_over_paths(Functional(function), torch.zeros(1, 4))


@pytest.mark.parametrize("layer", [nn.Tanh(), nn.ELU(), nn.GELU(), nn.LayerNorm(4), nn.Softmax(1)])
def test_a_layer_without_paths_is_named(layer: nn.Module) -> None:
    with pytest.raises(GengapError, match=type(layer).__name__):
        sum_over_paths(Functional(layer), torch.zeros(1, 4))


def test_a_softmax_at_the_end_is_no_part_of_the_logits() -> None:
    layers = [{"layer_name": "Dense", "units": 2, "activation": "softmax"}]
    network = build({"model_config": layers, "input_shape": [3]})
    ((_, layer),) = weight_layers(network)
    expected = sum(float(values.detach().square().sum()) for values in layer.parameters())
    assert sum_over_paths(network, torch.zeros(1, 3)) == pytest.approx(expected)


def test_a_network_keeps_its_weights() -> None:
    torch.manual_seed(0)
    network = Functional(torch.relu)
    before = [values.clone() for values in network.parameters()]
    sum_over_paths(network, torch.zeros(1, 4))
    assert all(map(torch.equal, before, network.parameters()))
