"""Images of noise with random labels: nothing to learn but by heart."""

from __future__ import annotations

import numpy as np

from gengap.datasets.samples import Samples

FAKE_SHAPE = (32, 32, 3)
FAKE_CLASSES = 10


def fake_images(count: int, rng: np.random.Generator) -> Samples:
    """Uniform bytes (n, 32, 32, 3) with uniform labels, after torchvision's ``FakeData``."""
    images = rng.integers(0, 256, (count, *FAKE_SHAPE), dtype=np.uint8)
    return Samples(images, rng.integers(0, FAKE_CLASSES, count))
