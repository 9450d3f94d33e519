"""Transforms of a dataset's inputs, so that any network takes any dataset.

To add one: write a function of the inputs of both splits, list it in ``FUNCTIONS``, and add its
name and keywords to ``gengap.names.TRANSFORMS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.names import TRANSFORMS

Inputs = NDArray[np.float32]

IMAGE_AXES = 4

# Luma of ITU-R BT.601, as every image library greys.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def apply(
    transforms: Sequence[Mapping[str, Any]], train: Inputs, test: Inputs
) -> tuple[Inputs, Inputs]:
    """Apply named transforms in turn to the inputs of both splits.

    ``{"name": "resize", "size": s}`` makes images (n, s, s, C); ``{"name": "grey"}`` makes one
    channel and ``{"name": "colour"}`` three. ``{"name": "normalise"}`` gives each channel (or
    component of a vector) mean 0 and standard deviation 1 over the train split, and transforms the
    test split in the same way.

    Args:
        transforms: mappings of ``name`` and the transform's keywords.
        train: inputs (n, H, W, C) or (n, d) of the train split.
        test: those of the test split.

    Returns:
        The transformed inputs of the train and of the test split.

    Raises:
        GengapError: an unknown transform or keyword, a missing keyword, or inputs that it does not
            fit.
    """
    if transforms and train.dtype != np.float32:
        raise GengapError("Transforms need numbers but this dataset holds tokens: leave them out.")
    for spec in transforms:
        keywords = dict(spec)
        name = keywords.pop("name", None)
        if name not in TRANSFORMS:
            raise GengapError(f"Unknown transform {name!r}: choose one of {', '.join(TRANSFORMS)}.")
        known = TRANSFORMS[name]
        for key in keywords:
            if key not in known:
                takes = " and ".join(known) or "no keyword"
                raise GengapError(f"Unknown keyword {key!r} of transform {name}: it takes {takes}.")
        for key in known:
            if key not in keywords:
                raise GengapError(f"Transform {name} lacks its keyword {key}: add it.")
        train, test = FUNCTIONS[name](train, test, **keywords)
    return train, test


def _resize(train: Inputs, test: Inputs, size: int) -> tuple[Inputs, Inputs]:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise GengapError(f"size={size!r} of transform resize must be a whole number above 0.")
    return resized(train, size), resized(test, size)


def resized(images: Inputs, size: int) -> Inputs:
    """Resize images (n, H, W, C) to (n, size, size, C) by separable bilinear interpolation.

    Args:
        images: of one size.
        size: height and width afterwards; a smaller pixel averages over the area that it covers.

    Returns:
        The resized images.
    """
    count, height, width, channels = _image_shape(images, "resize")
    rows: Inputs = np.matmul(
        interpolation(height, size), images.reshape(count, height, width * channels)
    )
    resized: Inputs = np.matmul(
        interpolation(width, size), rows.reshape(count, size, width, channels)
    )
    return resized


def interpolation(old: int, new: int) -> Inputs:
    """Return the matrix that resamples a line of ``old`` pixels to ``new``.

    The filter is a triangle as wide as the larger of the two pixels: plain bilinear when enlarging,
    antialiased when reducing (Pillow's BILINEAR).

    Args:
        old: number of pixels before.
        new: number of pixels after.

    Returns:
        (new, old) weights, each row of sum 1.
    """
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    distance = np.abs(np.arange(old) + 0.5 - centres[:, np.newaxis]) / max(scale, 1.0)
    weights: NDArray[np.float64] = np.maximum(0.0, 1.0 - distance)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def _grey(train: Inputs, test: Inputs) -> tuple[Inputs, Inputs]:
    return _greyed(train), _greyed(test)


def _greyed(images: Inputs) -> Inputs:
    if _channels(images, "grey") == 1:
        return images
    luma: Inputs = np.matmul(images, LUMA)
    return luma[..., np.newaxis]


def _colour(train: Inputs, test: Inputs) -> tuple[Inputs, Inputs]:
    return _coloured(train), _coloured(test)


def _coloured(images: Inputs) -> Inputs:
    missing = LUMA.size // _channels(images, "colour")
    return np.repeat(images, missing, axis=-1)


def _normalise(train: Inputs, test: Inputs) -> tuple[Inputs, Inputs]:
    channels = [train[..., channel] for channel in range(train.shape[-1])]
    mean = np.array([values.mean(dtype=np.float64) for values in channels])
    deviation = np.array([values.std(dtype=np.float64) for values in channels])
    deviation[deviation == 0] = 1  # a constant channel becomes zero

    return _standardised(train, mean, deviation), _standardised(test, mean, deviation)


def _standardised(inputs: Inputs, mean: np.ndarray, deviation: np.ndarray) -> Inputs:
    moved = inputs - mean.astype(np.float32)
    moved /= deviation.astype(np.float32)
    return moved


def _channels(images: Inputs, name: str) -> int:
    channels = _image_shape(images, name)[-1]
    if channels not in (1, LUMA.size):
        raise GengapError(
            f"Transform {name} needs images of 1 or {LUMA.size} channels, but these have "
            f"{channels}: leave it out."
        )
    return channels


def _image_shape(images: Inputs, name: str) -> tuple[int, int, int, int]:
    if images.ndim != IMAGE_AXES:
        held = (
            f"vectors of {images.shape[1]} components"
            if images.ndim == 2
            else (f"inputs of shape {images.shape[1:]}")
        )
        raise GengapError(
            f"Transform {name} needs images but this dataset holds {held}: leave it out."
        )
    count, height, width, channels = images.shape
    return count, height, width, channels


FUNCTIONS: dict[str, Callable[..., tuple[Inputs, Inputs]]] = {
    "resize": _resize,
    "grey": _grey,
    "colour": _colour,
    "normalise": _normalise,
}
"""Every transform by its name."""
