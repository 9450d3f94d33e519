"""Specs of plain networks by width and depth, for grids of hyper-parameters.

To add a template, write a function, list it in :data:`TEMPLATES` and in
:data:`gengap.names.TEMPLATES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gengap.errors import GengapError

MOVED_OVER = (1, 2, 3)
"""Numbers of axes that a convolution moves over: those of series, images and volumes."""

SMALLEST_POOLED_SIDE = 4
"""Images are halved after a convolution while their shorter side has at least this many cells."""

BATCH_MOMENTUM = 0.9
"""Momentum of batch normalisation. With Keras' 0.99 the running statistics lag hundreds of steps
behind, longer than a small zoo trains."""

CONVOLUTIONS_OF_A_BLOCK = 2
"""Convolutions of each block of a network like VGG."""

DENSE_WIDTH = 128
"""Units of the hidden dense layers of a network like VGG, as in the first task of PGDL."""

LAYERS_OF_A_NIN_BLOCK = 3
"""Convolutions of each block of a network in network: one that looks at neighbours, and two that
look at each place alone."""


def convolutional(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: int,
    depth: int,
    dropout: float = 0.0,
    batch_normalisation: bool = False,
    activation: str = "relu",
) -> dict[str, Any]:
    """Return the spec of a plain convolutional network.

    It has ``depth`` blocks, each of a 3x3 ``same`` convolution, batch normalisation, the
    activation, 2x2 max pooling while the image is large enough, and dropout. Flatten and Dense
    follow. Series and volumes have windows over one and three axes.

    Args:
        input_shape: (H, W, C), or (length, C) or (D, H, W, C).
        classes: number of outputs.
        width: channels of each convolution.
        depth: number of blocks.
        dropout: probability; 0 leaves the layer out.
        batch_normalisation: whether blocks have it.
        activation: one of :data:`gengap.names.ACTIVATIONS`.

    Returns:
        What :func:`gengap.networks.build` takes.

    Raises:
        GengapError: inputs are vectors or tokens.
    """
    layers: list[dict[str, Any]] = []
    axes = len(input_shape) - 1
    if axes not in MOVED_OVER:
        raise GengapError(
            "The template 'convolutional' takes images, series or volumes, not inputs of the shape "
            f"{list(input_shape)}: take the template 'dense'."
        )
    convolution = {
        "layer_name": f"Conv{axes}D",
        "filters": width,
        "kernel_size": [3] * axes,
        "padding": "same",
    }
    side = min(input_shape[:-1])
    for _ in range(depth):
        layers += _activated(convolution, batch_normalisation, activation)
        pooling, side = _pooled(side, axes)
        layers += [*pooling, *_dropout(dropout)]
    layers += [{"layer_name": "Flatten"}, {"layer_name": "Dense", "units": classes}]
    return {"model_config": layers, "input_shape": list(input_shape)}


def dense(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: int,
    depth: int,
    dropout: float = 0.0,
    batch_normalisation: bool = False,
    activation: str = "relu",
) -> dict[str, Any]:
    """Return the spec of a fully connected network.

    It has ``depth`` hidden layers of ``width`` units, each with batch normalisation, the activation
    and dropout. Dense follows.

    Args:
        input_shape: of any kind of inputs but tokens.
        classes: number of outputs.
        width: units of each hidden layer.
        depth: number of hidden layers.
        dropout: probability; 0 leaves the layer out.
        batch_normalisation: whether hidden layers have it.
        activation: one of :data:`gengap.names.ACTIVATIONS`.

    Returns:
        What :func:`gengap.networks.build` takes.
    """
    layers: list[dict[str, Any]] = [{"layer_name": "Flatten"}] if len(input_shape) > 1 else []
    for _ in range(depth):
        layers += _activated(
            {"layer_name": "Dense", "units": width}, batch_normalisation, activation
        )
        layers += _dropout(dropout)
    layers.append({"layer_name": "Dense", "units": classes})
    return {"model_config": layers, "input_shape": list(input_shape)}


def vgg_like(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: int,
    depth: int,
    dense_layers: int = 1,
    dropout: float = 0.0,
    batch_normalisation: bool = False,
    activation: str = "relu",
) -> dict[str, Any]:
    """Return the spec of a network shaped as those of the first task of PGDL.

    It has ``depth`` blocks, each of two 3x3 ``same`` convolutions, 2x2 max pooling while the image
    is large enough, and dropout. Flatten, ``dense_layers`` dense layers of
    :data:`DENSE_WIDTH` units with dropout, and Dense follow. The hyper-parameters are those of
    the task (Jiang et al. 2020, arXiv:2012.07976); its layers are not published as text.

    Args:
        input_shape: (H, W, C).
        classes: number of outputs.
        width: channels of each convolution.
        depth: number of blocks.
        dense_layers: number of hidden dense layers.
        dropout: probability; 0 leaves the layer out.
        batch_normalisation: whether hidden layers have it.
        activation: one of :data:`gengap.names.ACTIVATIONS`.

    Returns:
        What :func:`gengap.networks.build` takes.

    Raises:
        GengapError: inputs are no images.
    """
    _check_images("vgg_like", input_shape)
    layers: list[dict[str, Any]] = []
    side = min(input_shape[:-1])
    for _ in range(depth):
        for _ in range(CONVOLUTIONS_OF_A_BLOCK):
            layers += _activated(_convolution(width, 3), batch_normalisation, activation)
        pooling, side = _pooled(side, 2)
        layers += [*pooling, *_dropout(dropout)]
    layers.append({"layer_name": "Flatten"})
    for _ in range(dense_layers):
        hidden = {"layer_name": "Dense", "units": DENSE_WIDTH}
        layers += [*_activated(hidden, batch_normalisation, activation), *_dropout(dropout)]
    layers.append({"layer_name": "Dense", "units": classes})
    return {"model_config": layers, "input_shape": list(input_shape)}


def nin_like(
    input_shape: Sequence[int],
    classes: int,
    *,
    width: int,
    depth: int,
    dropout: float = 0.0,
    batch_normalisation: bool = False,
    activation: str = "relu",
) -> dict[str, Any]:
    """Return the spec of a network in network, shaped as those of the second task of PGDL.

    It has ``depth`` convolutions with ``same`` padding: each third one, from the first on, is 3x3,
    and the two after it are 1x1 (Lin et al. 2014, arXiv:1312.4400). Every three are followed by
    2x2 max pooling while the image is large enough, and by dropout. A 1x1 convolution to the
    classes and global average pooling follow.

    Args:
        input_shape: (H, W, C).
        classes: number of outputs.
        width: channels of each convolution.
        depth: number of convolutions before the last.
        dropout: probability; 0 leaves the layer out.
        batch_normalisation: whether hidden layers have it.
        activation: one of :data:`gengap.names.ACTIVATIONS`.

    Returns:
        What :func:`gengap.networks.build` takes.

    Raises:
        GengapError: inputs are no images.
    """
    _check_images("nin_like", input_shape)
    layers: list[dict[str, Any]] = []
    side = min(input_shape[:-1])
    for place in range(depth):
        kernel = 1 if place % LAYERS_OF_A_NIN_BLOCK else 3
        layers += _activated(_convolution(width, kernel), batch_normalisation, activation)
        if (place + 1) % LAYERS_OF_A_NIN_BLOCK == 0:
            pooling, side = _pooled(side, 2)
            layers += [*pooling, *_dropout(dropout)]
    layers += [_convolution(classes, 1), {"layer_name": "GlobalAveragePooling2D"}]
    return {"model_config": layers, "input_shape": list(input_shape)}


def _check_images(template: str, input_shape: Sequence[int]) -> None:
    if len(input_shape) != len(("height", "width", "channels")):
        raise GengapError(
            f"The template '{template}' takes images, not inputs of the shape "
            f"{list(input_shape)}: take the template 'dense'."
        )


def _convolution(filters: int, kernel: int) -> dict[str, Any]:
    return {
        "layer_name": "Conv2D",
        "filters": filters,
        "kernel_size": [kernel, kernel],
        "padding": "same",
    }


def _activated(
    layer: dict[str, Any], batch_normalisation: bool, activation: str
) -> list[dict[str, Any]]:
    if not batch_normalisation:
        return [{**layer, "activation": activation}]
    return [
        layer,
        {"layer_name": "BatchNormalization", "momentum": BATCH_MOMENTUM},
        {"layer_name": "Activation", "activation": activation},
    ]


def _pooled(side: int, axes: int) -> tuple[list[dict[str, Any]], int]:
    """Max pooling of images that are large enough, and their shorter side after it."""
    if side < SMALLEST_POOLED_SIDE:
        return [], side
    return [{"layer_name": f"MaxPooling{axes}D", "pool_size": [2] * axes}], side // 2


def _dropout(rate: float) -> list[dict[str, Any]]:
    return [{"layer_name": "Dropout", "rate": rate}] if rate > 0 else []


TEMPLATES: dict[str, Callable[..., dict[str, Any]]] = {
    "convolutional": convolutional,
    "dense": dense,
    "vgg_like": vgg_like,
    "nin_like": nin_like,
}
