"""The variance of features that come in batches, against NumPy's of all of them."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.measures import moments
from gengap.measures.moments import RunningVariance


@pytest.mark.parametrize("sizes", [(7,), (3, 4), (1, 5, 1)])
@pytest.mark.parametrize("columns", [2, 100])
def test_the_variance_is_that_of_all_batches_together(
    sizes: tuple[int, ...], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "COLUMNS", columns)
    # Far from 0, where squares minus the squared mean would cancel.
    features = np.random.default_rng(0).normal(1000, 0.1, (sum(sizes), 5)).astype(np.float32)
    running = RunningVariance()
    for batch in np.split(features, np.cumsum(sizes)[:-1]):
        running.add(batch)
    np.testing.assert_allclose(running.variance, features.astype(float).var(axis=0), rtol=1e-12)
