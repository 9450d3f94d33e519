"""Networks small enough for a loop over single inputs to be the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import seeded_network
from torch import nn

from gengap.networks import Network, logits
from gengap.seeding import torch_generator


def seeded(spec: dict[str, Any], seed: int = 0) -> Network:
    """A network with random weights, and random statistics where it normalises."""
    network: Network = seeded_network(spec, seed, "torch")
    generator = torch_generator(seed, "test", "statistics")
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(generator=generator)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2.0, generator=generator)  # type: ignore[union-attr]
                for parameter in (module.weight, module.bias):
                    if parameter is not None:
                        parameter.normal_(generator=generator)
    return network


def layers(*config: dict[str, Any], input_shape: tuple[int, ...] = (6, 6, 2)) -> dict[str, Any]:
    return {"model_config": list(config), "input_shape": list(input_shape)}


def points(network: Network, count: int = 5, seed: int = 0) -> np.ndarray:
    shape = (count, *network.input_shape)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def loop_jacobian(network: nn.Module, inputs: np.ndarray, outputs: list[int]) -> np.ndarray:
    """(n, len(outputs), parameters) by one backward pass for each input and output."""
    rows = []
    for single in torch.from_numpy(inputs).to(next(network.parameters()).dtype):
        found = logits(network, single[None])[0]
        for output in outputs:
            gradients = torch.autograd.grad(
                found[output], list(network.parameters()), retain_graph=True
            )
            rows.append(torch.cat([g.flatten() for g in gradients]).double().numpy())
    return np.stack(rows).reshape(len(inputs), len(outputs), -1)


@pytest.fixture
def small() -> Network:
    """A scalar network of convolutions and dense layers."""
    return seeded(
        layers(
            {"layer_name": "Conv2D", "filters": 3, "kernel_size": 3, "activation": "tanh"},
            {"layer_name": "Flatten"},
            {"layer_name": "Dense", "units": 4, "activation": "relu"},
            {"layer_name": "Dense", "units": 1},
            input_shape=(5, 5, 1),
        )
    )
