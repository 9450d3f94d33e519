"""Keras' layers as torch modules: one function per layer, with Keras' keywords.

Each function takes the layer's input shape (Keras' order, without the batch) and its keywords. It
returns the modules of the layer in order, each with a suffix for its name. Convolutions and linear
maps are plain ``torch.nn`` modules; padding and activation are modules of their own around them, so
that hooks and curvature libraries see what they know. To add a layer, write a function, list it in
:data:`LAYERS` and in :data:`gengap.names.LAYERS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from torch import nn

from gengap import names
from gengap.networks.activation_functions import CHANNEL_AXIS, KerasReLU, activation
from gengap.networks.keywords import KeywordError, choice, flag, integer, number, pair
from gengap.networks.layout import ChannelsFirst, ChannelsLast, Flatten
from gengap.networks.padding import NO_PADS, AveragePooling, pads_of

Shape = tuple[int, ...]
Modules = list[tuple[str, nn.Module]]
Layer = Callable[..., Modules]

PADDINGS = ("same", "valid")
IMAGE_AXES = 3


def _image(shape: Shape) -> tuple[int, int]:
    if len(shape) != IMAGE_AXES:
        raise KeywordError(
            f"it takes images, but its input has the shape {list(shape)}: "
            "put it before Flatten or global pooling, or leave it out."
        )
    return shape[0], shape[1]


def _layout(data_format: str | None) -> None:
    if data_format not in (None, "channels_last"):
        raise KeywordError(f"data_format is {data_format!r}: only channels_last is supported.")


def _only(value: Any, key: str, supported: Any) -> None:
    if value != supported:
        raise KeywordError(
            f"{key} is {value!r}: only {json.dumps(supported)} is supported, so leave it out."
        )


def _last_axis(axis: Any, shape: Shape) -> None:
    axes = axis if isinstance(axis, list | tuple) else [axis]
    last = len(shape)  # Keras counts the batch axis
    if len(axes) != 1 or axes[0] not in (-1, last):
        raise KeywordError(f"axis is {axis!r}: only the last axis (-1) is supported.")


def _fits(
    image: tuple[int, int],
    window: tuple[int, int],
    padding: str,
    dilation: tuple[int, int] = (1, 1),
) -> None:
    reach = [(size - 1) * rate + 1 for size, rate in zip(window, dilation, strict=True)]
    if padding == "valid" and (reach[0] > image[0] or reach[1] > image[1]):
        raise KeywordError(
            f"its window of {reach[0]}x{reach[1]} does not fit its input of "
            f"{image[0]}x{image[1]}: use padding 'same', a smaller window or fewer poolings."
        )


def _activated(name: str | None) -> Modules:
    module = activation(name)
    return [] if isinstance(module, nn.Identity) else [(f"_{name}", module)]


def conv2d(
    shape: Shape,
    *,
    filters: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
    groups: Any = 1,
    activation: Any = None,
    use_bias: Any = True,
) -> Modules:
    """Make Keras' Conv2D."""
    image = _image(shape)
    _layout(data_format)
    choice(padding, "padding", PADDINGS)
    filters, groups = integer(filters, "filters"), integer(groups, "groups")
    window, step = pair(kernel_size, "kernel_size"), pair(strides, "strides")
    dilation = pair(dilation_rate, "dilation_rate")
    if step != (1, 1) and dilation != (1, 1):
        raise KeywordError("strides and dilation_rate are both above 1: Keras refuses this too.")
    if shape[-1] % groups or filters % groups:
        raise KeywordError(
            f"groups is {groups}, which does not divide {shape[-1]} channels and {filters} "
            "filters: choose a divisor of both."
        )
    _fits(image, window, padding, dilation)
    left, right, top, bottom = pads = pads_of(padding, image, window, step, dilation)
    symmetric = (left, top) == (right, bottom)
    convolution = nn.Conv2d(
        shape[-1],
        filters,
        window,
        stride=step,
        padding=(top, left) if symmetric else 0,
        dilation=dilation,
        groups=groups,
        bias=flag(use_bias, "use_bias"),
    )
    around: Modules = [] if symmetric else [("_padding", nn.ZeroPad2d(pads))]
    return [*around, ("", convolution), *_activated(activation)]


def dense(shape: Shape, *, units: Any, activation: Any = None, use_bias: Any = True) -> Modules:
    """Make Keras' Dense, which acts on the last axis, even of an image that is not flattened."""
    linear = nn.Linear(shape[-1], integer(units, "units"), bias=flag(use_bias, "use_bias"))
    if len(shape) == IMAGE_AXES:
        return [
            ("_channels_last", ChannelsLast()),
            ("", linear),
            ("_channels_first", ChannelsFirst()),
            *_activated(activation),
        ]
    return [("", linear), *_activated(activation)]


def batch_normalization(
    shape: Shape,
    *,
    axis: Any = -1,
    momentum: Any = 0.99,
    epsilon: Any = 1e-3,
    center: Any = True,
    scale: Any = True,
    renorm: Any = False,
) -> Modules:
    """Make Keras' BatchNormalization; torch's momentum is one minus Keras'.

    During training torch keeps the unbiased variance of a batch where Keras keeps the biased one. A
    trained layer computes the same in both.

    Args:
        shape: shape of the input.
        axis: the last one; no other is supported.
        momentum: weight of the old running statistics, in [0, 1].
        epsilon: added to the variance.
        center: whether a shift is learned.
        scale: whether a factor is learned.
        renorm: batch renormalisation, which is refused.

    Returns:
        The module, without a suffix.
    """
    _last_axis(axis, shape)
    _only(renorm, "renorm", False)
    kind = nn.BatchNorm2d if len(shape) == IMAGE_AXES else nn.BatchNorm1d
    module = kind(
        shape[-1],
        eps=number(epsilon, "epsilon", low=0.0),
        momentum=1.0 - number(momentum, "momentum", low=0.0, high=1.0),
    )
    if not flag(scale, "scale"):
        module.register_parameter("weight", None)
    if not flag(center, "center"):
        module.register_parameter("bias", None)
    return [("", module)]


