"""ConvNet, PreResNet and masked dense networks: parameter counts, function, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from gengap.errors import GengapError
from gengap.networks import build, initialise, observed_layers, read_weights, write_weights


def spec(name: str, shape: list[int], classes: int = 10, **keywords: Any) -> dict[str, Any]:
    return {"architecture": name, "input_shape": shape, "classes": classes, **keywords}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("width", "depth", "channels"),
    [
        (64, 3, [64, 128, 256, 512]),
        (4, 1, [4, 8]),
        (4, 2, [4, 8, 16]),
        (4, 5, [4, 4, 8, 8, 16, 32]),
        (4, 7, [4, 4, 4, 8, 8, 16, 16, 32]),
    ],
)
def test_a_convnets_channels(width: int, depth: int, channels: list[int]) -> None:
    with torch.device("meta"):
        network = build(spec("convnet", [32, 32, 3], width=width, depth=depth))
    kernels = [9 * before * after for before, after in zip([3, *channels], channels, strict=False)]
    # A bias, a scale and a shift for each channel; then the dense layer.
    assert count(network) == sum(kernels) + 3 * sum(channels) + 10 * (channels[-1] + 1)


def test_a_convnet_takes_small_images() -> None:
    network = build(spec("convnet", [4, 4, 1], width=2, depth=6))
    assert network(torch.zeros(2, 4, 4, 1)).shape == (2, 10)


@pytest.mark.parametrize(("depth", "parameters"), [(20, 0.27e6), (164, 1.7e6)])
def test_preresnets_have_the_published_number_of_parameters(depth: int, parameters: float) -> None:
    """He et al. (2016) give 0.27 million for 20 layers, 1.7 million for 164 (bottlenecks)."""
    with torch.device("meta"):
        found = count(build(spec("preresnet", [32, 32, 3], depth=depth)))
    assert found == pytest.approx(parameters, rel=0.02)


def test_a_preresnet_equals_the_formula_of_its_blocks() -> None:
    network = build(spec("preresnet", [8, 8, 1], 3, width=2, depth=8))
    generator = torch.Generator().manual_seed(0)
    initialise(network, "he", generator)
    weights = network.state_dict()
    inputs = torch.rand(3, 8, 8, 1, generator=generator)
    values = functional.conv2d(inputs.permute(0, 3, 1, 2), weights["stem.weight"], padding=1)

    def normalised(values: torch.Tensor) -> torch.Tensor:
        scale: float = (1 + 1e-5) ** 0.5  # statistics and scales as at the start
        return (values / scale).relu()

    for block in range(3):
        stride = 1 if block == 0 else 2
        inner = functional.conv2d(
            normalised(values), weights[f"blocks.{block}.conv0.weight"], None, stride, 1
        )
        inner = functional.conv2d(
            normalised(inner), weights[f"blocks.{block}.conv1.weight"], padding=1
        )
        if block:
            shortcut = weights[f"blocks.{block}.shortcut.0.weight"]
            values = functional.conv2d(values, shortcut, stride=2)
        values = values + inner
    pooled = normalised(values).mean((2, 3))
    expected = pooled @ weights["dense.weight"].T + weights["dense.bias"]
    torch.testing.assert_close(network(inputs), expected)


def test_resnet18_of_nakkiran_has_the_published_number_of_parameters() -> None:
    """As counted in the published code: 100 classes, the usual width."""
    with torch.device("meta"):
        network = build(spec("preact_resnet18", [32, 32, 3], 100))
    assert count(network) == 11_217_316
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 16


def test_resnet18_of_nakkiran_equals_the_formula_of_its_blocks() -> None:
    network = build(spec("preact_resnet18", [16, 16, 3], 4, width=2))
    generator = torch.Generator().manual_seed(0)
    initialise(network, "he", generator)
    weights = network.state_dict()
    inputs = torch.rand(3, 16, 16, 3, generator=generator)
    values = functional.conv2d(inputs.permute(0, 3, 1, 2), weights["stem.weight"], padding=1)
    for block in range(8):
        prefix, stride = f"blocks.{block}", 2 if block in (2, 4, 6) else 1
        scale = (1 + 1e-5) ** 0.5  # statistics and scales as at the start
        activated = (values / scale).relu()
        inner = functional.conv2d(activated, weights[f"{prefix}.conv1.weight"], None, stride, 1)
        inner = functional.conv2d(
            (inner / scale).relu(), weights[f"{prefix}.conv2.weight"], padding=1
        )
        if stride == 2:
            values = functional.conv2d(activated, weights[f"{prefix}.shortcut.weight"], stride=2)
        values = values + inner
    expected = values.mean((2, 3)) @ weights["dense.weight"].T + weights["dense.bias"]
    torch.testing.assert_close(network(inputs), expected)
    with pytest.raises(GengapError, match=r"give \[height, width, channels\]"):
        build(spec("preact_resnet18", [8]))


def test_a_bottleneck_halves_the_image_once_a_stage() -> None:
    network = build(spec("preresnet", [8, 8, 1], 3, width=1, depth=47))
    seen: list[torch.Size] = []
    handle = network.get_submodule("norm").register_forward_pre_hook(
        lambda module, arguments: seen.append(arguments[0].shape)
    )
    network(torch.zeros(2, 8, 8, 1))
    handle.remove()
    assert seen == [(2, 16, 2, 2)]
    for name, layer in observed_layers(network):
        assert isinstance(layer, nn.ReLU) or name == "dense"


@pytest.mark.parametrize(
    ("name", "keywords", "sentence"),
    [
        ("preresnet", {"depth": 9}, "depth is 9: give 6n . 2 below 44"),
        ("preresnet", {"depth": 50}, "depth is 50"),
        ("convnet", {"depth": -1}, "depth is -1: give an integer of at least 0"),
        ("masked_dense", {"width": 2, "depth": 1, "kept": 1.5}, "kept is 1.5: give a number"),
    ],
)
def test_keywords_that_make_no_sense(name: str, keywords: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        build(spec(name, [8, 8, 1], **keywords))


def test_a_preresnet_is_for_images() -> None:
    with pytest.raises(GengapError, match=r"give \[height, width, channels\]"):
        build(spec("preresnet", [8]))


def test_masks_cut_weights_and_are_saved_with_them(tmp_path: Any) -> None:
    keywords = {"width": 30, "depth": 2, "kept": 0.3}
    network = build(spec("masked_dense", [4, 4, 1], 3, **keywords, mask_seed=1))
    masks = {name: value for name, value in network.state_dict().items() if "mask" in name}
    assert list(masks) == ["hidden.0.mask", "hidden.2.mask", "dense.mask"]
    kept = torch.cat([mask.reshape(-1) for mask in masks.values()])
    assert set(kept.tolist()) == {0.0, 1.0}
    assert float(kept.mean()) == pytest.approx(0.3, abs=0.05)

    inputs = torch.rand(2, 4, 4, 1, generator=torch.Generator().manual_seed(0))
    weights = network.state_dict()
    values = inputs.flatten(1)
    for layer in ("hidden.0", "hidden.2", "dense"):
        kernel = weights[f"{layer}.weight"] * weights[f"{layer}.mask"]
        values = values @ kernel.T + weights[f"{layer}.bias"]
        values = values if layer == "dense" else values.relu()
    torch.testing.assert_close(network(inputs), values)

    write_weights(network, tmp_path / "weights.safetensors")
    other = build(spec("masked_dense", [4, 4, 1], 3, **keywords, mask_seed=2))
    assert not torch.equal(other.state_dict()["dense.mask"], masks["dense.mask"])
    read_weights(other, tmp_path / "weights.safetensors")
    torch.testing.assert_close(other(inputs), network(inputs))
