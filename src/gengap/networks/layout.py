"""Views between Keras' layout (n, H, W, C) and torch's (n, C, H, W).

A network takes channels-last images and works on (n, C, H, W) inside: a view of the same memory,
which torch's convolutions handle as their ``channels_last`` format without a copy.
"""

from __future__ import annotations

from torch import Tensor, nn

IMAGE_RANK = 4


def channels_first(values: Tensor) -> Tensor:
    """View (n, H, W, C) as (n, C, H, W); vectors (n, d) stay as they are."""
    return values.permute(0, 3, 1, 2) if values.ndim == IMAGE_RANK else values


def channels_last(values: Tensor) -> Tensor:
    """View (n, C, H, W) as (n, H, W, C); vectors (n, d) stay as they are."""
    return values.permute(0, 2, 3, 1) if values.ndim == IMAGE_RANK else values


class ChannelsFirst(nn.Module):
    """A module that applies :func:`channels_first`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """View (n, H, W, C) as (n, C, H, W)."""
        return channels_first(inputs)


class ChannelsLast(nn.Module):
    """A module that applies :func:`channels_last`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """View (n, C, H, W) as (n, H, W, C)."""
        return channels_last(inputs)


class Flatten(nn.Module):
    """A module that flattens images in Keras' order, so that its dense kernels load unchanged."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Flatten (n, C, H, W) to (n, H*W*C)."""
        return channels_last(inputs).flatten(1)
