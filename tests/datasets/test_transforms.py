"""Transforms against Pillow, torch and hand-worked numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gengap.datasets import load
from gengap.datasets.transforms import apply, interpolation
from gengap.errors import GengapError


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def transformed(inputs: np.ndarray, *specs: Mapping[str, Any]) -> np.ndarray:
    train, test = apply(specs, inputs, inputs.copy())
    assert np.array_equal(train, test)
    assert train.dtype == np.float32
    return train


@pytest.mark.parametrize("size", [1, 3, 5, 8, 13, 16])
def test_resize_is_pillows_bilinear(size: int) -> None:
    inputs = images(2, 8, 12, 3)
    resized = transformed(inputs, {"name": "resize", "size": size})
    assert resized.shape == (2, size, size, 3)
    for image, result in zip(inputs, resized, strict=True):
        for channel in range(3):
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            expected = np.asarray(plane.resize((size, size), Image.Resampling.BILINEAR))
            assert np.allclose(result[..., channel], expected, atol=1e-5)


@pytest.mark.parametrize("size", [3, 16])
def test_resize_is_torchs_antialiased_interpolation(size: int) -> None:
    torch = pytest.importorskip("torch")
    inputs = images(3, 8, 8, 1)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(inputs).permute(0, 3, 1, 2), size=(size, size), mode="bilinear",
        antialias=True,
    ).permute(0, 2, 3, 1)  # fmt: skip
    resized = transformed(inputs, {"name": "resize", "size": size})
    assert np.allclose(resized, expected.numpy(), atol=1e-5)


def test_halving_a_line_by_hand() -> None:
    # Centre 1, half width 2: distances 1/2, 1/2, 3/2 give 3/4, 3/4, 1/4 before normalising.
    assert np.allclose(interpolation(4, 2)[0], np.array([3, 3, 1, 0]) / 7)


def test_same_size_and_constant_images_stay_as_they_are() -> None:
    inputs = images(2, 8, 8, 1)
    assert np.array_equal(transformed(inputs, {"name": "resize", "size": 8}), inputs)
    flat = np.full((1, 8, 8, 3), 0.3, dtype=np.float32)
    assert np.allclose(transformed(flat, {"name": "resize", "size": 5}), 0.3, atol=1e-6)


def test_grey_is_pillows_and_colour_repeats_it() -> None:
    bytes_ = np.random.default_rng(1).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    inputs = bytes_.astype(np.float32) / 255
    grey = transformed(inputs, {"name": "grey"})
    assert grey.shape == (2, 4, 4, 1)
    for image, result in zip(bytes_, grey, strict=True):
        expected = np.asarray(Image.fromarray(image).convert("L"))
        assert np.abs(result[..., 0] * 255 - expected).max() < 0.51
    colour = transformed(grey, {"name": "colour"})
    assert colour.shape == (2, 4, 4, 3)
    assert np.array_equal(colour, np.concatenate([grey, grey, grey], axis=-1))
    assert np.array_equal(transformed(grey, {"name": "grey"}), grey)
    assert np.array_equal(transformed(inputs, {"name": "colour"}), inputs)


def test_normalise_uses_the_train_split_alone() -> None:
    train, test = images(50, 4, 4, 3), images(20, 4, 4, 3, seed=1)
    train[..., 2] = 0.25
    test[..., 2] = 0.75
    new_train, new_test = apply([{"name": "normalise"}], train, test)
    assert np.allclose(new_train.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    assert np.allclose(new_train.std(axis=(0, 1, 2)), [1, 1, 0], atol=1e-6)
    for channel in (0, 1):
        mean, deviation = train[..., channel].mean(), train[..., channel].std()
        expected = (test[..., channel] - mean) / deviation
        assert np.allclose(new_test[..., channel], expected, atol=1e-5)
    assert np.allclose(new_test[..., 2], 0.5)


def test_normalise_standardises_the_components_of_vectors() -> None:
    data = load("iris", transforms=[{"name": "normalise"}])
    assert np.allclose(data.train.inputs.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(data.train.inputs.std(axis=0), 1, atol=1e-5)


def test_transforms_apply_in_turn() -> None:
    specs: list[dict[str, Any]] = [
        {"name": "resize", "size": 32},
        {"name": "colour"},
        {"name": "normalise"},
    ]
    data = load("digits", train_size=20, test_size=10, transforms=specs)
    assert data.input_shape == (32, 32, 3)
    assert data.train.inputs.mean() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "spec", "sentence"),
    [
        ("digits", {"name": "rotate"}, "Unknown transform 'rotate': choose one of resize, grey"),
        ("digits", {"size": 3}, "Unknown transform None"),
        (
            "digits",
            {"name": "resize", "sise": 3},
            "Unknown keyword 'sise' of transform resize.*size",
        ),
        ("digits", {"name": "grey", "size": 3}, "Unknown keyword 'size' of transform grey"),
        ("digits", {"name": "resize"}, "resize lacks its keyword size"),
        ("digits", {"name": "resize", "size": 0}, "size=0 of transform resize"),
        ("digits", {"name": "resize", "size": 2.5}, r"size=2\.5 of transform resize"),
        ("iris", {"name": "resize", "size": 4}, "resize needs images.*vectors of 4"),
        ("iris", {"name": "grey"}, "grey needs images"),
        ("iris", {"name": "colour"}, "colour needs images"),
    ],
)
def test_unknown_or_unfit_transforms_are_refused(
    name: str, spec: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        load(name, transforms=[spec])


@pytest.mark.parametrize(
    ("shape", "name", "sentence"),
    [
        ((3, 4, 4, 2), "grey", r"needs images of 1 or 3 channels, but these have 2"),
        ((3, 4, 4, 4), "colour", r"needs images of 1 or 3 channels, but these have 4"),
        ((3, 7, 2), "colour", r"holds inputs of shape \(7, 2\)"),
    ],
)
def test_inputs_of_other_channels_or_axes_are_refused(
    shape: tuple[int, ...], name: str, sentence: str
) -> None:
    inputs = np.zeros(shape, np.float32)
    with pytest.raises(GengapError, match=sentence):
        apply([{"name": name}], inputs, inputs)
