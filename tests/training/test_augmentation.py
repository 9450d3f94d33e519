"""Crops and flips against NumPy's slicing."""

from __future__ import annotations

import numpy as np
import torch

from gengap.seeding import torch_generator
from gengap.training.augmentation import augment, crop, flip

IMAGES = np.random.default_rng(0).normal(size=(30, 8, 10, 3)).astype(np.float32)
PADDING = 2


def test_crop_is_a_window_of_the_padded_image() -> None:
    corners = np.random.default_rng(1).integers(0, 2 * PADDING + 1, size=(30, 2))
    corners[:2] = [[0, 2 * PADDING], [2 * PADDING, 0]]
    found = crop(torch.from_numpy(IMAGES), torch.from_numpy(corners), PADDING).numpy()
    for image, (top, left), window in zip(IMAGES, corners, found, strict=True):
        padded = np.pad(image, ((PADDING, PADDING), (PADDING, PADDING), (0, 0)))
        np.testing.assert_array_equal(window, padded[top : top + 8, left : left + 10])


def test_a_corner_at_the_padding_is_the_image_itself() -> None:
    corners = torch.full((30, 2), PADDING)
    np.testing.assert_array_equal(crop(torch.from_numpy(IMAGES), corners, PADDING).numpy(), IMAGES)


def test_flip_mirrors_columns_of_the_chosen_images() -> None:
    flipped = np.arange(30) % 3 == 0
    found = flip(torch.from_numpy(IMAGES), torch.from_numpy(flipped)).numpy()
    np.testing.assert_array_equal(found[flipped], IMAGES[flipped][:, :, ::-1])
    np.testing.assert_array_equal(found[~flipped], IMAGES[~flipped])


def test_random_augmentation_reaches_every_crop_and_both_flips() -> None:
    """8x8 images pad by one cell: 9 windows, 2 orientations, all 18 seen about equally often."""
    image = np.arange(1.0, 65.0, dtype=np.float32).reshape(8, 8, 1)
    many = torch.from_numpy(np.repeat(image[None], 3600, 0))
    found = augment(many, ("crop", "flip"), torch_generator(0)).numpy()
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    total = 0
    for top in range(3):
        for left in range(3):
            window = padded[top : top + 8, left : left + 8]
            for wanted in (window, window[:, ::-1]):
                count = (found == wanted).all((1, 2, 3)).sum()
                # binomial(3600, 1/18): sd 14
                assert 140 < count < 260
                total += count
    assert total == 3600


def test_nothing_asked_nothing_done() -> None:
    images = torch.from_numpy(IMAGES)
    assert augment(images, (), torch_generator(0)) is images
