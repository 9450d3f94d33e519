"""Stacks of networks against the networks themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gengap.networks import Network, build, convolutional, dense
from gengap.networks.stacks import Stack, stackable

COUNT, BATCH = 3, 4


def drawn(spec: dict[str, Any]) -> list[Network]:
    """Networks of one spec, with weights and batch statistics of their own."""
    networks = [build(spec, seed=seed) for seed in range(COUNT)]
    for seed, network in enumerate(networks):
        chance = torch.Generator().manual_seed(seed)
        for values in network.buffers():
            if values.is_floating_point():
                values.uniform_(0.5, 2.0, generator=chance)
    return networks


SPECS = {
    "dense": dense((5,), 2, width=4, depth=2, activation="tanh"),
    "dense_of_images": dense((4, 6, 2), 2, width=4, depth=1, batch_normalisation=True),
    "series": convolutional((9, 2), 3, width=4, depth=1),
    "images": convolutional((8, 6, 3), 3, width=4, depth=2, batch_normalisation=True),
    "volumes": convolutional((4, 5, 6, 1), 2, width=3, depth=1),
    "pooled": {
        "model_config": [
            {"layer_name": "Conv2D", "filters": 4, "kernel_size": 3, "dilation_rate": 2},
            {"layer_name": "LeakyReLU"},
            {"layer_name": "MaxPooling2D", "pool_size": 3, "strides": 2, "padding": "same"},
            {"layer_name": "GlobalMaxPooling2D"},
            {"layer_name": "Dense", "units": 2, "use_bias": False},
        ],
        "input_shape": [9, 8, 2],
    },
}


@pytest.mark.parametrize("name", SPECS)
def test_a_pass_gives_what_each_network_gives(name: str) -> None:
    networks = drawn(SPECS[name])
    assert all(map(stackable, networks))
    rng = np.random.default_rng(0)
    shape = (BATCH, COUNT, *networks[0].input_shape)
    inputs = torch.from_numpy(rng.normal(size=shape).astype(np.float32))
    stack = Stack(networks)
    with torch.no_grad():
        outputs = stack.logits(stack.arrange(inputs), COUNT)
        for place, network in enumerate(networks):
            own = network(inputs[:, place].contiguous())
            torch.testing.assert_close(outputs[place], own, rtol=1e-5, atol=1e-6)
    for place, network in enumerate(networks):
        weights = stack.weights(place)
        assert weights.keys() == network.state_dict().keys()
        for key, values in network.state_dict().items():
            assert torch.equal(weights[key], values)


@pytest.mark.parametrize(
    "spec",
    [
        {"architecture": "preresnet", "input_shape": [8, 8, 1], "classes": 2, "width": 2},
        {
            "model_config": [
                {"layer_name": "Dense", "units": 2, "trainable": False},
                {"layer_name": "Dense", "units": 2},
            ],
            "input_shape": [3],
        },
        {
            "model_config": [{"layer_name": "Dense", "units": 2, "activation": "softmax"}],
            "input_shape": [3],
        },
        {
            "model_config": [
                {"layer_name": "LayerNormalization"},
                {"layer_name": "Dense", "units": 2},
            ],
            "input_shape": [3],
        },
        {
            "model_config": [
                {"layer_name": "Dense", "units": 3, "name": "first"},
                {"layer_name": "Dense", "units": 3},
                {"layer_name": "Add", "inbound_nodes": ["first", "dense_1"]},
                {"layer_name": "Dense", "units": 2},
            ],
            "input_shape": [3],
        },
    ],
)
def test_networks_of_other_kinds_are_in_no_stack(spec: dict[str, Any]) -> None:
    assert not stackable(build(spec))


def test_an_observed_network_is_in_no_stack() -> None:
    network = build(SPECS["dense"])
    next(iter(network.children())).register_forward_hook(lambda *_: None)
    assert not stackable(network)
