"""ConvNet of any width and depth."""

from __future__ import annotations

from typing import Any

from gengap.networks.keywords import integer
from gengap.networks.sequential import SequentialNetwork

STAGES = 3
SMALLEST_POOLED_SIDE = 2
EPSILON = 1e-5
MOMENTUM = 0.9


def convnet(
    input_shape: tuple[int, ...], classes: int, *, width: Any = 64, depth: Any = 3
) -> SequentialNetwork:
    """Make a convolutional network of Maddox et al. (2020, fig. 2), after Nakkiran et al. (2020).

    It has 3x3 ``same`` convolutions, each with batch normalisation and ReLU: one of ``width``
    channels, then ``depth`` more in three stages as equal as possible (the first stages take the
    remainder). The last convolution of a stage doubles the channels, and 2x2 max pooling follows it
    while the image is large enough. The maximum over the image and a dense layer end the network.
    With depth 3 and width 64 it is the usual five-layer network (10 classes: 1.56 million
    parameters).

    Args:
        input_shape: (H, W, C).
        classes: number of outputs.
        width: channels of the first convolution.
        depth: convolutions after the first; 0 leaves it alone.

    Returns:
        The network.
    """
    channels, depth = integer(width, "width"), integer(depth, "depth", minimum=0)
    side = min(input_shape[:2])
    layers = _block(channels)
    for stage in range(STAGES):
        count = (depth - stage + STAGES - 1) // STAGES
        if count <= 0:
            continue
        for _ in range(count - 1):
            layers += _block(channels)
        channels *= 2
        layers += _block(channels)
        if side >= SMALLEST_POOLED_SIDE:
            layers.append({"layer_name": "MaxPooling2D", "pool_size": 2})
            side //= 2
    layers += [{"layer_name": "GlobalMaxPooling2D"}, {"layer_name": "Dense", "units": classes}]
    return SequentialNetwork(layers, input_shape)


def _block(channels: int) -> list[dict[str, Any]]:
    return [
        {"layer_name": "Conv2D", "filters": channels, "kernel_size": 3, "padding": "same"},
        {"layer_name": "BatchNormalization", "momentum": MOMENTUM, "epsilon": EPSILON},
        {"layer_name": "ReLU"},
    ]
