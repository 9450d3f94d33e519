"""Keras' layers as torch modules: one function per layer, with Keras' keywords.

Each function takes the layer's input shape (Keras' order, without the batch) and its keywords; one
of :data:`gengap.names.MERGING_LAYERS` takes several shapes. It returns the modules of the layer in
order, each with a suffix for its name. Inside a network the channels come first, (n, C, ...).
Convolutions and linear maps are plain ``torch.nn`` modules; padding, layout and activation are
modules of their own around them, so that hooks and curvature libraries see what they know. To add a
layer, write a function, list it in :data:`LAYERS` and in :data:`gengap.names.LAYERS`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from gengap import names
from gengap.networks.activation_functions import CHANNEL_AXIS, KerasReLU, activation
from gengap.networks.attention import SelfAttention
from gengap.networks.keywords import KeywordError, choice, flag, integer, number, several
from gengap.networks.layout import ChannelsFirst, ChannelsLast, Flatten, Permute, Reshape
from gengap.networks.merging import Concatenation, Product, Sum
from gengap.networks.noise import GaussianNoise
from gengap.networks.padding import AveragePooling, Pads, pads_of, same_pads
from gengap.networks.sequences import RecurrentOutputs, TokenEmbedding

Shape = tuple[int, ...]
Modules = list[tuple[str, nn.Module]]
Layer = Callable[..., Modules]

PADDINGS = ("same", "valid")
MOST_AXES = 4
"""Most axes of an input: those of a volume."""
INPUTS = {
    1: "series (length, channels)",
    2: "images",
    3: "volumes (depth, height, width, channels)",
}
"""What a layer takes that moves a window over one, two or three axes."""

# By the number of axes that a window moves over.
_CONVOLUTIONS: Mapping[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_ZERO_PADDINGS: Mapping[int, Callable[..., nn.Module]] = {
    1: nn.ZeroPad1d,
    2: nn.ZeroPad2d,
    3: nn.ZeroPad3d,
}
_CONSTANT_PADDINGS: Mapping[int, Callable[..., nn.Module]] = {
    1: nn.ConstantPad1d,
    2: nn.ConstantPad2d,
    3: nn.ConstantPad3d,
}
_MAX_POOLINGS: Mapping[int, Callable[..., nn.Module]] = {
    1: nn.MaxPool1d,
    2: nn.MaxPool2d,
    3: nn.MaxPool3d,
}
_GLOBAL_AVERAGES: Mapping[int, Callable[..., nn.Module]] = {
    1: nn.AdaptiveAvgPool1d,
    2: nn.AdaptiveAvgPool2d,
    3: nn.AdaptiveAvgPool3d,
}
_GLOBAL_MAXIMA: Mapping[int, Callable[..., nn.Module]] = {
    1: nn.AdaptiveMaxPool1d,
    2: nn.AdaptiveMaxPool2d,
    3: nn.AdaptiveMaxPool3d,
}
_BATCH_NORMALISATIONS = {
    0: nn.BatchNorm1d,
    1: nn.BatchNorm1d,
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}


def _places(shape: Shape, axes: int) -> Shape:
    """Return the sizes of the axes that a window moves over."""
    if len(shape) != axes + 1:
        raise KeywordError(
            f"it takes {INPUTS[axes]}, but its input has the shape {list(shape)}: "
            "put it before Flatten or global pooling, or leave it out."
        )
    return shape[:-1]


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


def _fits(sizes: Shape, window: Shape, padding: str, dilation: Shape) -> None:
    reach = [(size - 1) * rate + 1 for size, rate in zip(window, dilation, strict=True)]
    if padding == "valid" and any(cells > size for cells, size in zip(reach, sizes, strict=True)):
        raise KeywordError(
            f"its window of {'x'.join(map(str, reach))} does not fit its input of "
            f"{'x'.join(map(str, sizes))}: use padding 'same', a smaller window or fewer poolings."
        )


def _on_last_axis(shape: Shape, module: nn.Module) -> Modules:
    """Let a module act on channels that come last, as torch's linear maps do."""
    if len(shape) == 1:
        return [("", module)]
    return [
        ("_channels_last", ChannelsLast()),
        ("", module),
        ("_channels_first", ChannelsFirst()),
    ]


