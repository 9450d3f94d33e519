"""AlexNet for small images."""

from __future__ import annotations

from typing import Any

from gengap.networks.keywords import integer
from gengap.networks.sequential import SequentialNetwork

# Kernel size, stride, channels as multiples of the width, and whether pooling follows.
CONVOLUTIONS = (
    (7, 4, 1, True),
    (5, 1, 3, True),
    (3, 1, 6, False),
    (3, 1, 4, False),
    (3, 1, 4, True),
)


def alexnet(input_shape: tuple[int, ...], classes: int, *, width: Any = 64) -> SequentialNetwork:
    """Make AlexNet (Krizhevsky 2014, "One weird trick") as Corneanu et al. (2020) cut it for 32x32.

    The network has five ``same`` convolutions of 64, 192, 384, 256 and 256 channels (at ``width``
    64) with ReLU, the first of 7x7 with stride 4. 2x2 max pooling follows the first, second and
    last. The mean over the image and one dense layer end the network.

    Args:
        input_shape: (H, W, C).
        classes: number of outputs.
        width: channels of the first convolution.

    Returns:
        The network.
    """
    width = integer(width, "width")
    layers: list[dict[str, Any]] = []
    for kernel, stride, times, pooled in CONVOLUTIONS:
        layers.append(
            {
                "layer_name": "Conv2D",
                "filters": width * times,
                "kernel_size": kernel,
                "strides": stride,
                "padding": "same",
                "activation": "relu",
            }
        )
        if pooled:
            layers.append({"layer_name": "MaxPooling2D", "pool_size": 2, "padding": "same"})
    layers += [{"layer_name": "GlobalAveragePooling2D"}, {"layer_name": "Dense", "units": classes}]
    return SequentialNetwork(layers, input_shape)
