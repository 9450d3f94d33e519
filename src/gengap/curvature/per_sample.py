"""Gradients of single inputs with respect to all parameters, in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import GRADIENT_BATCH_BYTES
from gengap.networks import device_of, input_batches, parameter_count, tensor_of
from gengap.training import loss_inputs, sample_losses
from gengap.training.losses import check_fit


class _Outputs(nn.Module):
    """What a loss is a function of, as a module: ``functional_call`` knows only ``forward``."""

    def __init__(self, network: nn.Module, loss: str) -> None:
        super().__init__()
        self.network = network
        self.loss = loss

    def forward(self, inputs: Tensor) -> Tensor:
        return loss_inputs(self.network, inputs, self.loss)


def pull_back(
    network: nn.Module, inputs: Tensor, cotangents: Tensor, loss: str = "cross_entropy"
) -> Tensor:
    """Compute J_i^T u_i of each input: a direction in the outputs, pulled back to the parameters.

    The result is differentiable in the inputs and in the cotangents.

    Args:
        network: a network in eval mode, so that batch normalisation uses its running statistics.
        inputs: (n, *input_shape).
        cotangents: u, (n, k) for k outputs.
        loss: the loss whose inputs count as outputs, see :func:`gengap.training.loss_inputs`:
            logits except for ``mse``.

    Returns:
        (n, p), parameters in the order of ``network.parameters()``, each flattened.

    Raises:
        GengapError: the network is in training mode, or has a part that cannot be differentiated
            for single inputs.
    """
    if network.training:
        raise GengapError(
            "Gradients of single inputs need a network in eval mode, since batch normalisation "
            "mixes inputs in training mode: call network.eval() first."
        )
    module = _Outputs(network, loss)
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    buffers = dict(module.named_buffers())

    def projected(values: dict[str, Tensor], one: Tensor, cotangent: Tensor) -> Tensor:
        outputs = torch.func.functional_call(module, (values, buffers), (one[None],))
        total: Tensor = (outputs[0] * cotangent).sum()
        return total

    try:
        gradients: dict[str, Tensor] = torch.func.vmap(
            torch.func.grad(projected), in_dims=(None, 0, 0)
        )(parameters, inputs, cotangents)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[0].rstrip(".")
        raise GengapError(
            f"The network has a part that cannot be differentiated for single inputs ({first}): "
            "replace it by layers of the spec."
        ) from error
    return torch.cat([gradient.flatten(1) for gradient in gradients.values()], dim=1)


def batch_size(network: nn.Module) -> int:
    """Return how many gradients fit into :data:`gengap.limits.GRADIENT_BATCH_BYTES`."""
    size = next(network.parameters()).element_size()
    return max(1, GRADIENT_BATCH_BYTES // (size * parameter_count(network)))


def per_sample_gradients(
    network: nn.Module, data: Split, loss: str = "cross_entropy"
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the gradient of the loss of each input, batch by batch.

    Args:
        network: a network in eval mode.
        data: n inputs and labels.
        loss: one of :data:`gengap.names.LOSSES`.

    Yields:
        The rows of ``data`` and their gradients (b, p), see :func:`pull_back`; b is such that a
        batch takes at most :data:`gengap.limits.GRADIENT_BATCH_BYTES`.

    Raises:
        GengapError: network, data and loss do not fit, or a gradient is not finite.
    """
    check_fit(network, data, loss)
    for rows, inputs in input_batches(network, data.inputs, batch_size(network)):
        labels = tensor_of(data.labels[rows], device_of(network))
        outputs = loss_inputs(network, inputs, loss).detach().requires_grad_()
        total = sample_losses(outputs, labels, loss).sum()
        (cotangents,) = torch.autograd.grad(total, outputs)
        gradients = pull_back(network, inputs, cotangents, loss)
        if not math.isfinite(float(gradients.sum())):
            raise GengapError(
                f"A gradient of the loss {loss} is not finite for this network: look at its "
                "weights, and at the inputs that they meet."
            )
        yield rows, gradients