def _without(module: nn.Module, *, scale: Any, center: Any) -> nn.Module:
    """Take the factor and the shift from a normalisation that has none."""
    if not flag(scale, "scale"):
        module.register_parameter("weight", None)
    if not flag(center, "center"):
        module.register_parameter("bias", None)
    return module


def _activated(name: str | None) -> Modules:
    module = activation(name)
    return [] if isinstance(module, nn.Identity) else [(f"_{name}", module)]


def _convolution(
    shape: Shape,
    axes: int,
    *,
    filters: int,
    kernel_size: Any,
    strides: Any,
    padding: str,
    data_format: Any,
    dilation_rate: Any,
    groups: int,
    use_bias: Any,
) -> Modules:
    """Make a convolution over one, two or three axes, and its padding."""
    _layout(data_format)
    sizes = _places(shape, axes)
    window, step = several(kernel_size, "kernel_size", axes), several(strides, "strides", axes)
    dilation = several(dilation_rate, "dilation_rate", axes)
    if max(step) > 1 and max(dilation) > 1:
        raise KeywordError("strides and dilation_rate are both above 1: Keras refuses this too.")
    if shape[-1] % groups or filters % groups:
        raise KeywordError(
            f"groups is {groups}, which does not divide {shape[-1]} channels and {filters} "
            "filters: choose a divisor of both."
        )
    _fits(sizes, window, padding, dilation)
    pads = pads_of(padding, sizes, window, step, dilation)
    before, after = pads[::2], pads[1::2]
    convolution = _CONVOLUTIONS[axes](
        shape[-1],
        filters,
        window,
        stride=step,
        padding=before[::-1] if before == after else 0,
        dilation=dilation,
        groups=groups,
        bias=flag(use_bias, "use_bias"),
    )
    around: Modules = [] if before == after else [("_padding", _ZERO_PADDINGS[axes](pads))]
    return [*around, ("", convolution)]


