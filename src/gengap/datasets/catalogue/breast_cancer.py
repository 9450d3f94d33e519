"""Breast tumours, malignant or benign."""

from __future__ import annotations

import numpy as np

from gengap.datasets.registry import Embedded, dataset
from gengap.datasets.samples import Samples


@dataset("breast_cancer", Embedded, classes=2)
def breast_cancer() -> Samples:
    """Load 569 tumours, (30,): sizes and shapes of cell nuclei; malignant (0) or benign (1)."""
    from sklearn.datasets import load_breast_cancer  # slow to import

    inputs, labels = load_breast_cancer(return_X_y=True)
    return Samples(inputs.astype(np.float32), labels.astype(np.int64))
