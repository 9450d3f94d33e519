"""ResNet-18, 34, 50, 101 and 152 for small images, of any width and activation."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gengap.networks.activation_functions import activation as activation_module
from gengap.networks.keywords import check_images, integer
from gengap.networks.layout import channels_first
from gengap.networks.network import Network


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation around a shortcut (He et al., 2016, fig. 2)."""

    convolutions = 2
    expansion = 1

    def __init__(self, channels: int, filters: int, stride: int, activation: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(filters)
        self.relu1 = activation_module(activation)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.shortcut = _shortcut(channels, filters, stride)
        self.relu2 = activation_module(activation)

    def forward(self, inputs: Tensor) -> Tensor:
        """Add the convolutions' outputs to the shortcut's, for images (n, C, H, W)."""
        residual = self.relu1(self.norm1(self.conv1(inputs)))
        residual = self.norm2(self.conv2(residual))
        outputs: Tensor = self.relu2(residual + self.shortcut(inputs))
        return outputs


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution around a shortcut (He et al., 2016, fig. 5, right).

    The stride is that of the 3x3 convolution, as in most implementations.
    """

    convolutions = 3
    expansion = 4

    def __init__(self, channels: int, filters: int, stride: int, activation: str) -> None:
        super().__init__()
        outputs = self.expansion * filters
        self.conv1 = nn.Conv2d(channels, filters, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(filters)
        self.relu1 = activation_module(activation)
        self.conv2 = nn.Conv2d(filters, filters, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.relu2 = activation_module(activation)
        self.conv3 = nn.Conv2d(filters, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(channels, outputs, stride)
        self.relu3 = activation_module(activation)

    def forward(self, inputs: Tensor) -> Tensor:
        """Add the convolutions' outputs to the shortcut's, for images (n, C, H, W)."""
        residual = self.relu1(self.norm1(self.conv1(inputs)))
        residual = self.relu2(self.norm2(self.conv2(residual)))
        residual = self.norm3(self.conv3(residual))
        outputs: Tensor = self.relu3(residual + self.shortcut(inputs))
        return outputs


def _shortcut(channels: int, outputs: int, stride: int) -> nn.Sequential:
    """Return the identity, or a 1x1 convolution with batch normalisation where shapes differ."""
    if stride == 1 and channels == outputs:
        return nn.Sequential()
    convolution = nn.Conv2d(channels, outputs, 1, stride, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


BLOCKS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
}
"""The kind of block, and the number of blocks of each stage (He et al., 2016, table 1)."""


class ResNet(Network):
    """A ResNet (He et al., 2016) with the CIFAR stem: one 3x3 convolution and no pooling.

    Four stages of blocks with ``width``, 2, 4 and 8 times ``width`` channels; all but the first
    halve the image. ``width`` 64 is the usual one; blocks from ResNet-50 on end in four times as
    many channels. ResNet18(k) of Nakkiran et al. (2020), of pre-activation blocks, is
    ``preact_resnet18``. The observed outputs are those of the activation after each convolution
    (for a block's last one, after the shortcut is added) and of the final linear layer.
    """

    def __init__(
        self,
        name: str,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        width: Any = 64,
        activation: Any = "relu",
    ) -> None:
        super().__init__(input_shape)
        check_images(input_shape)
        width = channels = integer(width, "width")
        self.stem = nn.Conv2d(input_shape[-1], channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = activation_module(activation)
        self.observed["stem"] = "relu"
        self.blocks = nn.Sequential()
        block, depths = BLOCKS[name]
        for stage, depth in enumerate(depths):
            filters = width * 2**stage
            for later in range(depth):
                stride = 2 if stage > 0 and not later else 1
                position = len(self.blocks)
                self.blocks.append(block(channels, filters, stride, activation))
                for place in range(1, block.convolutions + 1):
                    prefix = f"blocks.{position}"
                    self.observed[f"{prefix}.conv{place}"] = f"{prefix}.relu{place}"
                channels = block.expansion * filters
        self.add_head(channels, classes)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, H, W, C)."""
        self.check_inputs(inputs.shape)
        values = self.relu(self.norm(self.stem(channels_first(inputs))))
        outputs: Tensor = self.dense(self.pool(self.blocks(values)).flatten(1))
        return outputs
