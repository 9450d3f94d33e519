"""Gradients of single inputs with respect to all parameters, in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import GRADIENT_BATCH_BYTES
from gengap.networks import device_of, input_batches, tensor_of
from gengap.networks.differentiation import (
    CountedParameters,
    counted_parameters,
    full_precision,
    over_inputs,
    twice_differentiable,
    weight_type,
)
from gengap.training import loss_inputs, sample_losses
from gengap.training.losses import check_fit, final_activation_of

ROUNDED_NUMBERS = 2**17
"""Numbers that are taken to float64 at a time: as many as a processor's cache holds."""


class _Outputs(nn.Module):
    """What a loss is a function of, as a module: ``functional_call`` knows only ``forward``."""

    def __init__(self, network: nn.Module, loss: str) -> None:
        super().__init__()
        self.network = network
        self.loss = loss

    def forward(self, inputs: Tensor) -> Tensor:
        with twice_differentiable(self.network):
            return loss_inputs(self.network, inputs, self.loss)


def pull_back(
    network: nn.Module,
    inputs: Tensor,
    cotangents: Tensor,
    loss: str = "cross_entropy",
    *,
    parameters: CountedParameters = "trainable",
) -> Tensor:
    """Compute J_i^T u_i of each input: a direction in the outputs, pulled back to the parameters.

    The result is differentiable in the inputs and in the cotangents.

    Args:
        network: a network in eval mode, so that batch normalisation uses its running statistics.
        inputs: (n, *input_shape).
        cotangents: u, (n, k) for k outputs.
        loss: the loss whose inputs count as outputs, see :func:`gengap.training.loss_inputs`:
            logits except for ``mse``.
        parameters: which ones count, see
            :func:`gengap.networks.differentiation.counted_parameters`.

    Returns:
        (n, p), the parameters that count in the order of ``network.parameters()``, each flattened.

    Raises:
        GengapError: the network is in training mode, or has a part that is random or cannot be
            differentiated for single inputs.
    """
    if network.training:
        raise GengapError(
            "Gradients of single inputs need a network in eval mode, since batch normalisation "
            "mixes inputs in training mode: call network.eval() first."
        )
    module = _Outputs(network, loss)
    counted = {
        f"network.{name}": value.detach()
        for name, value in counted_parameters(network, parameters).items()
    }
    buffers = dict(module.named_buffers())

    def projected(values: dict[str, Tensor], one: Tensor, cotangent: Tensor) -> Tensor:
        outputs = torch.func.functional_call(module, (values, buffers), (one[None],))
        total: Tensor = (outputs[0] * cotangent).sum()
        return total

    gradients = over_inputs(projected, counted, inputs, cotangents)
    return torch.cat([gradient.flatten(1) for gradient in gradients.values()], dim=1)


def batch_size(network: nn.Module, parameters: CountedParameters = "trainable") -> int:
    """Return how many gradients fit into :data:`gengap.limits.GRADIENT_BATCH_BYTES`."""
    size = weight_type(network).itemsize
    numbers = gradient_size(network, parameters)
    return max(1, GRADIENT_BATCH_BYTES // (size * numbers))


def gradient_size(network: nn.Module, parameters: CountedParameters = "trainable") -> int:
    """Return p, the number of all parameters that count."""
    return sum(value.numel() for value in counted_parameters(network, parameters).values())


def squared_lengths(gradients: Tensor) -> Tensor:
    """Return the squared Euclidean length (n,) of gradients (n, p), in float64."""
    rows = max(1, ROUNDED_NUMBERS // gradients.shape[1])
    parts = [part.double().square().sum(1) for part in torch.split(gradients, rows)]
    return torch.cat(parts)


def per_sample_gradients(
    network: nn.Module,
    data: Split,
    loss: str = "cross_entropy",
    *,
    parameters: CountedParameters = "trainable",
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the gradient of the loss of each input, batch by batch.

    Args:
        network: a network in eval mode; weights of half precision are taken as float32.
        data: n inputs, and labels or numbers.
        loss: one of :data:`gengap.names.LOSSES`; ``mse`` where the targets are numbers.
        parameters: see :func:`pull_back`.

    Yields:
        The rows of ``data`` and their gradients (b, p), see :func:`pull_back`; b is such that a
        batch takes at most :data:`gengap.limits.GRADIENT_BATCH_BYTES`.

    Raises:
        GengapError: network, data and loss do not fit, or a gradient is not finite.
    """
    network = full_precision(network)
    check_fit(network, data, loss)
    for rows, inputs in input_batches(network, data.inputs, batch_size(network, parameters)):
        labels = tensor_of(data.labels[rows], device_of(network))
        outputs = loss_inputs(network, inputs, loss).detach().requires_grad_()
        losses = sample_losses(outputs, labels, loss, final_activation=final_activation_of(network))
        (cotangents,) = torch.autograd.grad(losses.sum(), outputs)
        gradients = pull_back(network, inputs, cotangents, loss, parameters=parameters)
        if not math.isfinite(float(gradients.sum())):
            raise GengapError(
                f"A gradient of the loss {loss} is not finite for this network: look at its "
                "weights, and at the inputs that they meet."
            )
        yield rows, gradients
