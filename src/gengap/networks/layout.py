"""Views between Keras' layout (n, ..., C) and torch's (n, C, ...).

A network takes channels-last series (n, length, C), images (n, H, W, C) and volumes (n, D, H, W, C)
and works on (n, C, ...) inside: a view of the same memory, which torch's convolutions handle as
their ``channels_last`` format without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

IMAGE_RANK = 4
"""Axes of a batch of images."""


def channels_first(values: Tensor) -> Tensor:
    """View (n, ..., C) as (n, C, ...); vectors (n, d) and tokens (n, length) stay as they are."""
    return values.movedim(-1, 1) if values.ndim > 2 else values


def channels_last(values: Tensor) -> Tensor:
    """View (n, C, ...) as (n, ..., C); vectors (n, d) stay as they are."""
    return values.movedim(1, -1) if values.ndim > 2 else values


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
