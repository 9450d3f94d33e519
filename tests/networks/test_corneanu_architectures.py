"""The architectures of Corneanu et al.: published sizes, and one step of training each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from gengap.activations import node_activations
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import build, weight_layers
from gengap.networks.architectures.densenet import DenseLayer
from gengap.training import Recipe, train

SMALL = {
    "lenet_300_100": {},
    "lenet": {},
    "vgg11": {"width": 4},
    "resnet50": {"width": 4},
    "conv_2": {"width": 4},
    "conv_4": {"width": 4},
    "conv_6": {"width": 4},
    "alexnet": {"width": 4},
    "vgg16": {"width": 4},
    "resnet18": {"width": 4},
    "densenet121": {"growth": 4},
    "inception": {"width": 4},
}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("lenet_300_100", 3072 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10),
        # The published code's cut of it; the others have the numbers that are usual for CIFAR.
        ("alexnet", 2_458_442),
        ("vgg16", 14_728_266),
        ("densenet121", 6_956_298),
        ("inception", 6_166_250),
    ],
)
def test_sizes_for_cifar(name: str, parameters: int) -> None:
    spec = {"architecture": name, "input_shape": [32, 32, 3], "classes": 10}
    with torch.device("meta"):
        network = build(spec)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "published", "features"),
    [
        # As torchvision publishes them for ImageNet, and the features before the last layer.
        ("resnet34", 21_797_672, 512),
        ("resnet50", 25_557_032, 2048),
        ("resnet101", 44_549_160, 2048),
        ("resnet152", 60_192_808, 2048),
        ("densenet121", 7_978_856, 1024),
        ("densenet161", 28_681_000, 2208),
        ("densenet169", 14_149_480, 1664),
        ("densenet201", 20_013_928, 1920),
    ],
)
def test_deeper_networks_have_the_published_sizes(name: str, published: int, features: int) -> None:
    """With a 3x3 stem instead of the 7x7 one, and 10 classes instead of 1000.

    A DenseNet's stem has no batch normalisation here, as is usual for CIFAR.
    """
    with torch.device("meta"):
        network = build({"architecture": name, "input_shape": [32, 32, 3], "classes": 10})
    stem = 96 if name == "densenet161" else 64
    expected = published - stem * 3 * (7 * 7 - 3 * 3) - (features + 1) * (1000 - 10)
    expected -= 2 * stem if name.startswith("densenet") else 0
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize(
    ("name", "published"),
    [("vgg11", 132_868_840), ("vgg13", 133_053_736), ("vgg19", 143_678_248)],
)
def test_vggs_have_the_published_sizes(name: str, published: int) -> None:
    """As torchvision publishes them, with one dense layer instead of its three."""
    with torch.device("meta"):
        network = build({"architecture": name, "input_shape": [32, 32, 3], "classes": 10})
    three = (25088 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
    expected = published - three + (512 + 1) * 10
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_lenet_as_published() -> None:
    """21,840 weights and 1820 neurons after pooling, those of a direct loop over torch's layers."""
    network = build({"architecture": "lenet_10_20_50", "input_shape": [28, 28, 1], "classes": 10})
    assert sum(parameter.numel() for parameter in network.parameters()) == 21_840
    images = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)
    nodes = node_activations(network, images, "neurons")
    assert [size for _, size in nodes.layers] == [1440, 320, 50, 10]
    weights = dict(network.named_parameters())
    values = torch.from_numpy(images).permute(0, 3, 1, 2)
    for layer in ("conv1", "conv2"):
        values = functional.conv2d(values, weights[f"{layer}.weight"], weights[f"{layer}.bias"])
        values = functional.relu(functional.max_pool2d(values, 2))
    pooled = nodes.activations[1440:1760]
    # Channels last, as all layers of neurons here.
    expected = values.permute(0, 2, 3, 1).flatten(1).T.detach().numpy()
    np.testing.assert_allclose(pooled, expected, atol=1e-5)
    with pytest.raises(GengapError, match="of 16 or more"):
        build({"architecture": "lenet_10_20_50", "input_shape": [8, 8, 1], "classes": 10})


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("conv_2", 650),
        ("conv_4", 906),
        ("alexnet", 1162),
        ("conv_6", 1418),
        # There 400 (without outputs), 1930 and 1736: some layers only.
        ("lenet_300_100", 410),
        ("vgg16", 4234),
        ("resnet18", 3914),
    ],
)
def test_channels_of_every_layer_are_nodes(name: str, nodes: int) -> None:
    """The first four are in the published code's table (bettis.py, ``n_nodes``)."""
    network = build({"architecture": name, "input_shape": [8, 8, 1], "classes": 10})
    images = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)
    assert len(node_activations(network, images).activations) == nodes


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("side", [8, 28, 32])
def test_one_step_of_training(name: str, side: int) -> None:
    channels = 1 if side == 28 else 3
    spec = {"architecture": name, "input_shape": [side, side, channels], "classes": 4}
    network = build({**spec, **SMALL[name]})
    rng = np.random.default_rng(0)
    inputs = rng.random((6, side, side, channels), dtype=np.float32)
    data = Split(inputs, rng.integers(0, 4, 6), 4)
    result = train(
        network, data, Recipe(batch_size=6, epochs=1, learning_rate=0.01, augmentation=("flip",))
    )
    assert any(not torch.equal(result.initial[key], result.weights[key]) for key in result.weights)
    found = node_activations(network, inputs)
    assert len(found.layers) == len(network.observed)
    assert found.layers[-1] == (list(network.observed)[-1], 4)


