"""Specs by width and depth."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gengap.errors import GengapError
from gengap.networks import build, convolutional, dense, templates, weight_layers
from gengap.networks.templates import nin_like, vgg_like


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("batch_normalisation", [False, True])
@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 9, 3), (1, 1, 2), (32, 32, 3)])
def test_convolutional_builds_for_any_depth(
    depth: int, batch_normalisation: bool, shape: tuple[int, ...]
) -> None:
    spec = convolutional(
        shape, 7, width=3, depth=depth, dropout=0.2, batch_normalisation=batch_normalisation
    )
    assert json.loads(json.dumps(spec)) == spec
    network = build(spec)
    assert network(torch.zeros(2, *shape)).shape == (2, 7)
    assert [layer.weight.shape[0] for _, layer in weight_layers(network)] == [3] * depth + [7]


@pytest.mark.parametrize("shape", [(4,), (3, 3, 2)])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_dense_builds_for_any_depth(shape: tuple[int, ...], depth: int) -> None:
    network = build(
        dense(shape, 2, width=5, depth=depth, batch_normalisation=True, activation="tanh")
    )
    assert network(torch.zeros(2, *shape)).shape == (2, 2)
    assert [layer.weight.shape[0] for _, layer in weight_layers(network)] == [5] * depth + [2]


@pytest.mark.parametrize("shape", [(9, 2), (5, 4, 6, 1)])
def test_convolutions_move_over_the_axes_of_series_and_volumes(shape: tuple[int, ...]) -> None:
    network = build(convolutional(shape, 3, width=2, depth=2, batch_normalisation=True))
    assert network(torch.zeros(2, *shape)).shape == (2, 3)
    kernels = [p.shape for p in network.parameters() if p.ndim > 2]
    window = (3,) * (len(shape) - 1)
    assert kernels == [(2, shape[-1], *window), (2, 2, *window)]


def test_vectors_have_nothing_to_move_over() -> None:
    with pytest.raises(GengapError, match=r"shape \[6\]: take the template 'dense'"):
        convolutional((6,), 3, width=2, depth=1)


def test_a_hand_written_example() -> None:
    relu = {"layer_name": "Conv2D", "filters": 8, "kernel_size": [3, 3], "padding": "same"}
    pooling = {"layer_name": "MaxPooling2D", "pool_size": [2, 2]}
    assert convolutional((8, 8, 1), 10, width=8, depth=3, dropout=0.1)["model_config"] == [
        {**relu, "activation": "relu"},
        pooling,
        {"layer_name": "Dropout", "rate": 0.1},
        {**relu, "activation": "relu"},
        pooling,
        {"layer_name": "Dropout", "rate": 0.1},
        {**relu, "activation": "relu"},
        {"layer_name": "Dropout", "rate": 0.1},
        {"layer_name": "Flatten"},
        {"layer_name": "Dense", "units": 10},
    ]


def test_templates_import_no_torch() -> None:
    tree = ast.parse(Path(templates.__file__).read_text())
    imported = {
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }
    imported |= {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    assert imported == {"__future__", "collections.abc", "typing", "gengap.errors"}


def kinds(spec: dict[str, object]) -> list[str]:
    """The layers of a spec, with the sizes of their kernels."""
    layers = spec["model_config"]
    assert isinstance(layers, list)
    return [f"{layer['layer_name']}{layer.get('kernel_size', [''])[0]}" for layer in layers]


def test_blocks_like_vgg_are_two_convolutions() -> None:
    spec = vgg_like((16, 16, 1), 10, width=4, depth=2, dense_layers=2, dropout=0.3)
    block = ["Conv2D3", "Conv2D3", "MaxPooling2D", "Dropout"]
    hidden = ["Dense", "Dropout"]
    assert kinds(spec) == [*block, *block, "Flatten", *hidden, *hidden, "Dense"]
    network = build(spec)
    assert network(torch.zeros(2, 16, 16, 1)).shape == (2, 10)
    outputs = [layer.weight.shape[0] for _, layer in weight_layers(network)]
    assert outputs == [4, 4, 4, 4, 128, 128, 10]


def test_networks_in_network_look_at_neighbours_in_each_third_convolution() -> None:
    spec = nin_like((16, 16, 3), 10, width=4, depth=6)
    block = ["Conv2D3", "Conv2D1", "Conv2D1", "MaxPooling2D"]
    assert kinds(spec) == [*block, *block, "Conv2D1", "GlobalAveragePooling2D"]
    network = build(spec)
    assert network(torch.zeros(2, 16, 16, 3)).shape == (2, 10)
    assert [layer.weight.shape[0] for _, layer in weight_layers(network)] == [4] * 6 + [10]


@pytest.mark.parametrize("template", [vgg_like, nin_like])
def test_templates_of_the_competition_take_images_alone(template: Callable[..., object]) -> None:
    with pytest.raises(GengapError, match=r"like' takes images, not inputs of the shape \[9, 2\]"):
        template((9, 2), 3, width=2, depth=1)
