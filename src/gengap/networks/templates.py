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
        if side >= SMALLEST_POOLED_SIDE:
            layers.append({"layer_name": f"MaxPooling{axes}D", "pool_size": [2] * axes})
            side //= 2
        layers += _dropout(dropout)
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


def _dropout(rate: float) -> list[dict[str, Any]]:
    return [{"layer_name": "Dropout", "rate": rate}] if rate > 0 else []


TEMPLATES: dict[str, Callable[..., dict[str, Any]]] = {
    "convolutional": convolutional,
    "dense": dense,
}
