"""Small networks, data and dense matrices to hold the operators against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.training import loss_inputs, sample_losses

Builder = Callable[..., nn.Module]
DataMaker = Callable[..., Split]
Oracle = Callable[..., np.ndarray]


def losses_of(
    network: nn.Module, loss: str, data: Split
) -> tuple[Callable[[torch.Tensor], torch.Tensor], torch.Tensor]:
    """The losses (n,) as a function of the flat weights (p,) in float64, and the weights."""
    names = [name for name, _ in network.named_parameters()]
    tensors = [tensor.detach().double() for tensor in network.parameters()]
    buffers = {name: buffer.double() for name, buffer in network.named_buffers()}
    inputs, labels = torch.tensor(data.inputs).double(), torch.tensor(data.labels)

    class Losses(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self) -> torch.Tensor:
            return sample_losses(loss_inputs(self.inner, inputs, loss), labels, loss)

    module = Losses()

    def function(flat: torch.Tensor) -> torch.Tensor:
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        weights = {
            f"inner.{name}": part.reshape(tensor.shape)
            for name, part, tensor in zip(names, parts, tensors, strict=True)
        }
        weights |= {f"inner.{name}": buffer for name, buffer in buffers.items()}
        losses: torch.Tensor = torch.func.functional_call(module, weights, ())
        return losses

    return function, torch.cat([tensor.reshape(-1) for tensor in tensors])


@pytest.fixture
def dense_hessian() -> Oracle:
    """The Hessian (p, p) of the summed loss by ``torch.func``, in float64."""

    def compute(network: nn.Module, loss: str, data: Split) -> np.ndarray:
        function, flat = losses_of(network, loss, data)
        matrix = torch.func.hessian(lambda weights: function(weights).sum())(flat)
        return np.asarray(matrix.detach())

    return compute


@pytest.fixture
def sample_gradients() -> Oracle:
    """The gradient (n, p) of each input's loss by ``torch.func``, in float64."""

    def compute(network: nn.Module, loss: str, data: Split) -> np.ndarray:
        function, flat = losses_of(network, loss, data)
        return np.asarray(torch.func.jacrev(function)(flat).detach())

    return compute
