"""LeNet of 10 and 20 channels and 50 units, whose pooled outputs are its neurons."""

from __future__ import annotations

from torch import Tensor, nn

from gengap.networks.keywords import KeywordError
from gengap.networks.layout import channels_first
from gengap.networks.network import Network

CHANNELS = (10, 20)
UNITS = 50
KERNEL = 5
SMALLEST_SIDE = 16


class LeNet102050(Network):
    """The LeNet of PyTorch's MNIST example, as Corneanu et al. (CVPR 2019, CVPR 2020) train it.

    Two unpadded 5x5 convolutions of 10 and 20 channels, each with 2x2 max pooling and then ReLU
    (and dropout of whole channels before the second pooling), a dense layer of 50 units and one
    unit per class: 21,840 parameters for images of 28x28x1 and ten classes.

    The observed outputs are those after pooling and ReLU, and of the dense layers: 1440, 320, 50
    and 10 neurons, 1820 together, for such images. (The published code takes the log-softmax of
    the last ten, not the logits.)
    """

    def __init__(self, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__(input_shape)
        if len(input_shape) != 3 or min(input_shape[:2]) < SMALLEST_SIDE:
            raise KeywordError(
                f"input_shape is {list(input_shape)}: give [height, width, channels], with a "
                f"height and a width of {SMALLEST_SIDE} or more."
            )
        first, second = CHANNELS
        self.conv1 = nn.Conv2d(input_shape[-1], first, KERNEL)
        self.pool1 = nn.MaxPool2d(2)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(first, second, KERNEL)
        self.drop = nn.Dropout2d()
        self.pool2 = nn.MaxPool2d(2)
        self.relu2 = nn.ReLU()
        height, width = (_pooled_twice(side) for side in input_shape[:2])
        self.dense1 = nn.Linear(second * height * width, UNITS)
        self.relu3 = nn.ReLU()
        self.dense2 = nn.Linear(UNITS, classes)
        self.observed |= {"conv1": "relu1", "conv2": "relu2", "dense1": "relu3", "dense2": "dense2"}
        self.outputs = classes

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, H, W, C)."""
        self.check_inputs(inputs.shape)
        values = self.relu1(self.pool1(self.conv1(channels_first(inputs))))
        values = self.relu2(self.pool2(self.drop(self.conv2(values))))
        outputs: Tensor = self.dense2(self.relu3(self.dense1(values.flatten(1))))
        return outputs


def _pooled_twice(side: int) -> int:
    """The side of the image after both convolutions with their pooling."""
    for _ in CHANNELS:
        side = (side - KERNEL + 1) // 2
    return side
