"""scikit-learn's handwritten digits."""

from __future__ import annotations

import numpy as np

from gengap.datasets.registry import Embedded, dataset
from gengap.datasets.samples import Samples

WHITE = 16


@dataset("digits", Embedded, classes=10)
def digits() -> Samples:
    """Load 1797 handwritten digits, (8, 8, 1), in [0, 1]."""
    from sklearn.datasets import load_digits  # slow to import

    images, labels = load_digits(return_X_y=True)
    scaled = (images / WHITE).astype(np.float32)
    return Samples(scaled.reshape(-1, 8, 8, 1), labels.astype(np.int64))
