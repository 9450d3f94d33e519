"""Fisher's irises."""

from __future__ import annotations

import numpy as np

from gengap.datasets.registry import Embedded, dataset
from gengap.datasets.samples import Samples


@dataset("iris", Embedded, classes=3)
def iris() -> Samples:
    """Load 150 irises, (4,): length and width of sepal and petal in centimetres."""
    from sklearn.datasets import load_iris  # slow to import

    inputs, labels = load_iris(return_X_y=True)
    return Samples(inputs.astype(np.float32), labels.astype(np.int64))
