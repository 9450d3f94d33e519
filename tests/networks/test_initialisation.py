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
