"""Images of noise with random labels, which a network can only memorise."""

from __future__ import annotations

import numpy as np

from gengap.datasets.registry import Drawn, dataset
from gengap.datasets.samples import Samples

SHAPE = (32, 32, 3)
CLASSES = 10


@dataset("fake_images", Drawn, classes=CLASSES)
def fake_images(count: int, rng: np.random.Generator) -> Samples:
    """Draw uniform bytes (n, 32, 32, 3) with uniform labels, after torchvision's ``FakeData``."""
    images = rng.integers(0, 256, (count, *SHAPE), dtype=np.uint8)
    return Samples(images, rng.integers(0, CLASSES, count))
