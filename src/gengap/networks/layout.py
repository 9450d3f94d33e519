"""Between Keras' layout (n, H, W, C) and torch's (n, C, H, W).

A network takes channels-last images and works on (n, C, H, W) inside: a view of the same memory,
which torch's convolutions handle as their ``channels_last`` format without a copy.
"""

from __future__ import annotations

from torch import Tensor, nn

IMAGE_RANK = 4


def channels_first(values: Tensor) -> Tensor:
    """(n, H, W, C) seen as (n, C, H, W); vectors (n, d) as they are."""
    return values.permute(0, 3, 1, 2) if values.ndim == IMAGE_RANK else values


def channels_last(values: Tensor) -> Tensor:
    """(n, C, H, W) seen as (n, H, W, C); vectors (n, d) as they are."""
    return values.permute(0, 2, 3, 1) if values.ndim == IMAGE_RANK else values


class ChannelsFirst(nn.Module):
    """:func:`channels_first` as a module."""

    def forward(self, inputs: Tensor) -> Tensor:
        return channels_first(inputs)


class ChannelsLast(nn.Module):
    """:func:`channels_last` as a module."""

    def forward(self, inputs: Tensor) -> Tensor:
        return channels_last(inputs)


class Flatten(nn.Module):
    """(n, C, H, W) to (n, H*W*C) in Keras' order, so that its dense kernels load unchanged."""

    def forward(self, inputs: Tensor) -> Tensor:
        return channels_last(inputs).flatten(1)
