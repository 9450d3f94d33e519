"""Node activations against the layers' outputs taken by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gengap.activations import node_activations, sample
from gengap.errors import GengapError
from gengap.networks import build


@pytest.fixture
def network() -> torch.nn.Module:
    return build({"architecture": "lenet", "input_shape": [8, 8, 1], "classes": 10})


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(0).random((7, 8, 8, 1), dtype=np.float32)


def test_channels_are_spatial_means(network: torch.nn.Module, inputs: np.ndarray) -> None:
    found = node_activations(network, inputs)
    assert [size for _, size in found.layers] == [6, 16, 120, 84, 10]
    values = torch.tensor(inputs).permute(0, 3, 1, 2)
    with torch.no_grad():
        modules = dict(network.named_children())
        first = modules["conv2d_0"](values).relu()
        last = network(torch.tensor(inputs))
    np.testing.assert_allclose(found.activations[:6], first.mean((2, 3)).T, atol=1e-6)
    np.testing.assert_allclose(found.activations[-10:], last.T, atol=1e-6)


def test_neurons_are_those_of_a_sample_of_all(network: torch.nn.Module, inputs: np.ndarray) -> None:
    found = node_activations(network, inputs, nodes="neurons", skip_layers=1)
    everything = sample(
        network,
        inputs,
        neurons=10**6,
        draws=1,
        sampling="uniform",
        skip_layers=1,
        rng=np.random.default_rng(0),
    )
    np.testing.assert_allclose(found.activations, everything.activations, atol=1e-6)
    assert found.layers == everything.layers


def test_bad_input_is_refused(network: torch.nn.Module, inputs: np.ndarray) -> None:
    with pytest.raises(GengapError, match="Unknown nodes 'pixels'"):
        node_activations(network, inputs, nodes="pixels")
    many = np.broadcast_to(inputs[:1], (2_000_000, 8, 8, 1))
    with pytest.raises(GengapError, match=r"854 neurons on 2000000 inputs take 6.4 GiB"):
        node_activations(network, many, nodes="neurons")
