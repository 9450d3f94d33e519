"""Pre-activation residual networks for small images."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gengap.networks.keywords import KeywordError, check_images, integer
from gengap.networks.layout import channels_first
from gengap.networks.network import Network

STAGES = 3
BASIC, BOTTLENECK = (3, 3), (1, 3, 1)
"""Kernel sizes of a block."""
BOTTLENECK_FROM = 44
"""Smallest depth at which blocks are bottlenecks, as in the code that Maddox et al. use."""
EXPANSION = 4
"""Ratio of the outputs of a bottleneck to its inner channels."""


class PreActivationBlock(nn.Module):
    """Convolutions, each after batch normalisation and ReLU, parallel to a plain shortcut."""

    def __init__(
        self, channels: int, filters: int, outputs: int, stride: int, kernels: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.count = len(kernels)
        widths = [channels, *[filters] * (len(kernels) - 1), outputs]
        for position, kernel in enumerate(kernels):
            before, after = widths[position : position + 2]
            step = stride if kernel > 1 and position == kernels.index(kernel) else 1
            self.add_module(f"norm{position}", nn.BatchNorm2d(before))
            self.add_module(f"relu{position}", nn.ReLU())
            self.add_module(
                f"conv{position}",
                nn.Conv2d(before, after, kernel, step, padding=kernel // 2, bias=False),
            )
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != outputs:
            self.shortcut.append(nn.Conv2d(channels, outputs, 1, stride, bias=False))

    def forward(self, inputs: Tensor) -> Tensor:
        """Add the convolutions' outputs to the shortcut's, for images (n, C, H, W)."""
        values = inputs
        for position in range(self.count):
            for part in ("norm", "relu", "conv"):
                values = self.get_submodule(f"{part}{position}")(values)
        outputs: Tensor = values + self.shortcut(inputs)
        return outputs


class PreResNet(Network):
    """PreResNet (He et al., 2016, "Identity mappings in deep residual networks").

    The network has one 3x3 convolution, then three stages of n blocks with ``width``, 2 and 4 times
    ``width`` channels (the later ones halve the image). Batch normalisation, ReLU, the mean over
    the image and a linear layer follow. ``depth`` counts layers: 6n + 2 with blocks of two 3x3
    convolutions; from 44 on 9n + 2 with bottlenecks of 1x1, 3x3 and 1x1, which give four times the
    channels. Depth 56 is PreResNet-56 of Maddox et al. (2020). The observed outputs are those of
    the ReLU after each convolution, where there is one, and of the linear layer.
    """

    def __init__(
        self, input_shape: tuple[int, ...], classes: int, *, width: Any = 16, depth: Any = 56
    ) -> None:
        super().__init__(input_shape)
        check_images(input_shape)
        width, depth = integer(width, "width"), integer(depth, "depth")
        kernels = BOTTLENECK if depth >= BOTTLENECK_FROM else BASIC
        per_block = STAGES * len(kernels)
        if depth < per_block + 2 or (depth - 2) % per_block:
            raise KeywordError(
                f"depth is {depth}: give 6n + 2 below {BOTTLENECK_FROM}, such as 8, 14 or 20, or "
                "9n + 2, such as 47, 56 or 110."
            )
        self.stem = nn.Conv2d(input_shape[-1], width, 3, padding=1, bias=False)
        self.blocks = nn.Sequential()
        channels, count = width, (depth - 2) // per_block
        for position in range(STAGES * count):
            stage, later = divmod(position, count)
            filters = width * 2**stage
            outputs = filters * EXPANSION if kernels == BOTTLENECK else filters
            stride = 2 if stage > 0 and not later else 1
            self.blocks.append(PreActivationBlock(channels, filters, outputs, stride, kernels))
            for inner in range(len(kernels) - 1):
                self.observed[f"blocks.{position}.conv{inner}"] = (
                    f"blocks.{position}.relu{inner + 1}"
                )
            channels = outputs
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.add_head(channels, classes)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, H, W, C)."""
        self.check_inputs(inputs.shape)
        values = self.blocks(self.stem(channels_first(inputs)))
        outputs: Tensor = self.dense(self.pool(self.relu(self.norm(values))).flatten(1))
        return outputs
