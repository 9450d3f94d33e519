"""ResNet-18 to ResNet-152 for small images, of any width and activation."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gengap.networks.activation_functions import activation as activation_module
from gengap.networks.keywords import KeywordError, integer
from gengap.networks.layout import channels_first
from gengap.networks.network import Network

EXPANSION = 4
"""Ratio of the outputs of a bottleneck to its inner channels."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation around a shortcut (He et al., 2016, fig. 2)."""

    def __init__(self, channels: int, filters: int, stride: int, activation: str) -> None:
        super().__init__()
        self.outputs = filters
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(filters)
        self.relu1 = activation_module(activation)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != filters:
            self.shortcut.append(nn.Conv2d(channels, filters, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(filters))
        self.relu2 = activation_module(activation)

    def forward(self, inputs: Tensor) -> Tensor:
        """Add the convolutions' outputs to the shortcut's, for images (n, C, H, W)."""
        residual = self.relu1(self.norm1(self.conv1(inputs)))
        residual = self.norm2(self.conv2(residual))
        outputs: Tensor = self.relu2(residual + self.shortcut(inputs))
        return outputs


class Bottleneck(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 with batch normalisation around a shortcut (ibid., fig. 5).

    The last one has four times the channels of the others.
    """

    def __init__(self, channels: int, filters: int, stride: int, activation: str) -> None:
        super().__init__()
        self.outputs = EXPANSION * filters
        self.conv1 = nn.Conv2d(channels, filters, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(filters)
        self.relu1 = activation_module(activation)
        self.conv2 = nn.Conv2d(filters, filters, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.relu2 = activation_module(activation)
        self.conv3 = nn.Conv2d(filters, self.outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(self.outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != self.outputs:
            self.shortcut.append(nn.Conv2d(channels, self.outputs, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(self.outputs))
        self.relu3 = activation_module(activation)

    def forward(self, inputs: Tensor) -> Tensor:
        """Add the convolutions' outputs to the shortcut's, for images (n, C, H, W)."""
        residual = self.relu1(self.norm1(self.conv1(inputs)))
        residual = self.relu2(self.norm2(self.conv2(residual)))
        residual = self.norm3(self.conv3(residual))
        outputs: Tensor = self.relu3(residual + self.shortcut(inputs))
        return outputs


class ResNet(Network):
    """Residual networks (He et al., 2016) with the CIFAR stem: one 3x3 convolution and no pooling.

    Four stages of blocks with ``width``, 2, 4 and 8 times ``width`` channels; all but the first
    halve the image. The observed outputs are those of the activation after each convolution (for a
    block's last one, after the shortcut is added) and of the final linear layer.
    """

    block: type[BasicBlock | Bottleneck] = BasicBlock
    stages: tuple[int, ...] = (2, 2, 2, 2)

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        width: Any = 64,
        activation: Any = "relu",
    ) -> None:
        super().__init__(input_shape)
        if len(input_shape) != 3:
            raise KeywordError(
                f"input_shape is {list(input_shape)}: give [height, width, channels]."
            )
        width = channels = integer(width, "width")
        self.stem = nn.Conv2d(input_shape[-1], channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = activation_module(activation)
        self.observed["stem"] = "relu"
        self.blocks = nn.Sequential()
        convolutions = 2 if self.block is BasicBlock else 3
        for stage, count in enumerate(self.stages):
            for later in range(count):
                name = f"blocks.{len(self.blocks)}"
                stride = 2 if stage > 0 and not later else 1
                block = self.block(channels, width * 2**stage, stride, activation)
                self.blocks.append(block)
                for part in range(1, convolutions + 1):
                    self.observed[f"{name}.conv{part}"] = f"{name}.relu{part}"
                channels = block.outputs
        self.add_head(channels, classes)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, H, W, C)."""
        self.check_inputs(inputs.shape)
        values = self.relu(self.norm(self.stem(channels_first(inputs))))
        outputs: Tensor = self.dense(self.pool(self.blocks(values)).flatten(1))
        return outputs


class ResNet18(ResNet):
    """ResNet-18 (He et al., 2016) with the CIFAR stem: one 3x3 convolution and no pooling.

    Four stages of two blocks with ``width``, 2, 4 and 8 times ``width`` channels; all but the first
    halve the image. ``width`` 64 is the usual ResNet-18. ResNet18(k) of Nakkiran et al. (2020) and
    Maddox et al. (2020) has the same stages of pre-activation blocks, with 16 batch normalisations
    instead of 20: 11,217,316 parameters for 100 classes at width 64, where this one has 11,220,132.
    The observed outputs are those of the ReLU after each 3x3
    convolution (for a block's second one, after the shortcut is added) and of the final linear
    layer.
    """


class ResNet34(ResNet):
    """ResNet-34 with the CIFAR stem: stages of 3, 4, 6 and 3 blocks, see :class:`ResNet`."""

    stages = (3, 4, 6, 3)


class ResNet50(ResNet):
    """ResNet-50 with the CIFAR stem: the stages of ResNet-34 with bottlenecks."""

    block = Bottleneck
    stages = (3, 4, 6, 3)


class ResNet101(ResNet):
    """ResNet-101 with the CIFAR stem: stages of 3, 4, 23 and 3 bottlenecks."""

    block = Bottleneck
    stages = (3, 4, 23, 3)


class ResNet152(ResNet):
    """ResNet-152 with the CIFAR stem: stages of 3, 8, 36 and 3 bottlenecks."""

    block = Bottleneck
    stages = (3, 8, 36, 3)
