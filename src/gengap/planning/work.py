"""How much work a network makes: the multiplications of a forward pass, and the number of passes.

Both are known before a network is built, from the spec in its folder and from the settings. The
jobs' requests of time rest on them, see :mod:`gengap.planning.resources`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gengap.names import MERGING_LAYERS
from gengap.planning.layer_graph import INPUT_POSITION, inbound_positions

Shape = tuple[int, ...]

GRADIENT = 3
"""Passes that a gradient costs: one forward, two for the way back."""

GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
"""Kernels that a recurrent layer has of its input, and of its state."""

UNKNOWN = ("MultiHeadAttention", "Permute", "Reshape")
"""Layers whose work, or that of the layers behind them, is not counted."""

COUNTED_FAMILIES = ("baseline", "competition")
"""Families whose passes are counted, and whose memory does not grow with the network's width."""

MEASURED_INPUTS = 2000
"""Training inputs that the measures of the competition use at most."""


def multiplications(spec: Mapping[str, Any]) -> tuple[int, int] | None:
    """Count the multiplications of kernels that one input of a network takes.

    Args:
        spec: of a network, with ``input_shape`` and the layers in ``model_config``.

    Returns:
        Their number, and that of the outputs; None where the spec describes the network in another
        way, or has a layer whose work is not counted.
    """
    layers = spec.get("model_config")
    if not layers or any(layer["layer_name"] in UNKNOWN for layer in layers):
        return None
    shapes: dict[int, Shape] = {INPUT_POSITION: tuple(spec["input_shape"])}
    total = 0
    for position, (layer, taken) in enumerate(zip(layers, inbound_positions(layers), strict=True)):
        shape = shapes[taken[0]]
        if layer["layer_name"] == "Concatenate":
            shape = (*shape[:-1], sum(shapes[before][-1] for before in taken))
        if layer["layer_name"] in MERGING_LAYERS:
            shapes[position] = shape
            continue
        shapes[position], count = _through(layer, shape)
        total += count
    return total, math.prod(shapes[len(layers) - 1])


def _through(layer: Mapping[str, Any], shape: Shape) -> tuple[Shape, int]:
    """Return the shape of a layer's output for one input, and its multiplications."""
    kind: str = layer["layer_name"]
    *places, channels = shape
    if "Conv" in kind:
        return _through_convolution(layer, places, channels)
    if kind.startswith("Global"):
        return (channels,), 0
    if "Pooling" in kind:
        window = _each(layer.get("pool_size") or 2, len(places))
        strides = _each(layer.get("strides") or window, len(places))
        return (*_windows(places, window, strides, layer), channels), 0
    if kind.startswith("ZeroPadding"):
        # At most so many on each side, however they are given.
        most = max(_flat(layer.get("padding", 1)))
        return (*(size + 2 * most for size in places), channels), 0
    if kind == "Flatten":
        return (math.prod(shape),), 0
    if kind == "Dense":
        units = int(layer["units"])
        return (*places, units), math.prod(places) * channels * units
    if kind == "Embedding":
        return (*shape, int(layer["output_dim"])), 0
    if kind in GATES:
        units = int(layer["units"])
        count = math.prod(places) * GATES[kind] * units * (channels + units)
        return ((*places, units) if layer.get("return_sequences") else (units,)), count
    return shape, 0


def _through_convolution(
    layer: Mapping[str, Any], places: Sequence[int], channels: int
) -> tuple[Shape, int]:
    kind: str = layer["layer_name"]
    window = _each(layer["kernel_size"], len(places))
    strides = _each(layer.get("strides") or 1, len(places))
    if kind == "Conv2DTranspose":
        filters = int(layer["filters"])
        wider = [
            size * step + max(0, side - step)
            for size, step, side in zip(places, strides, window, strict=True)
        ]
        outputs = wider
        count = math.prod(places) * math.prod(window) * channels * filters
        return (*outputs, filters), count
    outputs = _windows(places, window, strides, layer)
    each = math.prod(outputs) * math.prod(window)
    if kind in ("DepthwiseConv2D", "SeparableConv2D"):
        deep = channels * int(layer.get("depth_multiplier", 1))
        if kind == "DepthwiseConv2D":
            return (*outputs, deep), each * deep
        filters = int(layer["filters"])
        return (*outputs, filters), each * deep + math.prod(outputs) * deep * filters
    filters = int(layer["filters"])
    return (*outputs, filters), each * channels * filters // int(layer.get("groups", 1))


def _windows(
    places: Sequence[int], window: Sequence[int], strides: Sequence[int], layer: Mapping[str, Any]
) -> list[int]:
    """Return how many windows fit along each axis."""
    dilation = _each(layer.get("dilation_rate") or 1, len(places))
    if layer.get("padding", "valid") != "valid":
        return [-(-size // step) for size, step in zip(places, strides, strict=True)]
    return [
        max(0, (size - (side - 1) * apart - 1) // step + 1)
        for size, side, step, apart in zip(places, window, strides, dilation, strict=True)
    ]


def _each(value: int | Sequence[int], axes: int) -> list[int]:
    """Return one number for each axis; a single one is that of all."""
    return [int(value)] * axes if isinstance(value, int | float) else [int(one) for one in value]


def _flat(value: Any) -> list[int]:
    if isinstance(value, int | float):
        return [int(value)]
    return [number for one in value for number in _flat(one)]


def passes_of_activations(settings: Mapping[str, Any]) -> int:
    """Count the forward passes of single inputs that a network's activations take.

    Args:
        settings: those of the section ``activations``.

    Returns:
        The inputs, twice where neurons are drawn by importance.
    """
    inputs: int = settings["inputs"]
    return 2 * inputs if settings["sampling"] == "importance" else inputs


def passes_of_family(family: str, samples: int, outputs: int, *, slow: bool) -> int | None:
    """Count the forward passes of single inputs that a family of measures takes, in all its draws.

    Always Generalize alone takes 32,000: two draws of 2000 inputs, each as it is and in seven
    augmentations. Of grey or small images it takes fewer, since some augmentations leave them as
    they are.

    Args:
        family: its name.
        samples: number of training inputs.
        outputs: number of the network's outputs.
        slow: whether slow measures are computed.

    Returns:
        At most so many passes; a gradient counts as :data:`GRADIENT`. None for families that
        are not counted.
    """
    if family not in COUNTED_FAMILIES:
        return None
    if family == "baseline":
        return samples
    augmented = 2 * 8 * min(MEASURED_INPUTS, samples)
    # Pairs of 100 inputs of each class in groups of ten, of inputs and of features.
    mixed = 2 * 2 * MEASURED_INPUTS * 45 // 10 + 2 * 2 * MEASURED_INPUTS
    first_layer = 2 * 1200
    margin = 4 * GRADIENT * 500
    jacobian = 2 * 512 * (1 + (GRADIENT - 1) * outputs)
    graphs = (4 + 2) * 500
    ascents = 2 * (12 * 640 + 10 * 20 * GRADIENT * 64) if slow else 0
    return augmented + mixed + first_layer + margin + jacobian + graphs + ascents
