"""Initial weights: moments and bounds by the formulas."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from gengap.errors import GengapError
from gengap.networks import build, initialise, weight_layers
from gengap.seeding import torch_generator

SPEC: dict[str, Any] = {
    "model_config": [
        {"layer_name": "Conv2D", "filters": 40, "kernel_size": [3, 5], "padding": "same"},
        {"layer_name": "BatchNormalization"},
        {"layer_name": "GlobalAveragePooling2D"},
        {"layer_name": "Dense", "units": 500},
    ],
    "input_shape": [8, 8, 20],
}
FANS = {"conv2d_0": (20 * 15, 40 * 15), "dense_3": (40, 500)}


@pytest.mark.parametrize("scheme", ["torch", "glorot", "lecun", "he"])
def test_kernels_have_the_stated_variance_and_bounds(scheme: str) -> None:
    network = build(SPEC)
    initialise(network, scheme, torch_generator(0, "test"))
    for name, layer in weight_layers(network):
        fan_in, fan_out = FANS[name]
        variance = {
            "torch": 1 / (3 * fan_in),
            "glorot": 2 / (fan_in + fan_out),
            "lecun": 1 / fan_in,
            "he": 2 / fan_in,
        }[scheme]
        kernel = layer.weight.detach().double()
        # the mean of the squares of thousands of bounded draws: 4 standard errors are below 5 %
        assert kernel.square().mean().item() == pytest.approx(variance, rel=0.05)
        assert abs(kernel.mean().item()) < 4 * math.sqrt(variance / kernel.numel())
        cut = math.sqrt(3) if scheme in ("torch", "glorot") else 2 / 0.8796
        assert kernel.abs().max().item() <= cut * math.sqrt(variance) * (1 + 1e-4)
        assert layer.bias is not None
        if scheme == "torch":
            assert 0 < layer.bias.abs().max().item() <= 1 / math.sqrt(fan_in)
        else:
            assert not layer.bias.any()


def layer(kind: str, /, **keywords: Any) -> dict[str, Any]:
    return {"layer_name": kind, **keywords}


@pytest.mark.parametrize("scheme", ["torch", "glorot", "lecun", "he"])
@pytest.mark.parametrize(
    ("given", "shape", "fans"),
    [
        (layer("Conv1D", filters=60, kernel_size=5), [9, 30], (30 * 5, 60 * 5)),
        (layer("Conv3D", filters=30, kernel_size=3), [4, 4, 4, 10], (10 * 27, 30 * 27)),
        (layer("DepthwiseConv2D", kernel_size=5), [6, 6, 300], (25, 300 * 25)),
        # As torch and Keras count it, by the kernel (in, out, height, width).
        (
            layer("Conv2DTranspose", filters=20, kernel_size=4, strides=2),
            [6, 6, 40],
            (20 * 16, 40 * 16),
        ),
    ],
    ids=lambda given: given["layer_name"] if isinstance(given, dict) else None,
)
def test_other_kernels_have_the_stated_variance(
    scheme: str, given: dict[str, Any], shape: list[int], fans: tuple[int, int]
) -> None:
    network = build({"model_config": [given, layer("Flatten")], "input_shape": shape})
    initialise(network, scheme, torch_generator(0, "test"))
    kernel, bias = network.parameters()
    fan_in, fan_out = fans
    variance = {
        "torch": 1 / (3 * fan_in),
        "glorot": 2 / (fan_in + fan_out),
        "lecun": 1 / fan_in,
        "he": 2 / fan_in,
    }[scheme]
    assert kernel.detach().double().square().mean().item() == pytest.approx(variance, rel=0.05)
    assert bool(bias.any()) == (scheme == "torch")


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("scheme", ["torch", "he"])
def test_recurrent_matrices_have_the_stated_variance(kind: str, scheme: str) -> None:
    units, channels = 64, 100
    spec = {"model_config": [layer(kind, units=units)], "input_shape": [3, channels]}
    network = build(spec)
    initialise(network, scheme, torch_generator(0, "test"))
    kernel, recurrent, *biases = network.parameters()
    fans = {"torch": (units, units), "he": (channels, units)}[scheme]
    numerator = {"torch": 1 / 3, "he": 2.0}[scheme]
    for matrix, fan in zip((kernel, recurrent), fans, strict=True):
        variance = matrix.detach().double().square().mean().item()
        assert variance == pytest.approx(numerator / fan, rel=0.05)
    for bias in biases:
        assert bool(bias.any()) == (scheme == "torch")
        assert bias.abs().max().item() <= 1 / math.sqrt(units)


@pytest.mark.parametrize("scheme", ["torch", "glorot"])
def test_what_has_no_kernel_starts_the_same_by_every_scheme(scheme: str) -> None:
    tokens = {
        "model_config": [
            layer("Embedding", input_dim=300, output_dim=50),
            layer("LayerNormalization"),
            layer("GroupNormalization", groups=5),
            layer("PReLU", shared_axes=[1]),
            layer("Flatten"),
        ],
        "input_shape": [4],
    }
    images = {"architecture": "vit", "input_shape": [32, 32, 1], "classes": 2, "depth": 1}
    state: dict[str, torch.Tensor] = {}
    for spec in (tokens, images):
        network = build(spec)
        initialise(network, scheme, torch_generator(0, "test"))
        state |= network.state_dict()
    assert state["embedding_0.weight"].var().item() == pytest.approx(1.0, rel=0.05)
    for name in ("layer_normalization_1", "group_normalization_2", "blocks.0.norm1"):
        assert (state[f"{name}.weight"] == 1).all()
        assert not state[f"{name}.bias"].any()
    assert (state["pre_lu_3.weight"] == 0.25).all()
    assert not state["class_token.token"].any()
    assert state["positions.positions"].std().item() == pytest.approx(0.02, rel=0.05)


def test_same_generator_same_weights_whatever_was_there() -> None:
    networks = [build(SPEC), build(SPEC)]
    with torch.no_grad():
        for tensor in networks[1].state_dict().values():
            tensor.fill_(7)
    for network in networks:
        initialise(network, "glorot", torch_generator(3, "x"))
    first, second = (network.state_dict() for network in networks)
    assert all(torch.equal(first[name], second[name]) for name in first)
    initialise(networks[1], "glorot", torch_generator(4, "x"))
    assert not torch.equal(first["dense_3.weight"], networks[1].state_dict()["dense_3.weight"])


def test_batch_normalisation_starts_as_the_identity() -> None:
    network = build(SPEC)
    state = network.state_dict()
    for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        assert (state[f"batch_normalization_1.{name}"] == value).all()


def test_unknown_scheme_is_refused() -> None:
    with pytest.raises(GengapError, match=r"'xavier'.*glorot"):
        initialise(build(SPEC), "xavier", torch_generator(0))


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(GengapError, match="Bilinear"):
        initialise(torch.nn.Sequential(torch.nn.Bilinear(1, 1, 1)), "torch", torch_generator(0))
