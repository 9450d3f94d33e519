"""VGG11, VGG13, VGG16 and VGG19 for small images."""

from __future__ import annotations

from typing import Any

from gengap.networks.keywords import integer
from gengap.networks.sequential import SequentialNetwork
from gengap.networks.templates import BATCH_MOMENTUM

DEPTHS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
"""Convolutions of each stage."""

MULTIPLES = (1, 2, 4, 8, 8)
"""Channels of each stage, as multiples of the width."""


def vgg(
    name: str, input_shape: tuple[int, ...], classes: int, *, width: Any = 64
) -> SequentialNetwork:
    """Make a VGG (Simonyan and Zisserman 2015, table 1, A, B, D and E) with batch normalisation.

    Its 3x3 ``same`` convolutions, each with batch normalisation and ReLU, form stages of
    ``width``, 2, 4, 8 and 8 times ``width`` channels. 2x2 max pooling follows each stage (padded,
    so that small images fit). The mean over the image and one dense layer end the network, as is
    usual for images of 32x32.

    Args:
        name: one of :data:`DEPTHS`.
        input_shape: (H, W, C).
        classes: number of outputs.
        width: channels of the first stage.

    Returns:
        The network.
    """
    width = integer(width, "width")
    layers: list[dict[str, Any]] = []
    for depth, times in zip(DEPTHS[name], MULTIPLES, strict=True):
        convolution = {
            "layer_name": "Conv2D",
            "filters": width * times,
            "kernel_size": 3,
            "padding": "same",
        }
        normalisation = {"layer_name": "BatchNormalization", "momentum": BATCH_MOMENTUM}
        activation = {"layer_name": "Activation", "activation": "relu"}
        layers += [convolution, normalisation, activation] * depth
        layers.append({"layer_name": "MaxPooling2D", "pool_size": 2, "padding": "same"})
    layers += [{"layer_name": "GlobalAveragePooling2D"}, {"layer_name": "Dense", "units": classes}]
    return SequentialNetwork(layers, input_shape)
