"""DenseNet-121, 161, 169 and 201 for small images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.networks.keywords import check_images, integer
from gengap.networks.layout import channels_first
from gengap.networks.network import Network

BLOCKS = {
    "densenet121": (6, 12, 24, 16),
    "densenet161": (6, 12, 36, 24),
    "densenet169": (6, 12, 32, 32),
    "densenet201": (6, 12, 48, 32),
}
"""Layers of each block (Huang et al. 2017, table 1)."""

GROWTH = dict.fromkeys(BLOCKS, 32) | {"densenet161": 48}
BOTTLENECK = 4
SMALLEST_POOLED_SIDE = 2


class DenseLayer(nn.Module):
    """A 1x1 and a 3x3 convolution, each after batch normalisation and ReLU."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, BOTTLENECK * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * growth)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(BOTTLENECK * growth, growth, 3, padding=1, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``growth`` new channels before those of the inputs (n, C, H, W)."""
        inner = self.conv1(functional.relu(self.norm1(inputs)))
        return torch.cat([self.conv2(self.relu2(self.norm2(inner))), inputs], dim=1)


class Transition(nn.Module):
    """A 1x1 convolution that halves the channels, and pooling that halves the image if it can."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply normalisation, ReLU, convolution and pooling to images (n, C, H, W)."""
        outputs: Tensor = self.conv(functional.relu(self.norm(inputs)))
        if min(outputs.shape[2:]) < SMALLEST_POOLED_SIDE:
            return outputs
        return functional.avg_pool2d(outputs, 2)


class DenseNet(Network):
    """A DenseNet (Huang et al. 2017, table 1) with one 3x3 convolution and no pooling at first.

    Four blocks of layers that each add ``growth`` channels (32, and 48 for DenseNet-161, if it is
    None), with transitions that halve channels and image between them. The observed outputs are
    those of the stem, of the ReLU after each 1x1 convolution in a block, of each 3x3 convolution
    and each transition (whose ReLU follows only after concatenation or the next normalisation), and
    of the final linear layer.
    """

    def __init__(
        self, name: str, input_shape: tuple[int, ...], classes: int, *, growth: Any = None
    ) -> None:
        super().__init__(input_shape)
        check_images(input_shape)
        growth = GROWTH[name] if growth is None else integer(growth, "growth")
        channels = 2 * growth
        self.stem = nn.Conv2d(input_shape[-1], channels, 3, padding=1, bias=False)
        self.observed["stem"] = "stem"
        self.blocks = nn.Sequential()
        blocks = BLOCKS[name]
        for block, depth in enumerate(blocks):
            for _ in range(depth):
                name = f"blocks.{len(self.blocks)}"
                self.blocks.append(DenseLayer(channels, growth))
                self.observed[f"{name}.conv1"] = f"{name}.relu2"
                self.observed[f"{name}.conv2"] = f"{name}.conv2"
                channels += growth
            if block < len(blocks) - 1:
                name = f"blocks.{len(self.blocks)}"
                self.blocks.append(Transition(channels))
                self.observed[f"{name}.conv"] = f"{name}.conv"
                channels //= 2
        self.norm = nn.BatchNorm2d(channels)
        self.add_head(channels, classes)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, H, W, C)."""
        self.check_inputs(inputs.shape)
        values = self.blocks(self.stem(channels_first(inputs)))
        values = self.pool(functional.relu(self.norm(values)))
        outputs: Tensor = self.dense(values.flatten(1))
        return outputs
