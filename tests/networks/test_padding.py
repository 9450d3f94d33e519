"""Padding and convolution against a direct formula and loops in NumPy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from gengap.networks import build, weight_layers
from gengap.networks.padding import same_pads


def brute_force_convolution(
    images: np.ndarray, kernel: np.ndarray, strides: tuple[int, int], padding: str, dilation: int
) -> np.ndarray:
    """Cross-correlation of (n, H, W, C) with (kh, kw, C, filters), one output cell at a time.

    For ``same`` padding the window of output cell o on an axis starts at o*stride - before, where
    ``before`` is half of what the last window reaches beyond the input (TensorFlow's definition).
    """
    n, height, width, _ = images.shape
    reach = [(size - 1) * dilation + 1 for size in kernel.shape[:2]]
    if padding == "same":
        out = [math.ceil(side / step) for side, step in zip((height, width), strides, strict=True)]
        excess = [
            max((o - 1) * step + r - side, 0)
            for o, step, r, side in zip(out, strides, reach, (height, width), strict=True)
        ]
        before = [e // 2 for e in excess]
    else:
        out = [
            (side - r) // step + 1
            for side, r, step in zip((height, width), reach, strides, strict=True)
        ]
        before = [0, 0]
    result = np.zeros((n, *out, kernel.shape[-1]))
    for i, j in itertools.product(range(out[0]), range(out[1])):
        for a, b in itertools.product(range(kernel.shape[0]), range(kernel.shape[1])):
            row = i * strides[0] - before[0] + a * dilation
            column = j * strides[1] - before[1] + b * dilation
            if 0 <= row < height and 0 <= column < width:
                result[:, i, j] += images[:, row, column] @ kernel[a, b]
    return result


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("size", "window", "strides", "dilation"),
    [
        ((8, 8), (3, 3), (1, 1), 1),
        ((8, 8), (3, 3), (2, 2), 1),
        ((7, 8), (3, 3), (2, 2), 1),
        ((8, 9), (2, 4), (1, 1), 1),
        ((9, 7), (5, 2), (3, 2), 1),
        ((6, 6), (1, 1), (2, 2), 1),
        ((9, 8), (3, 3), (1, 1), 2),
        ((5, 6), (2, 3), (4, 3), 1),
    ],
)
def test_convolution_equals_brute_force(
    size: tuple[int, int],
    window: tuple[int, int],
    strides: tuple[int, int],
    dilation: int,
    padding: str,
) -> None:
    layer = {
        "layer_name": "Conv2D",
        "filters": 3,
        "kernel_size": list(window),
        "strides": list(strides),
        "padding": padding,
        "dilation_rate": dilation,
    }
    network = build({"model_config": [layer, {"layer_name": "Flatten"}], "input_shape": [*size, 2]})
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, *size, 2)).astype(np.float32)
    _, convolution = weight_layers(network)[0]
    kernel = convolution.weight.detach().numpy().transpose(2, 3, 1, 0)
    assert convolution.bias is not None
    with torch.no_grad():
        found = network(torch.from_numpy(images)).numpy()
    wanted = brute_force_convolution(images, kernel, strides, padding, dilation)
    wanted = (wanted + convolution.bias.detach().numpy()).reshape(2, -1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_pads_give_the_stated_number_of_outputs(size: int, window: int, stride: int) -> None:
    before, after = same_pads(size, window, stride)
    assert (size + before + after - window) // stride + 1 == math.ceil(size / stride)
    assert after - before in (0, 1)
    if size % stride == 0:
        assert before + after == max(window - stride, 0)
    else:
        assert before + after == max(window - size % stride, 0)


def test_a_window_of_two_at_stride_one_pads_after_the_input() -> None:
    assert same_pads(8, 2, 1) == (0, 1)
    assert same_pads(8, 3, 2) == (0, 1)
    assert same_pads(7, 3, 2) == (1, 1)


def pool(layer: dict[str, Any], image: np.ndarray) -> np.ndarray:
    """One pooling layer on one channel, through a dense layer that passes everything on."""
    spec = {
        "model_config": [layer, {"layer_name": "Flatten"}, {"layer_name": "Dense", "units": 1}],
        "input_shape": [*image.shape, 1],
    }
    network = build(spec)
    modules = dict(network.named_children())
    with torch.no_grad():
        values = torch.from_numpy(image[None, None].astype(np.float32))
        for name, module in modules.items():
            if "pooling" in name:
                values = module(values)
    return values[0, 0].numpy()


def test_average_pooling_leaves_padding_out() -> None:
    """3x3 by 2x2 with same padding: the edge windows hold 2, 2 and 1 cells."""
    image = np.arange(9.0).reshape(3, 3)
    layer = {"layer_name": "AveragePooling2D", "pool_size": 2, "padding": "same"}
    np.testing.assert_allclose(pool(layer, image), [[2.0, 3.5], [6.5, 8.0]])


def test_max_pooling_never_sees_the_padding() -> None:
    image = -1.0 - np.arange(9.0).reshape(3, 3)
    layer = {"layer_name": "MaxPooling2D", "pool_size": 2, "padding": "same"}
    np.testing.assert_allclose(pool(layer, image), [[-1.0, -3.0], [-7.0, -9.0]])