def conv1d(
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
    """Make Keras' Conv1D; its padding may also be causal."""
    convolution = _convolution(
        shape,
        1,
        filters=integer(filters, "filters"),
        kernel_size=kernel_size,
        strides=strides,
        padding=choice(padding, "padding", (*PADDINGS, "causal")),
        data_format=data_format,
        dilation_rate=dilation_rate,
        groups=integer(groups, "groups"),
        use_bias=use_bias,
    )
    return [*convolution, *_activated(activation)]


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
    convolution = _convolution(
        shape,
        2,
        filters=integer(filters, "filters"),
        kernel_size=kernel_size,
        strides=strides,
        padding=choice(padding, "padding", PADDINGS),
        data_format=data_format,
        dilation_rate=dilation_rate,
        groups=integer(groups, "groups"),
        use_bias=use_bias,
    )
    return [*convolution, *_activated(activation)]


def conv3d(
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
    """Make Keras' Conv3D."""
    convolution = _convolution(
        shape,
        3,
        filters=integer(filters, "filters"),
        kernel_size=kernel_size,
        strides=strides,
        padding=choice(padding, "padding", PADDINGS),
        data_format=data_format,
        dilation_rate=dilation_rate,
        groups=integer(groups, "groups"),
        use_bias=use_bias,
    )
    return [*convolution, *_activated(activation)]


def depthwise_conv2d(
    shape: Shape,
    *,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    depth_multiplier: Any = 1,
    data_format: Any = None,
    dilation_rate: Any = 1,
    activation: Any = None,
    use_bias: Any = True,
) -> Modules:
    """Make Keras' DepthwiseConv2D: a convolution with one group for each input channel."""
    convolution = _convolution(
        shape,
        2,
        filters=shape[-1] * integer(depth_multiplier, "depth_multiplier"),
        kernel_size=kernel_size,
        strides=strides,
        padding=choice(padding, "padding", PADDINGS),
        data_format=data_format,
        dilation_rate=dilation_rate,
        groups=shape[-1],
        use_bias=use_bias,
    )
    return [*convolution, *_activated(activation)]


def separable_conv2d(
    shape: Shape,
    *,
    filters: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
    depth_multiplier: Any = 1,
    activation: Any = None,
    use_bias: Any = True,
) -> Modules:
    """Make Keras' SeparableConv2D: a depthwise convolution without bias, then one of 1x1."""
    depthwise = depthwise_conv2d(
        shape,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        depth_multiplier=depth_multiplier,
        data_format=data_format,
        dilation_rate=dilation_rate,
        use_bias=False,
    )
    channels = shape[-1] * integer(depth_multiplier, "depth_multiplier")
    pointwise = nn.Conv2d(channels, integer(filters, "filters"), 1, bias=flag(use_bias, "use_bias"))
    return [
        *((suffix or "_depthwise", module) for suffix, module in depthwise),
        ("", pointwise),
        *_activated(activation),
    ]


def conv2d_transpose(
    shape: Shape,
    *,
    filters: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    data_format: Any = None,
    dilation_rate: Any = 1,
    activation: Any = None,
    use_bias: Any = True,
) -> Modules:
    """Make Keras' Conv2DTranspose.

    It is the transpose of the convolution whose ``same`` or ``valid`` padding gives its input's
    size. With ``same`` padding an axis of ``size`` cells gives size * stride.

    Args:
        shape: shape of the input.
        filters: number of output channels.
        kernel_size: size of the window.
        strides: steps of the convolution that it transposes.
        padding: ``same`` or ``valid``.
        output_padding: null; no other is supported.
        data_format: channels last.
        dilation_rate: 1; no other is supported.
        activation: applied to the outputs.
        use_bias: whether outputs have a bias.

    Returns:
        The modules of the layer.

    Raises:
        KeywordError: a value makes no sense or is not supported.
    """
    _layout(data_format)
    _places(shape, 2)
    choice(padding, "padding", PADDINGS)
    _only(output_padding, "output_padding", None)
    window, step = several(kernel_size, "kernel_size", 2), several(strides, "strides", 2)
    if max(several(dilation_rate, "dilation_rate", 2)) > 1:
        raise KeywordError(f"dilation_rate is {dilation_rate!r}: only 1 is supported.")
    # What the transposed convolution gives beyond Keras' outputs is cut off on both sides.
    cuts = [
        same_pads(rate, reach, rate) if padding == "same" else (0, 0)
        for reach, rate in zip(window, step, strict=True)
    ]
    symmetric = all(before == after for before, after in cuts)
    convolution = nn.ConvTranspose2d(
        shape[-1],
        integer(filters, "filters"),
        (window[0], window[1]),
        stride=(step[0], step[1]),
        padding=(cuts[0][0], cuts[1][0]) if symmetric else 0,
        output_padding=(max(step[0] - window[0], 0), max(step[1] - window[1], 0)),
        bias=flag(use_bias, "use_bias"),
    )
    (top, bottom), (left, right) = cuts
    around: Modules = (
        [] if symmetric else [("_cropping", nn.ZeroPad2d((-left, -right, -top, -bottom)))]
    )
    return [("", convolution), *around, *_activated(activation)]


def dense(shape: Shape, *, units: Any, activation: Any = None, use_bias: Any = True) -> Modules:
    """Make Keras' Dense, which acts on the last axis, even of an image that is not flattened."""
    linear = nn.Linear(shape[-1], integer(units, "units"), bias=flag(use_bias, "use_bias"))
    return [*_on_last_axis(shape, linear), *_activated(activation)]


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
    module = _BATCH_NORMALISATIONS[len(shape) - 1](
        shape[-1],
        eps=number(epsilon, "epsilon", low=0.0),
        momentum=1.0 - number(momentum, "momentum", low=0.0, high=1.0),
    )
    return [("", _without(module, scale=scale, center=center))]


def layer_normalization(
    shape: Shape,
    *,
    axis: Any = -1,
    epsilon: Any = 1e-3,
    center: Any = True,
    scale: Any = True,
    rms_scaling: Any = False,
) -> Modules:
    """Make Keras' LayerNormalization over the channels of each place."""
    _last_axis(axis, shape)
    _only(rms_scaling, "rms_scaling", False)
    module = nn.LayerNorm(shape[-1], eps=number(epsilon, "epsilon", low=0.0))
    return _on_last_axis(shape, _without(module, scale=scale, center=center))


def group_normalization(
    shape: Shape,
    *,
    groups: Any = 32,
    axis: Any = -1,
    epsilon: Any = 1e-3,
    center: Any = True,
    scale: Any = True,
) -> Modules:
    """Make Keras' GroupNormalization; -1 groups give each channel its own."""
    _last_axis(axis, shape)
    count = shape[-1] if groups == -1 else integer(groups, "groups")
    if shape[-1] % count:
        raise KeywordError(
            f"groups is {count}, which does not divide {shape[-1]} channels: choose a divisor."
        )
    module = nn.GroupNorm(count, shape[-1], eps=number(epsilon, "epsilon", low=0.0))
    return [("", _without(module, scale=scale, center=center))]


def dropout(shape: Shape, *, rate: Any, noise_shape: Any = None) -> Modules:
    """Make Keras' Dropout."""
    _only(noise_shape, "noise_shape", None)
    return [("", nn.Dropout(number(rate, "rate", low=0.0, high=1.0)))]


def spatial_dropout1d(shape: Shape, *, rate: Any) -> Modules:
    """Make Keras' SpatialDropout1D, which leaves out whole channels of a series."""
    _places(shape, 1)
    return [("", nn.Dropout1d(number(rate, "rate", low=0.0, high=1.0)))]


def spatial_dropout2d(shape: Shape, *, rate: Any, data_format: Any = None) -> Modules:
    """Make Keras' SpatialDropout2D, which leaves out whole channels of an image."""
    _places(shape, 2)
    _layout(data_format)
    return [("", nn.Dropout2d(number(rate, "rate", low=0.0, high=1.0)))]


def gaussian_noise(shape: Shape, *, stddev: Any) -> Modules:
    """Make Keras' GaussianNoise."""
    return [("", GaussianNoise(number(stddev, "stddev", low=0.0)))]


def _pooling(
    shape: Shape, axes: int, pool_size: Any, strides: Any, padding: Any, data_format: Any
) -> tuple[Shape, Shape, Pads]:
    """Return the window, the strides and the padding of a pooling."""
    sizes = _places(shape, axes)
    _layout(data_format)
    choice(padding, "padding", PADDINGS)
    window = several(pool_size, "pool_size", axes)
    step = window if strides is None else several(strides, "strides", axes)
    dilation = (1,) * axes
    _fits(sizes, window, padding, dilation)
    return window, step, pads_of(padding, sizes, window, step, dilation)


def _max_pooling(shape: Shape, axes: int, *given: Any) -> Modules:
    window, step, pads = _pooling(shape, axes, *given)
    pool = _MAX_POOLINGS[axes](window, step)
    if not any(pads):
        return [("", pool)]
    return [("_padding", _CONSTANT_PADDINGS[axes](pads, float("-inf"))), ("", pool)]


def max_pooling1d(
    shape: Shape,
    *,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Modules:
    """Make Keras' MaxPooling1D."""
    return _max_pooling(shape, 1, pool_size, strides, padding, data_format)


def max_pooling2d(
    shape: Shape,
    *,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Modules:
    """Make Keras' MaxPooling2D."""
    return _max_pooling(shape, 2, pool_size, strides, padding, data_format)


def max_pooling3d(
    shape: Shape,
    *,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Modules:
    """Make Keras' MaxPooling3D."""
    return _max_pooling(shape, 3, pool_size, strides, padding, data_format)


def average_pooling1d(
    shape: Shape,
    *,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Modules:
    """Make Keras' AveragePooling1D, which leaves padded cells out of the average."""
    pooling = _pooling(shape, 1, pool_size, strides, padding, data_format)
    return [("", AveragePooling(*pooling))]


def average_pooling2d(
    shape: Shape,
    *,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Modules:
    """Make Keras' AveragePooling2D, which leaves padded cells out of the average."""
    pooling = _pooling(shape, 2, pool_size, strides, padding, data_format)
    return [("", AveragePooling(*pooling))]


def average_pooling3d(
    shape: Shape,
    *,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Modules:
    """Make Keras' AveragePooling3D, which leaves padded cells out of the average."""
    pooling = _pooling(shape, 3, pool_size, strides, padding, data_format)
    return [("", AveragePooling(*pooling))]


def _global(pool: nn.Module, data_format: Any, keepdims: Any) -> Modules:
    _layout(data_format)
    if flag(keepdims, "keepdims"):
        return [("", pool)]
    return [("", pool), ("_flatten", nn.Flatten())]


def global_average_pooling1d(
    shape: Shape, *, data_format: Any = None, keepdims: Any = False
) -> Modules:
    """Make Keras' GlobalAveragePooling1D."""
    _places(shape, 1)
    return _global(_GLOBAL_AVERAGES[1](1), data_format, keepdims)


def global_average_pooling2d(
    shape: Shape, *, data_format: Any = None, keepdims: Any = False
) -> Modules:
    """Make Keras' GlobalAveragePooling2D."""
    _places(shape, 2)
    return _global(_GLOBAL_AVERAGES[2](1), data_format, keepdims)


def global_average_pooling3d(
    shape: Shape, *, data_format: Any = None, keepdims: Any = False
) -> Modules:
    """Make Keras' GlobalAveragePooling3D."""
    _places(shape, 3)
    return _global(_GLOBAL_AVERAGES[3](1), data_format, keepdims)


def global_max_pooling1d(
    shape: Shape, *, data_format: Any = None, keepdims: Any = False
) -> Modules:
    """Make Keras' GlobalMaxPooling1D."""
    _places(shape, 1)
    return _global(_GLOBAL_MAXIMA[1](1), data_format, keepdims)


def global_max_pooling2d(
    shape: Shape, *, data_format: Any = None, keepdims: Any = False
) -> Modules:
    """Make Keras' GlobalMaxPooling2D."""
    _places(shape, 2)
    return _global(_GLOBAL_MAXIMA[2](1), data_format, keepdims)


def global_max_pooling3d(
    shape: Shape, *, data_format: Any = None, keepdims: Any = False
) -> Modules:
    """Make Keras' GlobalMaxPooling3D."""
    _places(shape, 3)
    return _global(_GLOBAL_MAXIMA[3](1), data_format, keepdims)


def flatten(shape: Shape, *, data_format: Any = None) -> Modules:
    """Make Keras' Flatten, in the order H, W, C."""
    _layout(data_format)
    return [("", Flatten())]


def reshape(shape: Shape, *, target_shape: Any) -> Modules:
    """Make Keras' Reshape; one of the sizes may be -1, which stands for what is left."""
    listed = isinstance(target_shape, list | tuple) and 1 <= len(target_shape) <= MOST_AXES
    sizes = [integer(size, "target_shape", minimum=-1) for size in target_shape] if listed else []
    rest = math.prod(size for size in sizes if size != -1)
    if (
        not sizes
        or sizes.count(-1) > 1
        or 0 in sizes
        or math.prod(shape) % rest
        or (-1 not in sizes and rest != math.prod(shape))
    ):
        raise KeywordError(
            f"target_shape is {target_shape!r}: give one to {MOST_AXES} sizes whose product is "
            f"the {math.prod(shape)} numbers of its input, one of them -1 for what is left."
        )
    return [("", Reshape([math.prod(shape) // rest if size == -1 else size for size in sizes]))]


def permute(shape: Shape, *, dims: Any) -> Modules:
    """Make Keras' Permute, whose axes are numbered from 1."""
    axes = list(range(1, len(shape) + 1))
    if not isinstance(dims, list | tuple) or sorted(dims) != axes:
        raise KeywordError(f"dims is {dims!r}: give the axes {axes} in another order.")
    return [("", Permute([integer(axis, "dims") for axis in dims]))]


def embedding(shape: Shape, *, input_dim: Any, output_dim: Any, mask_zero: Any = False) -> Modules:
    """Make Keras' Embedding of tokens 0 to input_dim - 1."""
    _only(mask_zero, "mask_zero", False)
    if len(shape) != 1:
        raise KeywordError(
            f"it takes tokens, but its input has the shape {list(shape)}: give tokens (n, length) "
            "and the input_shape [length]."
        )
    module = TokenEmbedding(integer(input_dim, "input_dim"), integer(output_dim, "output_dim"))
    return [("", module), ("_channels_first", ChannelsFirst())]


def _recurrent(
    make: Callable[..., nn.Module], shape: Shape, *, units: Any, use_bias: Any, sequences: Any
) -> Modules:
    _places(shape, 1)
    module = make(
        shape[-1],
        integer(units, "units"),
        bias=flag(use_bias, "use_bias"),
        batch_first=True,
    )
    return [
        ("_channels_last", ChannelsLast()),
        ("", module),
        ("_outputs", RecurrentOutputs(flag(sequences, "return_sequences"))),
    ]


def _plain_recurrence(
    activation: Any, recurrent_activation: Any, dropout: Any, recurrent_dropout: Any
) -> None:
    """Refuse what torch's recurrent layers compute otherwise."""
    _only(activation, "activation", "tanh")
    _only(recurrent_activation, "recurrent_activation", "sigmoid")
    _only(recurrent_dropout, "recurrent_dropout", 0.0)
    if dropout != 0:
        raise KeywordError(
            f"dropout is {dropout!r}: only 0 is supported; put a SpatialDropout1D layer of this "
            "rate before it, which does the same."
        )


def _one_result(return_state: Any, go_backwards: Any, stateful: Any) -> None:
    """Refuse what would make a recurrent layer more than a function of its input's steps."""
    _only(return_state, "return_state", False)
    _only(go_backwards, "go_backwards", False)
    _only(stateful, "stateful", False)


def lstm(
    shape: Shape,
    *,
    units: Any,
    activation: Any = "tanh",
    recurrent_activation: Any = "sigmoid",
    use_bias: Any = True,
    return_sequences: Any = False,
    return_state: Any = False,
    go_backwards: Any = False,
    stateful: Any = False,
    dropout: Any = 0.0,
    recurrent_dropout: Any = 0.0,
) -> Modules:
    """Make Keras' LSTM; torch has two biases, whose sum is the one of Keras.

    Args:
        shape: shape of the input, (length, channels).
        units: number of outputs.
        activation: tanh; no other is supported.
        recurrent_activation: sigmoid; no other is supported.
        use_bias: whether the gates have biases.
        return_sequences: whether the outputs of all steps are given on, or those of the last.
        return_state: false; no other is supported.
        go_backwards: false; no other is supported.
        stateful: false; no other is supported.
        dropout: 0; no other is supported.
        recurrent_dropout: 0; no other is supported.

    Returns:
        The modules of the layer.
    """
    _plain_recurrence(activation, recurrent_activation, dropout, recurrent_dropout)
    _one_result(return_state, go_backwards, stateful)
    return _recurrent(nn.LSTM, shape, units=units, use_bias=use_bias, sequences=return_sequences)


def gru(
    shape: Shape,
    *,
    units: Any,
    activation: Any = "tanh",
    recurrent_activation: Any = "sigmoid",
    use_bias: Any = True,
    return_sequences: Any = False,
    return_state: Any = False,
    go_backwards: Any = False,
    stateful: Any = False,
    dropout: Any = 0.0,
    recurrent_dropout: Any = 0.0,
    reset_after: Any = True,
) -> Modules:
    """Make Keras' GRU; torch lists its gates in the order reset, update, new.

    Args:
        shape: shape of the input, (length, channels).
        units: number of outputs.
        activation: tanh; no other is supported.
        recurrent_activation: sigmoid; no other is supported.
        use_bias: whether the gates have biases.
        return_sequences: whether the outputs of all steps are given on, or those of the last.
        return_state: false; no other is supported.
        go_backwards: false; no other is supported.
        stateful: false; no other is supported.
        dropout: 0; no other is supported.
        recurrent_dropout: 0; no other is supported.
        reset_after: true; the reset gate acts after the recurrent map, as in torch.

    Returns:
        The modules of the layer.
    """
    _plain_recurrence(activation, recurrent_activation, dropout, recurrent_dropout)
    _one_result(return_state, go_backwards, stateful)
    _only(reset_after, "reset_after", True)
    return _recurrent(nn.GRU, shape, units=units, use_bias=use_bias, sequences=return_sequences)


def multi_head_attention(
    shape: Shape,
    *,
    num_heads: Any,
    key_dim: Any,
    value_dim: Any = None,
    dropout: Any = 0.0,
    use_bias: Any = True,
    use_gate: Any = False,
    output_shape: Any = None,
    attention_axes: Any = None,
    sliding_window: Any = None,
) -> Modules:
    """Make Keras' MultiHeadAttention of a sequence to itself: query, key and value are its input.

    Args:
        shape: shape of the input, (length, channels).
        num_heads: number of heads.
        key_dim: channels of the queries and keys of each head.
        value_dim: channels of the values of each head; by default ``key_dim``.
        dropout: probability with which an attention weight is left out in training.
        use_bias: whether the four linear maps have biases.
        use_gate: false; no other is supported.
        output_shape: null; the outputs have the shape of the input.
        attention_axes: null or [1], the axis of the sequence.
        sliding_window: null; no other is supported.

    Returns:
        The modules of the layer.

    Raises:
        KeywordError: a value makes no sense or is not supported.
    """
    _places(shape, 1)
    _only(use_gate, "use_gate", False)
    _only(output_shape, "output_shape", None)
    if attention_axes not in (None, [1], (1,)):
        raise KeywordError(f"attention_axes is {attention_axes!r}: only null or [1] is supported.")
    _only(sliding_window, "sliding_window", None)
    width = integer(key_dim, "key_dim")
    module = SelfAttention(
        shape[-1],
        integer(num_heads, "num_heads"),
        width,
        width if value_dim is None else integer(value_dim, "value_dim"),
        bias=flag(use_bias, "use_bias"),
        dropout=number(dropout, "dropout", low=0.0, high=1.0),
    )
    return _on_last_axis(shape, module)


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


def elu(shape: Shape, *, alpha: Any = 1.0) -> Modules:
    """Make Keras' ELU."""
    return [("", nn.ELU(number(alpha, "alpha", low=0.0)))]


def prelu(shape: Shape, *, shared_axes: Any = None) -> Modules:
    """Make Keras' PReLU with one slope for each channel, shared by all places."""
    places = list(range(1, len(shape)))
    if sorted(shared_axes or []) != places:
        raise KeywordError(
            f"shared_axes is {shared_axes!r}: only one slope for each channel is supported, so "
            f"give {places or None}."
        )
    return [("", nn.PReLU(shape[-1]))]


def softmax(shape: Shape, *, axis: Any = -1) -> Modules:
    """Make Keras' Softmax over the last axis."""
    _last_axis(axis, shape)
    return [("", nn.Softmax(dim=CHANNEL_AXIS))]


def zero_padding1d(shape: Shape, *, padding: Any = 1, data_format: Any = None) -> Modules:
    """Make Keras' ZeroPadding1D of p or (before, after) cells."""
    _places(shape, 1)
    _layout(data_format)
    before, after = several(padding, "padding", 2, minimum=0)
    return [("", nn.ZeroPad1d((before, after)))]


def zero_padding2d(shape: Shape, *, padding: Any = 1, data_format: Any = None) -> Modules:
    """Make Keras' ZeroPadding2D of p, (rows, columns) or ((top, bottom), (left, right)) cells."""
    _places(shape, 2)
    _layout(data_format)
    sides = padding if isinstance(padding, list | tuple) else [padding, padding]
    if len(sides) != 2:
        raise KeywordError(
            f"padding is {padding!r}: give p, [rows, columns] or [[top, bottom], [left, right]]."
        )
    (top, bottom), (left, right) = (several(side, "padding", 2, minimum=0) for side in sides)
    return [("", nn.ZeroPad2d((left, right, top, bottom)))]


def zero_padding3d(shape: Shape, *, padding: Any = 1, data_format: Any = None) -> Modules:
    """Make Keras' ZeroPadding3D of p, three numbers or three pairs (before, after) of cells."""
    _places(shape, 3)
    _layout(data_format)
    sides = padding if isinstance(padding, list | tuple) else [padding] * 3
    if len(sides) != 3:
        raise KeywordError(f"padding is {padding!r}: give p, three numbers or three pairs.")
    pads = [cells for side in reversed(sides) for cells in several(side, "padding", 2, minimum=0)]
    return [("", _ZERO_PADDINGS[3](tuple(pads)))]


def add(shapes: Sequence[Shape]) -> Modules:
    """Make Keras' Add of several layers, as at the end of a residual block."""
    _broadcast(shapes)
    return [("", Sum())]


def multiply(shapes: Sequence[Shape]) -> Modules:
    """Make Keras' Multiply of several layers, entry by entry."""
    _broadcast(shapes)
    return [("", Product())]


def concatenate(shapes: Sequence[Shape], *, axis: Any = -1) -> Modules:
    """Make Keras' Concatenate of several layers along their channels."""
    _last_axis(axis, shapes[0])
    if len({shape[:-1] for shape in shapes}) > 1:
        raise KeywordError(
            f"the layers that it takes have the shapes {_listed(shapes)}: give them all but the "
            "last size alike."
        )
    return [("", Concatenation())]


def _broadcast(shapes: Sequence[Shape]) -> None:
    """Refuse shapes that do not fit: along each axis, all sizes that are not 1 are equal."""
    fits = len({len(shape) for shape in shapes}) == 1 and all(
        len({size for size in sizes if size > 1}) <= 1 for sizes in zip(*shapes, strict=True)
    )
    if not fits:
        raise KeywordError(
            f"the layers that it takes have the shapes {_listed(shapes)}: give them the same shape "
            "(a size of 1 fits any)."
        )


def _listed(shapes: Sequence[Shape]) -> str:
    return " and ".join(str(list(shape)) for shape in shapes)


LAYERS: dict[str, Layer] = {
    "Activation": activation_layer,
    "Add": add,
    "AveragePooling1D": average_pooling1d,
    "AveragePooling2D": average_pooling2d,
    "AveragePooling3D": average_pooling3d,
    "BatchNormalization": batch_normalization,
    "Concatenate": concatenate,
    "Conv1D": conv1d,
    "Conv2D": conv2d,
    "Conv2DTranspose": conv2d_transpose,
    "Conv3D": conv3d,
    "Dense": dense,
    "DepthwiseConv2D": depthwise_conv2d,
    "Dropout": dropout,
    "ELU": elu,
    "Embedding": embedding,
    "Flatten": flatten,
    "GRU": gru,
    "GaussianNoise": gaussian_noise,
    "GlobalAveragePooling1D": global_average_pooling1d,
    "GlobalAveragePooling2D": global_average_pooling2d,
    "GlobalAveragePooling3D": global_average_pooling3d,
    "GlobalMaxPooling1D": global_max_pooling1d,
    "GlobalMaxPooling2D": global_max_pooling2d,
    "GlobalMaxPooling3D": global_max_pooling3d,
    "GroupNormalization": group_normalization,
    "LSTM": lstm,
    "LayerNormalization": layer_normalization,
    "LeakyReLU": leaky_relu,
    "MaxPooling1D": max_pooling1d,
    "MaxPooling2D": max_pooling2d,
    "MaxPooling3D": max_pooling3d,
    "MultiHeadAttention": multi_head_attention,
    "Multiply": multiply,
    "PReLU": prelu,
    "Permute": permute,
    "ReLU": relu,
    "Reshape": reshape,
    "SeparableConv2D": separable_conv2d,
    "Softmax": softmax,
    "SpatialDropout1D": spatial_dropout1d,
    "SpatialDropout2D": spatial_dropout2d,
    "ZeroPadding1D": zero_padding1d,
    "ZeroPadding2D": zero_padding2d,
    "ZeroPadding3D": zero_padding3d,
}


KERNEL_OWNERS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose2d,
    nn.Embedding,
    nn.GRU,
    nn.LSTM,
    nn.Linear,
    SelfAttention,
)
"""The modules by which a layer has neurons: those with a kernel."""


def ignored_keywords(layer_name: str) -> frozenset[str]:
    """Return the Keras keywords that a layer accepts but that do not change what it computes."""
    return frozenset(names.ALWAYS_IGNORED_KEYWORDS + names.IGNORED_KEYWORDS.get(layer_name, ()))
