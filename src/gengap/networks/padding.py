"""Padding as in Keras (TensorFlow).

With ``same`` padding an axis of ``size`` cells gives ceil(size / stride) outputs. An odd cell of
padding goes *after* the input. Torch's symmetric padding cannot express this where the stride is
above one or the window is even (TensorFlow API, ``tf.nn``, "Notes on padding").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

Pads = tuple[int, int, int, int]
"""Cells added at (left, right, top, bottom), the order of ``torch.nn.functional.pad``."""

NO_PADS: Pads = (0, 0, 0, 0)


def same_pads(size: int, window: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return the cells that ``same`` padding adds before and after an axis of ``size`` cells."""
    outputs = -(-size // stride)
    covered = (outputs - 1) * stride + (window - 1) * dilation + 1
    total = max(covered - size, 0)
    return total // 2, total - total // 2


def pads_of(
    padding: str,
    image: tuple[int, int],
    window: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> Pads:
    """Return the cells that padding ``same`` or ``valid`` adds around an image (height, width)."""
    if padding == "valid":
        return NO_PADS
    top, bottom = same_pads(image[0], window[0], strides[0], dilation[0])
    left, right = same_pads(image[1], window[1], strides[1], dilation[1])
    return left, right, top, bottom


class AveragePooling(nn.Module):
    """Average pooling of (n, C, H, W) that leaves padded cells out of the average, as Keras does.

    ``torch.nn.AvgPool2d(count_include_pad=False)`` does so for symmetric padding only.
    """

    def __init__(self, window: tuple[int, int], strides: tuple[int, int], pads: Pads) -> None:
        super().__init__()
        self.window = window
        self.strides = strides
        self.pads = pads

    def forward(self, inputs: Tensor) -> Tensor:
        """Pool images (n, C, H, W)."""
        if self.pads == NO_PADS:
            return functional.avg_pool2d(inputs, self.window, self.strides)
        inside = torch.ones(1, 1, *inputs.shape[-2:], dtype=inputs.dtype, device=inputs.device)
        means = functional.avg_pool2d(functional.pad(inputs, self.pads), self.window, self.strides)
        return means / functional.avg_pool2d(
            functional.pad(inside, self.pads), self.window, self.strides
        )
