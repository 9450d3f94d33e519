"""Numbers that float32 holds apart stay; others are refused."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.datasets.precision import as_float32, bad_rows
from gengap.errors import GengapError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "values",
    [
        RNG.random(100_000),  # some of them become equal, but none moves far
        RNG.standard_normal((50, 4)) * 1e-30,
        np.full((5, 2), 0.1),
        0.1 + 0.2 - RNG.random((50, 1)) * 1e-16,
        np.array([1e30, 1.0, 2.0, 3.0]),
        np.array([1.7e9, 1.8e9, 1.9e9]),
        np.array([[True], [False]]),
        np.array([2**63, 0, 2**62], dtype=np.uint64),
    ],
)
def test_numbers_are_rounded(values: np.ndarray) -> None:
    np.testing.assert_array_equal(as_float32(values, "They"), values.astype(np.float32))


@pytest.mark.parametrize(
    "values",
    [
        1.7e9 + np.arange(60.0),
        2**60 + np.arange(9),
        np.array([2**63, 2**63 + 1], dtype=np.uint64),
        np.stack([RNG.random(60), 1 + 1e-9 * RNG.random(60)], axis=1),
        1e6 + RNG.random((4, 3, 3, 1)),
    ],
)
def test_differences_that_rounding_removes_are_refused(values: np.ndarray) -> None:
    with pytest.raises(GengapError, match=r"They lie so close together, from .* subtract their"):
        as_float32(values, "They")


def test_rows_with_anything_true() -> None:
    assert bad_rows(np.array([[[0, 1]], [[0, 0]], [[1, 1]]]) > 0).tolist() == [0, 2]
    assert bad_rows(np.zeros((0, 3), dtype=bool)).tolist() == []
