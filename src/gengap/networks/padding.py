"""Padding as in Keras (TensorFlow).

With ``same`` padding an axis of ``size`` cells gives ceil(size / stride) outputs. An odd cell of
padding goes *after* the input. Torch's symmetric padding cannot express this where the stride is
above one or the window is even (TensorFlow API, ``tf.nn``, "Notes on padding").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Pads = tuple[int, ...]
"""Cells added before and after each axis, the last axis first: (left, right, top, bottom) of an
image. This is the order of ``torch.nn.functional.pad``."""

_AVERAGES = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


def same_pads(size: int, window: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return the cells that ``same`` padding adds before and after an axis of ``size`` cells."""
    outputs = -(-size // stride)
    covered = (outputs - 1) * stride + (window - 1) * dilation + 1
    total = max(covered - size, 0)
    return total // 2, total - total // 2


def pads_of(
    padding: str,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> Pads:
    """Return the cells that padding adds around an input.

    Args:
        padding: ``same``, ``valid``, or ``causal``, which adds all cells before a series, so that
            no output depends on later inputs.
        sizes: cells of the input on each axis, such as (height, width).
        window: size of the window on each axis.
        strides: its steps.
        dilation: distance of its cells.

    Returns:
        Two numbers for each axis, see :data:`Pads`.
    """
    pads: list[int] = []
    for size, reach, stride, rate in reversed(
        list(zip(sizes, window, strides, dilation, strict=True))
    ):
        if padding == "same":
            pads += same_pads(size, reach, stride, rate)
        else:
            pads += [(reach - 1) * rate if padding == "causal" else 0, 0]
    return tuple(pads)


class AveragePooling(nn.Module):
    """Average pooling of (n, C, ...) that leaves padded cells out of the average, as Keras does.

    ``torch.nn.AvgPool2d(count_include_pad=False)`` does so for symmetric padding only.
    """

    def __init__(self, window: tuple[int, ...], strides: tuple[int, ...], pads: Pads) -> None:
        super().__init__()
        self.window = window
        self.strides = strides
        self.pads = pads

    def forward(self, inputs: Tensor) -> Tensor:
        """Pool series (n, C, L), images (n, C, H, W) or volumes (n, C, D, H, W)."""
        average = _AVERAGES[len(self.window)]
        if not any(self.pads):
            return average(inputs, self.window, self.strides)
        inside = torch.ones(1, 1, *inputs.shape[2:], dtype=inputs.dtype, device=inputs.device)
        means = average(functional.pad(inputs, self.pads), self.window, self.strides)
        return means / average(functional.pad(inside, self.pads), self.window, self.strides)
