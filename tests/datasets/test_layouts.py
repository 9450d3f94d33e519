"""Inputs in any layout and type become channels last and float32, or are refused."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.datasets.layouts import channels_last
from gengap.errors import GengapError


@pytest.mark.parametrize(
    ("layout", "shape", "expected"),
    [
        ("NCHW", (2, 3, 4, 5), (2, 4, 5, 3)),
        ("NHWC", (2, 4, 5, 3), (2, 4, 5, 3)),
        ("NHW", (2, 4, 5), (2, 4, 5, 1)),
        ("NCL", (2, 3, 7), (2, 7, 3)),
        ("NLC", (2, 7, 3), (2, 7, 3)),
        ("NCDHW", (2, 3, 4, 5, 6), (2, 4, 5, 6, 3)),
        ("NDHWC", (2, 4, 5, 6, 3), (2, 4, 5, 6, 3)),
    ],
)
def test_a_stated_layout_moves_the_channels_last(
    layout: str, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    inputs = np.random.default_rng(0).random(shape)
    ordered = channels_last(inputs, "my.npz", layout=layout)
    assert ordered.shape == expected
    assert ordered.dtype == np.float32
    letters = dict(zip(layout, np.indices(shape), strict=True))
    place = np.ravel_multi_index([letters[axis] for axis in layout], shape)
    # Each value stands where its letters say.
    order = [axis for axis in layout if axis != "C"]
    target = [letters[axis] for axis in order] + [letters.get("C", np.zeros(shape, int))]
    np.testing.assert_array_equal(ordered[tuple(target)], inputs.ravel()[place].astype(np.float32))


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((2, 8, 8, 3), "NHWC"),
        ((2, 3, 8, 8), "NCHW"),
        ((2, 1, 28, 28), "NCHW"),
        ((2, 5, 6, 7, 1), "NDHWC"),
        ((2, 1, 5, 6, 7), "NCDHW"),
    ],
)
def test_a_guess_is_made_where_one_axis_alone_fits_and_is_said(
    shape: tuple[int, ...], layout: str, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = np.random.default_rng(0).random(shape)
    guessed = channels_last(inputs, "my.npz")
    np.testing.assert_array_equal(guessed, channels_last(inputs, "my.npz", layout=layout))
    assert f"are taken to be {layout}; write 'layout: {layout}'" in caplog.text


@pytest.mark.parametrize("shape", [(2, 3, 8, 3), (2, 8, 8, 2), (2, 28, 28), (2, 1, 1, 4, 4)])
def test_what_may_be_either_is_asked_for(shape: tuple[int, ...]) -> None:
    if shape == (2, 1, 1, 4, 4):
        with pytest.raises(GengapError, match="NCDHW, NDHWC"):
            channels_last(np.zeros(shape), "my.npz")
        return
    with pytest.raises(GengapError, match="does not tell where the channels are: say 'layout:'"):
        channels_last(np.zeros(shape), "my.npz")


def test_pixels_of_8_and_16_bits_are_scaled_and_other_integers_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pixels = np.array([0, 1, 255]).reshape(1, 1, 3, 1)
    assert channels_last(pixels.astype(np.uint8), "x", layout="NHWC").dtype == np.uint8
    deep = channels_last(pixels.astype(np.uint16), "x", layout="NHWC")
    np.testing.assert_allclose(deep, pixels / 65535, rtol=1e-7)
    assert not caplog.records
    np.testing.assert_array_equal(channels_last(pixels, "x", layout="NHWC"), pixels)
    assert "not scaled to [0, 1]" in caplog.text
    series = channels_last(pixels[0].astype(np.uint8), "x", layout="NLC")
    np.testing.assert_array_equal(series, pixels[0])
    assert series.dtype == np.float32


def test_integers_of_two_axes_must_say_what_they_are() -> None:
    numbers = np.arange(6).reshape(2, 3)
    with pytest.raises(GengapError, match="say 'kind: tokens' or 'kind: vector'"):
        channels_last(numbers, "my.npz")
    assert channels_last(numbers.astype(np.uint8), "x", kind="tokens").dtype == np.int64
    assert channels_last(numbers, "x", kind="vector").dtype == np.float32
    assert channels_last(numbers > 2, "x").tolist() == [[0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("inputs", "keys", "sentence"),
    [
        (np.arange(6).reshape(2, 3) - 1, {"kind": "tokens"}, "tokens of x reach down to -1"),
        (np.ones((2, 3)), {"kind": "tokens"}, "'kind: tokens' needs integers"),
        (np.ones((2, 3, 4)), {"kind": "tokens"}, "they are no tokens: leave 'kind' out"),
        (np.ones((2, 3)), {"layout": "NCHW"}, "leave 'layout: NCHW' out"),
        (np.ones((2, 3, 4)), {"layout": "NCHW"}, "which layout NCHW does not fit"),
        (np.ones((2, 3, 4)), {"layout": "CHWN"}, "layout='CHWN' of x is unknown"),
        (np.ones((2, 3)), {"kind": "text"}, "kind='text' of x is unknown"),
        (np.full((2, 3), 1e39), {}, "too large for float32 in row 0, 1"),
        (np.array([[2**24 + 1], [0]]), {"kind": "vector"}, "float32 is exact up to 16777216"),
        (np.ones((2, 3), complex), {}, "of type complex128"),
        (np.array([["a"]]), {}, "of type <U1"),
        (np.ones(3), {}, r"shape \(3,\): give \(n, d\)"),
        (np.ones((3, 0)), {}, r"shape \(3, 0\)"),
        (np.array([[1], [np.nan], [np.inf]]), {}, r"in 2 rows \(1, 2, counted from 0\): remove"),
    ],
)
def test_inputs_that_cannot_be_used_are_refused(
    inputs: np.ndarray, keys: dict[str, str], sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        channels_last(inputs, "x", **keys)
