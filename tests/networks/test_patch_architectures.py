"""Vision Transformer and MLP-Mixer: parameter counts, function, second derivatives, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from gengap.activations import node_activations
from gengap.errors import GengapError
from gengap.networks import (
    Network,
    build,
    captured,
    initialise,
    observed_layers,
    parameter_count,
)

IMAGE = [8, 12, 2]
CLASSES = 3


def spec(name: str, shape: list[int] = IMAGE, **keywords: Any) -> dict[str, Any]:
    return {"architecture": name, "input_shape": shape, "classes": CLASSES, **keywords}


VIT = spec("vit", width=8, depth=2, heads=2)
MIXER = spec("mlp_mixer", width=8, depth=2)


def drawn(given: dict[str, Any]) -> tuple[Network, dict[str, torch.Tensor], torch.Tensor]:
    """A network with biases, scales and positions away from their starts, and images."""
    network = build(given)
    generator = torch.Generator().manual_seed(3)
    initialise(network, "torch", generator)
    with torch.no_grad():
        for name, values in network.named_parameters():
            if "norm" in name or "position" in name or "token" in name.split("."):
                values.add_(0.3 * torch.randn(values.shape, generator=generator))
    return network, network.state_dict(), torch.randn(4, *IMAGE, generator=generator)


def normalised(weights: dict[str, torch.Tensor], name: str, values: torch.Tensor) -> torch.Tensor:
    mean, variance = values.mean(-1, keepdim=True), values.var(-1, correction=0, keepdim=True)
    scaled = (values - mean) / (variance + 1e-6).sqrt() * weights[f"{name}.weight"]
    return scaled + weights[f"{name}.bias"]


def linear(weights: dict[str, torch.Tensor], name: str, values: torch.Tensor) -> torch.Tensor:
    return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def mlp(weights: dict[str, torch.Tensor], name: str, values: torch.Tensor) -> torch.Tensor:
    hidden = linear(weights, f"{name}.0", values)
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    return linear(weights, f"{name}.2", hidden)


def patch_tokens(weights: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """Tokens of 4x4 patches, one patch after the other, row by row."""
    kernel = weights["patches.weight"].permute(2, 3, 1, 0).reshape(-1, 8)
    patches = [
        images[:, row : row + 4, column : column + 4].reshape(len(images), -1)
        for row in range(0, IMAGE[0], 4)
        for column in range(0, IMAGE[1], 4)
    ]
    return torch.stack(patches, 1) @ kernel + weights["patches.bias"]


@pytest.mark.parametrize(
    ("side", "patch", "width", "depth", "heads"),
    [(8, 2, 16, 1, 4), (28, 4, 64, 4, 4), (32, 8, 48, 2, 3)],
)
def test_vit_has_the_parameters_of_its_table(
    side: int, patch: int, width: int, depth: int, heads: int
) -> None:
    keywords = {"width": width, "depth": depth, "heads": heads, "patch": patch}
    with torch.device("meta"):
        network = build(spec("vit", [side, side, 3], **keywords))
    tokens = (side // patch) ** 2 + 1
    block = 2 * 2 * width + 4 * (width**2 + width) + 4 * width**2 + 4 * width + 4 * width**2 + width
    embedding = 3 * patch**2 * width + width + width + tokens * width
    head = 2 * width + CLASSES * (width + 1)
    assert parameter_count(network) == embedding + depth * block + head


@pytest.mark.parametrize(("side", "patch", "width", "depth"), [(8, 2, 16, 1), (32, 4, 64, 4)])
def test_mlp_mixer_has_the_parameters_of_its_table(
    side: int, patch: int, width: int, depth: int
) -> None:
    keywords = {"width": width, "depth": depth, "patch": patch}
    with torch.device("meta"):
        network = build(spec("mlp_mixer", [side, side, 3], **keywords))
    tokens, hidden = (side // patch) ** 2, width // 2
    over_tokens = 2 * tokens * hidden + hidden + tokens
    over_channels = 2 * 4 * width**2 + 4 * width + width
    block = 2 * 2 * width + over_tokens + over_channels
    embedding = 3 * patch**2 * width + width
    head = 2 * width + CLASSES * (width + 1)
    assert parameter_count(network) == embedding + depth * block + head


@pytest.mark.parametrize("name", ["vit", "mlp_mixer"])
@pytest.mark.parametrize("side", [8, 16, 28, 32])
def test_the_defaults_fit_small_images(name: str, side: int) -> None:
    with torch.device("meta"):
        network = build(spec(name, [side, side, 1]))
        assert network(torch.empty(2, side, side, 1)).shape == (2, CLASSES)


def test_vit_equals_the_formula_of_its_blocks() -> None:
    network, weights, images = drawn(VIT)
    tokens = patch_tokens(weights, images)
    class_token = weights["class_token.token"].expand(len(images), 1, 8)
    values = torch.cat([class_token, tokens], 1) + weights["positions.positions"]
    for block in ("blocks.0", "blocks.1"):
        inner = normalised(weights, f"{block}.norm1", values)
        query, key, value = (
            linear(weights, f"{block}.attention.{part}", inner)
            for part in ("query", "key", "value")
        )
        heads = [
            functional.softmax(query[..., part] @ key[..., part].transpose(1, 2) / 4**0.5, dim=-1)
            @ value[..., part]
            for part in (slice(0, 4), slice(4, 8))
        ]
        values = values + linear(weights, f"{block}.attention.output", torch.cat(heads, -1))
        inner = normalised(weights, f"{block}.norm2", values)
        values = values + mlp(weights, f"{block}.mlp", inner)
    wanted = linear(weights, "dense", normalised(weights, "norm", values)[:, 0])
    torch.testing.assert_close(network(images), wanted, rtol=1e-4, atol=1e-5)


def test_mlp_mixer_equals_the_formula_of_its_blocks() -> None:
    network, weights, images = drawn(MIXER)
    values = patch_tokens(weights, images)
    for block in ("blocks.0", "blocks.1"):
        inner = normalised(weights, f"{block}.norm1", values).transpose(1, 2)
        values = values + mlp(weights, f"{block}.over_tokens", inner).transpose(1, 2)
        inner = normalised(weights, f"{block}.norm2", values)
        values = values + mlp(weights, f"{block}.over_channels", inner)
    wanted = linear(weights, "dense", normalised(weights, "norm", values).mean(1))
    torch.testing.assert_close(network(images), wanted, rtol=1e-4, atol=1e-5)


def test_vit_equals_torchs_own_attention() -> None:
    """The same block by ``torch.nn.TransformerEncoderLayer``, with the same weights."""
    network, weights, _ = drawn(spec("vit", width=8, depth=1, heads=2))
    encoder = nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0.0, activation="gelu", layer_norm_eps=1e-6, batch_first=True,
        norm_first=True,
    )  # fmt: skip
    block = "blocks.0"
    parts = [f"{block}.attention.{part}" for part in ("query", "key", "value")]
    own = {
        "self_attn.in_proj_weight": torch.cat([weights[f"{part}.weight"] for part in parts]),
        "self_attn.in_proj_bias": torch.cat([weights[f"{part}.bias"] for part in parts]),
    }
    for theirs, ours in {
        "self_attn.out_proj": "attention.output",
        "linear1": "mlp.0",
        "linear2": "mlp.2",
        "norm1": "norm1",
        "norm2": "norm2",
    }.items():
        own |= {f"{theirs}.{key}": weights[f"{block}.{ours}.{key}"] for key in ("weight", "bias")}
    encoder.load_state_dict(own)
    inputs = torch.randn(3, 7, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        network.get_submodule(block)(inputs), encoder(inputs), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("given", [VIT, MIXER], ids=["vit", "mlp_mixer"])
def test_second_derivatives_are_differences_of_gradients(given: dict[str, Any]) -> None:
    network, _, images = drawn(given)
    network.double()
    parameters = list(network.parameters())
    generator = torch.Generator().manual_seed(9)
    direction = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in parameters]
    labels = torch.arange(4) % CLASSES

    def gradient() -> list[torch.Tensor]:
        loss = functional.cross_entropy(network(images.double()), labels)
        return list(torch.autograd.grad(loss, parameters, create_graph=True))

    along = sum((g * d).sum() for g, d in zip(gradient(), direction, strict=True))
    assert isinstance(along, torch.Tensor)
    product = torch.autograd.grad(along, parameters)
    step = 1e-5
    sides = []
    for sign in (1, -2):
        with torch.no_grad():
            for values, change in zip(parameters, direction, strict=True):
                values.add_(change, alpha=sign * step)
        sides.append(gradient())
    for exact, after, before in zip(product, *sides, strict=True):
        torch.testing.assert_close(exact, (after - before) / (2 * step), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        (VIT, {"patches": 8, "attention.output": 8, "mlp.0": 32, "mlp.2": 8, "dense": 3}),
        (
            MIXER,
            {
                "patches": 8, "over_tokens.0": 4, "over_tokens.2": 6, "over_channels.0": 32,
                "over_channels.2": 8, "dense": 3,
            },
        ),
    ],
    ids=["vit", "mlp_mixer"],
)  # fmt: skip
def test_channels_of_the_observed_layers_are_means_over_places(
    given: dict[str, Any], sizes: dict[str, int]
) -> None:
    network, _, images = drawn(given)
    nodes = node_activations(network, images.numpy())
    for name, size in nodes.layers:
        assert size == sizes[name.split(".", 2)[-1]]
    observed = dict(observed_layers(network))
    assert list(observed) == [name for name, _ in nodes.layers]
    with captured(observed.values()) as passages, torch.no_grad():
        network(images)
    wanted = []
    for name, module in observed.items():
        output = passages[module].output
        assert isinstance(module, nn.GELU) == name.endswith(".0")
        if name == "patches":  # (n, C, H, W), others (n, places, C)
            output = output.flatten(2).transpose(1, 2)
        wanted.append(output if name == "dense" else output.mean(1))
    np.testing.assert_allclose(nodes.activations.T, torch.cat(wanted, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (spec("vit", patch=5), r"vit: patch is 5, which does not divide the image of 8x12"),
        (spec("vit", heads=3), r"heads is 3, which does not divide the width 64"),
        (spec("vit", [8]), r"input_shape is \[8\]: give \[height, width, channels\]"),
        (spec("mlp_mixer", [9, 8, 1]), r"patch is 4, which does not divide the image of 9x8"),
        (spec("mlp_mixer", heads=2), r"unknown keyword 'heads'"),
        (spec("mlp_mixer", depth=0), r"depth is 0"),
    ],
)
def test_keywords_that_make_no_sense(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        build(given)
