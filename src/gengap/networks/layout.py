"""Views between Keras' layout (n, ..., C) and torch's (n, C, ...).

A network takes channels-last series (n, length, C), images (n, H, W, C) and volumes (n, D, H, W, C)
and works on (n, C, ...) inside: a view of the same memory, which torch's convolutions handle as
their ``channels_last`` format without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

IMAGE_RANK = 4
"""Axes of a batch of images."""
BLOCK = 16
"""Channels that oneDNN's kernels of 1x1 convolutions take at once, at most."""


def channels_first(values: Tensor) -> Tensor:
    """View (n, ..., C) as (n, C, ...); vectors (n, d) and tokens (n, length) stay as they are."""
    return values.movedim(-1, 1) if values.ndim > 2 else values


def channels_last(values: Tensor) -> Tensor:
    """View (n, C, ...) as (n, ..., C); vectors (n, d) stay as they are."""
    return values.movedim(1, -1) if values.ndim > 2 else values


def keep_within_memory(module: nn.Module) -> None:
    """Hold narrow 1x1 convolutions with a stride in torch's own order of memory.

    In the ``channels_last`` format, oneDNN 3.12, which torch 2.13 has, writes beyond its memory
    in the gradient of the weights of such a convolution, where it has fewer channels than a block:
    8, or 16 with AVX-512 (https://github.com/uxlfoundation/oneDNN/issues/6035). The shortcuts of a
    narrow residual network then crash, or get wrong gradients. One of the two in that format,
    the inputs or the weights, is enough for it.

    Args:
        module: any module that has its weights; a lazy one must have run once. Each such
            convolution gets a hook that lays out its inputs, and its weights are laid out anew.
            It computes what it did before.
    """
    for part in module.modules():
        if (
            isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d)
            and max(part.kernel_size) == 1
            and max(part.stride) > 1
            and part.in_channels < BLOCK
        ):
            if _in_own_order not in part._forward_pre_hooks.values():
                part.register_forward_pre_hook(_in_own_order, with_kwargs=True)
            for parameter in part.parameters():
                values = _own_order(parameter.data)
                if values.stride() != parameter.stride():
                    parameter.data = values


def _in_own_order(
    _: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor]
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    return tuple(map(_own_order, inputs)), {name: _own_order(each) for name, each in named.items()}


def _own_order(values: Tensor) -> Tensor:
    # Unlike `contiguous`, which takes one channel, or one pixel, in either order for the other.
    return values.clone(memory_format=torch.contiguous_format)


class ChannelsFirst(nn.Module):
    """A module that applies :func:`channels_first`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """View (n, ..., C) as (n, C, ...)."""
        return channels_first(inputs)


class ChannelsLast(nn.Module):
    """A module that applies :func:`channels_last`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """View (n, C, ...) as (n, ..., C)."""
        return channels_last(inputs)


class Flatten(nn.Module):
    """A module that flattens inputs in Keras' order, so that its dense kernels load unchanged."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Flatten (n, C, ...) in the order of (n, ..., C)."""
        return channels_last(inputs).flatten(1)


class Reshape(nn.Module):
    """A module that gives inputs another shape, in Keras' order."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, inputs: Tensor) -> Tensor:
        """Reshape (n, C, ...) to a channels-last shape, and view it channels first."""
        values = channels_last(inputs)
        return channels_first(values.reshape(len(values), *self.shape))


class Permute(nn.Module):
    """A module that orders the axes of inputs anew, in Keras' numbering."""

    def __init__(self, axes: Sequence[int]) -> None:
        super().__init__()
        self.axes = tuple(axes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Take axes of the channels-last view of (n, C, ...), where the batch is axis 0."""
        return channels_first(channels_last(inputs).permute(0, *self.axes))