def test_lenet_300_100_takes_vectors() -> None:
    network = build({"architecture": "lenet_300_100", "input_shape": [2], "classes": 3})
    assert network(torch.zeros(5, 2)).shape == (5, 3)


def test_a_dense_layer_passes_its_input_on() -> None:
    """Channels of the first block: the new ones in front, then the stem's."""
    network = build(
        {"architecture": "densenet121", "input_shape": [4, 4, 1], "classes": 2, "growth": 2}
    )
    values = torch.rand(2, 1, 4, 4)
    stem = network.get_submodule("stem")(values)
    layer = network.get_submodule("blocks.0")
    assert isinstance(layer, DenseLayer)
    outputs = layer(stem)
    assert torch.equal(outputs[:, 2:], stem)
    inner = functional.conv2d(layer.norm1(stem).relu(), layer.conv1.weight)
    inner = functional.conv2d(layer.norm2(inner).relu(), layer.conv2.weight, padding=1)
    torch.testing.assert_close(outputs[:, :2], inner)


def test_an_inception_module_puts_its_branches_side_by_side() -> None:
    network = build(
        {"architecture": "inception", "input_shape": [4, 4, 1], "classes": 2, "width": 4}
    )
    module = network.get_submodule("blocks.0")
    first = module.get_submodule("branches.0")
    channels = weight_layers(first)[0][1].weight.shape[1]
    values = torch.rand(2, channels, 4, 4)
    outputs = module(values)
    pooled = functional.max_pool2d(functional.pad(values, (1, 1, 1, 1), value=-1e9), 3, 1)
    last = module.get_submodule("branches.3.1")(pooled)
    torch.testing.assert_close(outputs[:, -last.shape[1] :], last)
    torch.testing.assert_close(outputs[:, :4], first(values))


@pytest.mark.parametrize(
    ("name", "keywords", "sentence"),
    [
        ("densenet121", {"input_shape": [9]}, "Architecture densenet121: input_shape is"),
        ("inception", {"input_shape": [9]}, "Architecture inception: input_shape is"),
        ("inception", {"width": 0}, "width"),
        ("conv_2", {"input_shape": [9]}, "Architecture conv_2: .*takes images"),
        ("vgg16", {"depth": 3}, "unknown keyword 'depth'"),
    ],
)
def test_bad_specs_are_refused(name: str, keywords: dict[str, Any], sentence: str) -> None:
    spec = {"architecture": name, "input_shape": [8, 8, 1], "classes": 2} | keywords
    with pytest.raises(GengapError, match=sentence):
        build(spec)
