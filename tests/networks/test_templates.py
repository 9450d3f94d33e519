"""Specs by width and depth."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
import torch

from gengap.errors import GengapError
from gengap.networks import build, convolutional, dense, templates, weight_layers


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
