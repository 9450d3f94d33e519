"""Conv-2, Conv-4 and Conv-6."""

from __future__ import annotations

from typing import Any

from gengap.networks.keywords import integer
from gengap.networks.sequential import SequentialNetwork

UNITS_PER_WIDTH = 4


def conv_2(input_shape: tuple[int, ...], classes: int, *, width: Any = 64) -> SequentialNetwork:
    """Make Conv-2 (Frankle and Carbin 2019): one block of two convolutions."""
    return _conv(input_shape, classes, integer(width, "width"), blocks=1)


def conv_4(input_shape: tuple[int, ...], classes: int, *, width: Any = 64) -> SequentialNetwork:
    """Make Conv-4 (Frankle and Carbin 2019): two blocks of two convolutions."""
    return _conv(input_shape, classes, integer(width, "width"), blocks=2)


def conv_6(input_shape: tuple[int, ...], classes: int, *, width: Any = 64) -> SequentialNetwork:
    """Make Conv-6 (Frankle and Carbin 2019): three blocks of two convolutions."""
    return _conv(input_shape, classes, integer(width, "width"), blocks=3)


def _conv(input_shape: tuple[int, ...], classes: int, width: int, blocks: int) -> SequentialNetwork:
    """Make a small variant of VGG.

    The networks are those of Frankle and Carbin (2019, "The lottery ticket hypothesis", fig. 2),
    with ReLU. Blocks of two 3x3 ``same`` convolutions have ``width``, 2 and 4 times ``width``
    channels and 2x2 max pooling (padded, so that small images fit). Two dense layers of
    4 * ``width`` units and one of the classes follow.

    Args:
        input_shape: (H, W, C).
        classes: number of outputs.
        width: channels of the first block.
        blocks: number of blocks.

    Returns:
        The network.
    """
    layers: list[dict[str, Any]] = []
    for block in range(blocks):
        convolution = {
            "layer_name": "Conv2D",
            "filters": width * 2**block,
            "kernel_size": 3,
            "padding": "same",
            "activation": "relu",
        }
        pooling = {"layer_name": "MaxPooling2D", "pool_size": 2, "padding": "same"}
        layers += [convolution, convolution, pooling]
    hidden = {"layer_name": "Dense", "units": UNITS_PER_WIDTH * width, "activation": "relu"}
    output = {"layer_name": "Dense", "units": classes}
    return SequentialNetwork(
        [*layers, {"layer_name": "Flatten"}, hidden, hidden, output], input_shape
    )
