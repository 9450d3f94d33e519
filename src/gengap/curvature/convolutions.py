"""Convolutions whose gradients cost little to differentiate in what they are gradients of.

The product of a Jacobian and a vector is the derivative of J^T u in u. Torch's convolution computes
that derivative together with those in its input and its kernel, which nobody asks for and which
cost twice as much. Here the input and the kernel of a gradient are constants.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class _Geometry(NamedTuple):
    """How a kernel moves over its input, in the order of torch's arguments."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int


class _Convolution(torch.autograd.Function):
    """A convolution of x (n, channels, ...) with a kernel and a bias."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, kernel: Tensor, bias: Tensor | None, geometry: _Geometry
    ) -> Tensor:
        ctx.save_for_backward(inputs, kernel)
        ctx.geometry = geometry
        return torch.ops.aten.convolution(inputs, kernel, bias, *geometry)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        inputs, kernel = (tensor.detach() for tensor in ctx.saved_tensors)
        wanted = ctx.needs_input_grad[:3]
        return *_Gradients.apply(slope, inputs, kernel, wanted, ctx.geometry), None  # type: ignore[no-untyped-call]


class _Gradients(torch.autograd.Function):
    """The gradients of a convolution, as a linear function of that of its output."""

    @staticmethod
    def forward(
        ctx: Any,
        slope: Tensor,
        inputs: Tensor,
        kernel: Tensor,
        wanted: tuple[bool, bool, bool],
        geometry: _Geometry,
    ) -> tuple[Tensor | None, ...]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs, kernel)
        ctx.geometry = geometry
        return torch.ops.aten.convolution_backward(  # type: ignore[no-any-return]
            slope, inputs, kernel, [len(kernel)], *geometry, list(wanted)
        )

    @staticmethod
    def backward(
        ctx: Any, of_inputs: Tensor | None, of_kernel: Tensor | None, of_bias: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        inputs, kernel = ctx.saved_tensors
        terms = []
        if of_inputs is not None:
            terms.append(torch.ops.aten.convolution(of_inputs, kernel, None, *ctx.geometry))
        if of_kernel is not None:
            terms.append(torch.ops.aten.convolution(inputs, of_kernel, None, *ctx.geometry))
        if of_bias is not None:
            terms.append(of_bias.reshape(1, -1, *[1] * (inputs.ndim - 2)))
        total = sum(terms[1:], terms[0]) if terms else None
        return total, None, None, None, None


def let_gradients_be_linear(network: nn.Module) -> None:
    """Make second derivatives of a network's convolutions those in what comes after them alone.

    Outputs and gradients stay as they are. What is differentiated twice must be linear in what the
    outputs are multiplied by, as the product J^T u with a vector u is; its derivatives in anything
    but u are lost. Convolutions whose inputs are padded with other values than zeros, or by a word,
    stay torch's.

    Args:
        network: a network that nothing else uses.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and _is_plain(module):
            module._conv_forward = partial(_convolved, module)  # type: ignore[method-assign]


def _is_plain(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> bool:
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _convolved(layer: Any, inputs: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    single = inputs.ndim < kernel.ndim
    geometry = _Geometry(
        layer.stride, layer.padding, layer.dilation, False, layer.output_padding, layer.groups
    )
    outputs: Tensor = _Convolution.apply(  # type: ignore[no-untyped-call]
        inputs[None] if single else inputs, kernel, bias, geometry
    )
    return outputs[0] if single else outputs