def dropout(shape: Shape, *, rate: Any, noise_shape: Any = None) -> Modules:
    """Make Keras' Dropout."""
    _only(noise_shape, "noise_shape", None)
    return [("", nn.Dropout(number(rate, "rate", low=0.0, high=1.0)))]


def max_pooling2d(
    shape: Shape,
    *,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Modules:
    """Make Keras' MaxPooling2D."""
    window, step, pads = _pooling(shape, pool_size, strides, padding, data_format)
    pool = nn.MaxPool2d(window, step)
    if pads == NO_PADS:
        return [("", pool)]
    return [("_padding", nn.ConstantPad2d(pads, float("-inf"))), ("", pool)]


def average_pooling2d(
    shape: Shape,
    *,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Modules:
    """Make Keras' AveragePooling2D, which leaves padded cells out of the average."""
    return [("", AveragePooling(*_pooling(shape, pool_size, strides, padding, data_format)))]


def _pooling(
    shape: Shape, pool_size: Any, strides: Any, padding: Any, data_format: Any
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]]:
    image = _image(shape)
    _layout(data_format)
    choice(padding, "padding", PADDINGS)
    window = pair(pool_size, "pool_size")
    step = window if strides is None else pair(strides, "strides")
    _fits(image, window, padding)
    return window, step, pads_of(padding, image, window, step)


def global_average_pooling2d(
    shape: Shape, *, data_format: Any = None, keepdims: Any = False
) -> Modules:
    """Make Keras' GlobalAveragePooling2D."""
    return _global(nn.AdaptiveAvgPool2d(1), shape, data_format, keepdims)


def global_max_pooling2d(
    shape: Shape, *, data_format: Any = None, keepdims: Any = False
) -> Modules:
    """Make Keras' GlobalMaxPooling2D."""
    return _global(nn.AdaptiveMaxPool2d(1), shape, data_format, keepdims)


def _global(pool: nn.Module, shape: Shape, data_format: Any, keepdims: Any) -> Modules:
    _image(shape)
    _layout(data_format)
    if flag(keepdims, "keepdims"):
        return [("", pool)]
    return [("", pool), ("_flatten", nn.Flatten())]


def flatten(shape: Shape, *, data_format: Any = None) -> Modules:
    """Make Keras' Flatten, in the order H, W, C."""
    _layout(data_format)
    return [("", Flatten())]


def activation_layer(shape: Shape, *, activation: Any) -> Modules:
    """Make Keras' Activation."""
    return _activated(activation) or [("", nn.Identity())]


def relu(
    shape: Shape, *, max_value: Any = None, negative_slope: Any = 0.0, threshold: Any = 0.0
) -> Modules:
    """Make Keras' ReLU."""
    ceiling = None if max_value is None else number(max_value, "max_value", low=0.0)
    slope = number(negative_slope, "negative_slope", low=0.0)
    floor = number(threshold, "threshold", low=0.0)
    if (ceiling, slope, floor) == (None, 0.0, 0.0):
        return [("", nn.ReLU())]
    return [("", KerasReLU(ceiling, slope, floor))]


def leaky_relu(shape: Shape, *, alpha: Any = None, negative_slope: Any = None) -> Modules:
    """Make Keras' LeakyReLU; Keras 2 calls the slope ``alpha``, Keras 3 ``negative_slope``."""
    if alpha is not None and negative_slope is not None:
        raise KeywordError("alpha and negative_slope are the same thing: give one of them.")
    given = alpha if alpha is not None else negative_slope
    return [("", nn.LeakyReLU(0.3 if given is None else number(given, "negative_slope", low=0.0)))]


def softmax(shape: Shape, *, axis: Any = -1) -> Modules:
    """Make Keras' Softmax over the last axis."""
    _last_axis(axis, shape)
    return [("", nn.Softmax(dim=CHANNEL_AXIS))]


def zero_padding2d(shape: Shape, *, padding: Any = 1, data_format: Any = None) -> Modules:
    """Make Keras' ZeroPadding2D of p, (rows, columns) or ((top, bottom), (left, right)) cells."""
    _image(shape)
    _layout(data_format)
    sides = padding if isinstance(padding, list | tuple) else [padding, padding]
    if len(sides) != 2:
        raise KeywordError(
            f"padding is {padding!r}: give p, [rows, columns] or [[top, bottom], [left, right]]."
        )
    (top, bottom), (left, right) = (pair(side, "padding", minimum=0) for side in sides)
    return [("", nn.ZeroPad2d((left, right, top, bottom)))]


LAYERS: dict[str, Layer] = {
    "Activation": activation_layer,
    "AveragePooling2D": average_pooling2d,
    "BatchNormalization": batch_normalization,
    "Conv2D": conv2d,
    "Dense": dense,
    "Dropout": dropout,
    "Flatten": flatten,
    "GlobalAveragePooling2D": global_average_pooling2d,
    "GlobalMaxPooling2D": global_max_pooling2d,
    "LeakyReLU": leaky_relu,
    "MaxPooling2D": max_pooling2d,
    "ReLU": relu,
    "Softmax": softmax,
    "ZeroPadding2D": zero_padding2d,
}


def ignored_keywords(layer_name: str) -> frozenset[str]:
    """Return the Keras keywords that a layer accepts but that do not change what it computes."""
    return frozenset(names.ALWAYS_IGNORED_KEYWORDS + names.IGNORED_KEYWORDS.get(layer_name, ()))
