"""Wines of three cultivars."""

from __future__ import annotations

import numpy as np

from gengap.datasets.registry import Embedded, dataset
from gengap.datasets.samples import Samples


@dataset("wine", Embedded, classes=3)
def wine() -> Samples:
    """Load 178 wines, (13,): their chemical analysis, each quantity in its own unit."""
    from sklearn.datasets import load_wine  # slow to import

    inputs, labels = load_wine(return_X_y=True)
    return Samples(inputs.astype(np.float32), labels.astype(np.int64))
