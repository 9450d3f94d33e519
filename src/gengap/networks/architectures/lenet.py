"""LeNet."""

from __future__ import annotations

from typing import Any

from gengap.errors import GengapError
from gengap.networks.sequential import SequentialNetwork

POOLINGS = {"average": "AveragePooling2D", "max": "MaxPooling2D"}


def lenet(
    input_shape: tuple[int, ...],
    classes: int,
    *,
    activation: Any = "relu",
    padding: str = "same",
    pooling: str = "average",
) -> SequentialNetwork:
    """Make LeNet-5 of LeCun et al. (1998) with ReLU by default, for images from 4x4.

    It has 5x5 convolutions of 6 and 16 channels, by default padded ``same`` so that small images
    fit, each with 2x2 pooling; then dense layers of 120 and 84 units and one unit per class.

    With ``padding="valid"`` and ``pooling="max"`` it is the LeNet-5 of many published codes: 62,006
    parameters for images of 32x32x3 and ten classes.

    Args:
        input_shape: (H, W, C).
        classes: number of outputs.
        activation: one of :data:`gengap.names.ACTIVATIONS`, after all layers but the last.
        padding: of the convolutions, ``same`` or ``valid``.
        pooling: ``average`` or ``max``.

    Returns:
        The network.

    Raises:
        GengapError: an unknown pooling.
    """
    if pooling not in POOLINGS:
        raise GengapError(
            f"The pooling of the architecture 'lenet' is {pooling!r}: choose one of "
            f"{', '.join(POOLINGS)}."
        )
    convolution = {"layer_name": "Conv2D", "kernel_size": 5, "padding": padding}
    pool = {"layer_name": POOLINGS[pooling], "pool_size": 2}
    return SequentialNetwork(
        [
            {**convolution, "filters": 6, "activation": activation},
            pool,
            {**convolution, "filters": 16, "activation": activation},
            pool,
            {"layer_name": "Flatten"},
            {"layer_name": "Dense", "units": 120, "activation": activation},
            {"layer_name": "Dense", "units": 84, "activation": activation},
            {"layer_name": "Dense", "units": classes},
        ],
        input_shape,
    )
