"""Named architectures: parameter counts from the papers' layer tables, and their function."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from gengap.errors import GengapError
from gengap.networks import build


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_lenet_has_the_parameters_of_its_table() -> None:
    network = build({"architecture": "lenet", "input_shape": [28, 28, 1], "classes": 10})
    layers = [6 * (25 + 1), 16 * (6 * 25 + 1), 120 * (7 * 7 * 16 + 1), 84 * 121, 10 * 85]
    assert count(network) == sum(layers)


def test_lenet_5_has_the_published_number_of_parameters() -> None:
    spec = {"architecture": "lenet", "padding": "valid", "pooling": "max"}
    network = build({**spec, "input_shape": [32, 32, 3], "classes": 10})
    assert count(network) == 62_006
    assert sum(isinstance(module, nn.MaxPool2d) for module in network.modules()) == 2
    with pytest.raises(GengapError, match="'median': choose one of average, max"):
        build({**spec, "pooling": "median", "input_shape": [32, 32, 3], "classes": 10})


def test_lenet_takes_images_from_4x4() -> None:
    network = build({"architecture": "lenet", "input_shape": [4, 4, 3], "classes": 2})
    assert network(torch.zeros(1, 4, 4, 3)).shape == (1, 2)


@pytest.mark.parametrize(("width", "parameters"), [(64, 11_173_962), (16, 701_466)])
def test_resnet18_has_the_published_number_of_parameters(width: int, parameters: int) -> None:
    """11.17 million is the usual count of CIFAR's ResNet-18."""
    spec = {"architecture": "resnet18", "input_shape": [32, 32, 3], "classes": 10, "width": width}
    with torch.device("meta"):
        assert count(build(spec)) == parameters


def test_resnet18_equals_the_formula_of_its_blocks() -> None:
    network = build(
        {"architecture": "resnet18", "input_shape": [16, 16, 3], "classes": 4, "width": 2}
    )
    weights = network.state_dict()

    def normalised(values: torch.Tensor, name: str) -> torch.Tensor:
        keys = ("running_mean", "running_var", "weight", "bias")
        mean, variance, scale, shift = (weights[f"{name}.{key}"][:, None, None] for key in keys)
        standard = (values - mean) / (variance + 1e-5).sqrt()
        outputs: torch.Tensor = standard * scale + shift
        return outputs

    generator = torch.Generator().manual_seed(0)
    for name, tensor in weights.items():
        if "norm" in name and tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5, generator=generator)
    inputs = torch.rand(3, 16, 16, 3, generator=generator)
    values = inputs.permute(0, 3, 1, 2)
    values = normalised(functional.conv2d(values, weights["stem.weight"], padding=1), "norm").relu()
    for block in range(8):
        name = f"blocks.{block}"
        stride = 2 if block in (2, 4, 6) else 1
        inner = functional.conv2d(values, weights[f"{name}.conv1.weight"], None, stride, 1)
        inner = normalised(inner, f"{name}.norm1").relu()
        inner = functional.conv2d(inner, weights[f"{name}.conv2.weight"], padding=1)
        inner = normalised(inner, f"{name}.norm2")
        if stride == 2:
            values = functional.conv2d(values, weights[f"{name}.shortcut.0.weight"], None, 2)
            values = normalised(values, f"{name}.shortcut.1")
        values = (inner + values).relu()
    wanted = values.mean((2, 3)) @ weights["dense.weight"].T + weights["dense.bias"]
    with torch.no_grad():
        torch.testing.assert_close(network(inputs), wanted, rtol=1e-4, atol=1e-4)
