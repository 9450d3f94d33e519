"""ResNet18(k): ResNet-18 of pre-activation blocks, for small images and any width."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gengap.networks.keywords import check_images, integer
from gengap.networks.layout import channels_first
from gengap.networks.network import Network

STAGES = 4
BLOCKS = 2
"""Number of blocks of each stage."""


class ActivatedShortcutBlock(nn.Module):
    """Two 3x3 convolutions, each after batch normalisation and ReLU, parallel to a shortcut.

    Where the shape changes, the shortcut is a 1x1 convolution of the activated inputs; elsewhere it
    is the inputs themselves.
    """

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels != filters:
            self.shortcut = nn.Conv2d(channels, filters, 1, stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Add the convolutions' outputs to the shortcut's, for images (n, C, H, W)."""
        activated = self.relu1(self.norm1(inputs))
        residual: Tensor = self.conv2(self.relu2(self.norm2(self.conv1(activated))))
        return residual + (inputs if self.shortcut is None else self.shortcut(activated))


class PreActResNet18(Network):
    """ResNet18(k) of Nakkiran et al. (2020) and Maddox et al. (2020), with k the ``width``.

    One 3x3 convolution, then four stages of two pre-activation blocks (He et al., 2016, "Identity
    mappings in deep residual networks") with ``width``, 2, 4 and 8 times ``width`` channels; all
    stages but the first halve the image. The mean over the image and a linear layer follow, without
    normalisation or ReLU between. With width 64 and 100 classes: 16 batch normalisations and
    11,217,316 parameters. The observed outputs are those of the ReLU after each block's first
    convolution, and of the linear layer.
    """

    def __init__(self, input_shape: tuple[int, ...], classes: int, *, width: Any = 64) -> None:
        super().__init__(input_shape)
        check_images(input_shape)
        width = channels = integer(width, "width")
        self.stem = nn.Conv2d(input_shape[-1], channels, 3, padding=1, bias=False)
        self.blocks = nn.Sequential()
        for position in range(STAGES * BLOCKS):
            stage, later = divmod(position, BLOCKS)
            filters = width * 2**stage
            stride = 2 if stage > 0 and not later else 1
            self.blocks.append(ActivatedShortcutBlock(channels, filters, stride))
            self.observed[f"blocks.{position}.conv1"] = f"blocks.{position}.relu2"
            channels = filters
        self.add_head(channels, classes)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, H, W, C)."""
        self.check_inputs(inputs.shape)
        values = self.blocks(self.stem(channels_first(inputs)))
        outputs: Tensor = self.dense(self.pool(values).flatten(1))
        return outputs
