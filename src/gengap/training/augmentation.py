"""Random crops and flips of channels-last images."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor
from torch.nn import functional

SIDE_PER_PADDING = 8
"""Crops pad by one cell per this many cells of the shorter side: 4 for CIFAR's 32, 1 for 8."""

FLIP_PROBABILITY = 0.5


def augment(images: Tensor, names: Collection[str], generator: torch.Generator) -> Tensor:
    """Crop and flip a batch at random.

    Args:
        images: (n, H, W, C).
        names: any of :data:`gengap.names.AUGMENTATIONS`.
        generator: a generator on the CPU.

    Returns:
        (n, H, W, C).
    """
    count, height, width = images.shape[:3]
    if "crop" in names:
        padding = max(min(height, width) // SIDE_PER_PADDING, 1)
        corners = torch.randint(0, 2 * padding + 1, (count, 2), generator=generator)
        images = crop(images, corners.to(images.device), padding)
    if "flip" in names:
        flipped = torch.rand(count, generator=generator) < FLIP_PROBABILITY
        images = flip(images, flipped.to(images.device))
    return images


def crop(images: Tensor, corners: Tensor, padding: int) -> Tensor:
    """Cut windows of the images' own size out of the images padded with zeros on every side.

    Args:
        images: (n, H, W, C).
        corners: (n, 2) integers in 0..2*padding, the top and left of each window.
        padding: cells on each side.

    Returns:
        (n, H, W, C).
    """
    count, height, width = images.shape[:3]
    padded = functional.pad(images, (0, 0, padding, padding, padding, padding))
    rows = corners[:, :1] + torch.arange(height, device=images.device)
    columns = corners[:, 1:] + torch.arange(width, device=images.device)
    every = torch.arange(count, device=images.device)
    return padded[every[:, None, None], rows[:, :, None], columns[:, None, :]]


def flip(images: Tensor, flipped: Tensor) -> Tensor:
    """Mirror those images (n, H, W, C) left to right for which ``flipped`` (n,) is true."""
    return torch.where(flipped[:, None, None, None], images.flip(2), images)
