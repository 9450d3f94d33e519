"""Small networks and data for the measures of the competition."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.measures import Subject, compute
from gengap.networks import build, weight_layers

Builder = Callable[..., nn.Module]
Data = Callable[..., Split]


def value(name: str, network: nn.Module, train: Split, seed: int = 0) -> float:
    """One measure of the family, a number."""
    subject = Subject(network, None, train, np.random.default_rng(seed))
    computed = compute(f"competition:{name}", subject)[name]
    assert isinstance(computed, float)
    return computed


@pytest.fixture
def layered() -> Builder:
    """A dense network without biases, ReLU between its kernels; each is given as (out, in)."""

    def make(*kernels: Sequence[Sequence[float]]) -> nn.Module:
        layers = [
            {
                "layer_name": "Dense",
                "units": len(kernel),
                "use_bias": False,
                "activation": "relu" if position < len(kernels) - 1 else "linear",
            }
            for position, kernel in enumerate(kernels)
        ]
        network = build({"model_config": layers, "input_shape": [len(kernels[0][0])]})
        with torch.no_grad():
            for (_, layer), kernel in zip(weight_layers(network), kernels, strict=True):
                layer.weight.copy_(torch.tensor(kernel))
        return network.eval()

    return make


@pytest.fixture
def images() -> Data:
    """Random images in [0, 1] with random labels."""

    def make(
        count: int = 60, shape: tuple[int, ...] = (8, 8, 3), classes: int = 3, seed: int = 0
    ) -> Split:
        rng = np.random.default_rng(seed)
        inputs = rng.random((count, *shape), dtype=np.float32)
        return Split(inputs, rng.integers(0, classes, count), classes)

    return make
