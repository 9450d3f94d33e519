"""Six points on a line: the introduction of Sabanayagam et al. (2023, arXiv:2306.07104)."""

from __future__ import annotations

import numpy as np

from gengap.datasets.registry import Embedded, TrainAndTest, dataset
from gengap.datasets.samples import Samples


@dataset("intro1d", Embedded, classes=2)
def intro1d() -> TrainAndTest:
    """Return six points (1,) in three stretches of alternating class; the test split is equal."""
    inputs = np.array([[0.5], [1.0], [1.1], [1.3], [1.4], [1.45]], dtype=np.float32)
    samples = Samples(inputs, np.array([0, 1, 1, 1, 0, 0]))
    return samples, samples
