"""GoogLeNet (Inception v1) for small images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gengap.networks.keywords import check_images, integer
from gengap.networks.layout import channels_first
from gengap.networks.network import Network

STEM = 192
# Channels of each module (Szegedy et al. 2015, table 1): 1x1; 1x1 before 3x3, 3x3; 1x1 before 5x5,
# 5x5; 1x1 after pooling. None is 3x3 max pooling with stride 2.
MODULES: tuple[tuple[int, int, int, int, int, int] | None, ...] = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    None,
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    None,
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
USUAL_WIDTH = 64


class Convolution(nn.Module):
    """A convolution that keeps the image's size, batch normalisation and ReLU."""

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU()

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply convolution, normalisation and ReLU to images (n, C, H, W)."""
        outputs: Tensor = self.relu(self.norm(self.conv(inputs)))
        return outputs


class InceptionModule(nn.Module):
    """Four parallel branches; the 5x5 convolution is replaced by two of 3x3, as is usual."""

    def __init__(self, channels: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        one, before_three, three, before_five, five, pooled = sizes
        self.branches = nn.ModuleList(
            [
                nn.Sequential(Convolution(channels, one, 1)),
                nn.Sequential(
                    Convolution(channels, before_three, 1), Convolution(before_three, three, 3)
                ),
                nn.Sequential(
                    Convolution(channels, before_five, 1),
                    Convolution(before_five, five, 3),
                    Convolution(five, five, 3),
                ),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), Convolution(channels, pooled, 1)),
            ]
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Concatenate the branches' channels for images (n, C, H, W)."""
        return torch.cat([branch(inputs) for branch in self.branches], dim=1)


class Inception(Network):
    """GoogLeNet (Szegedy et al. 2015) with a stem of one 3x3 convolution, batch normalisation.

    ``width`` is the number of channels of the first module's 1x1 branch, 64 in the paper; all
    others are in proportion. The observed outputs are those of the ReLU after each convolution and
    of the final linear layer.
    """

    def __init__(self, input_shape: tuple[int, ...], classes: int, *, width: Any = 64) -> None:
        super().__init__(input_shape)
        check_images(input_shape)
        base: int = integer(width, "width")

        def scaled(channels: int) -> int:
            return max(1, channels * base // USUAL_WIDTH)

        channels = scaled(STEM)
        self.stem = Convolution(input_shape[-1], channels, 3)
        self.blocks = nn.Sequential()
        for sizes in MODULES:
            if sizes is None:
                self.blocks.append(nn.MaxPool2d(3, 2, padding=1))
                continue
            fitted = tuple(scaled(size) for size in sizes)
            self.blocks.append(InceptionModule(channels, fitted))
            channels = fitted[0] + fitted[2] + fitted[4] + fitted[5]
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Linear(channels, classes)
        for name, module in self.named_modules():
            if isinstance(module, Convolution):
                self.observed[f"{name}.conv"] = f"{name}.relu"
        self.observed["dense"] = "dense"
        self.outputs = classes

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, H, W, C)."""
        self.check_inputs(inputs.shape)
        values = self.pool(self.blocks(self.stem(channels_first(inputs))))
        outputs: Tensor = self.dense(values.flatten(1))
        return outputs
