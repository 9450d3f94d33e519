"""LeNet."""

from __future__ import annotations

from typing import Any

from gengap.networks.sequential import SequentialNetwork


def lenet(
    input_shape: tuple[int, ...], classes: int, *, activation: Any = "relu"
) -> SequentialNetwork:
    """Make LeNet-5 of LeCun et al. (1998) with ReLU by default, for images from 4x4.

    It has 5x5 convolutions of 6 and 16 channels, padded ``same`` so that small images fit, each
    with 2x2 average pooling; then dense layers of 120 and 84 units and one unit per class.

    Args:
        input_shape: (H, W, C).
        classes: number of outputs.
        activation: one of :data:`gengap.names.ACTIVATIONS`, after all layers but the last.

    Returns:
        The network.
    """
    convolution = {"layer_name": "Conv2D", "kernel_size": 5, "padding": "same"}
    pooling = {"layer_name": "AveragePooling2D", "pool_size": 2}
    return SequentialNetwork(
        [
            {**convolution, "filters": 6, "activation": activation},
            pooling,
            {**convolution, "filters": 16, "activation": activation},
            pooling,
            {"layer_name": "Flatten"},
            {"layer_name": "Dense", "units": 120, "activation": activation},
            {"layer_name": "Dense", "units": 84, "activation": activation},
            {"layer_name": "Dense", "units": classes},
        ],
        input_shape,
    )
