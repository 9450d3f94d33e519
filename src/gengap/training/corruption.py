"""Corruption of labels: a fraction of them is replaced by wrong ones."""

from __future__ import annotations

import numpy as np

from gengap.errors import GengapError


def corrupt_labels(
    labels: np.ndarray, classes: int, fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Replace a fraction of the labels, each by one of the other classes with equal chance.

    Args:
        labels: (n,) integers in 0..classes-1.
        classes: number of classes.
        fraction: f in [0, 1]; exactly round(f*n) labels change (Python's rounding: half to even).
        rng: draws labels and classes. From the same state, a larger fraction changes the labels
            that a smaller one changes, in the same way, and further ones.

    Returns:
        (n,) int64; a copy.

    Raises:
        GengapError: there is no other class.
    """
    corrupted = labels.astype(np.int64)
    count = round(fraction * len(labels))
    if count and classes < 2:
        raise GengapError(
            f"label_corruption is {fraction} but the data have one class: use at least two."
        )
    if count:
        chosen = rng.permutation(len(labels))[:count]
        shifts = rng.integers(1, classes, size=len(labels))[:count]
        corrupted[chosen] = (corrupted[chosen] + shifts) % classes
    return corrupted
