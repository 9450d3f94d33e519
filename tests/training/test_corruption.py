"""Label corruption: how many, which, and to what."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.errors import GengapError
from gengap.seeding import generator
from gengap.training import corrupt_labels


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.1, 0.25, 0.333, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 5, 600, 601])
def test_exactly_the_rounded_number_changes(fraction: float, n: int) -> None:
    labels = np.arange(n) % 10
    corrupted = corrupt_labels(labels, 10, fraction, generator(0))
    assert (corrupted != labels).sum() == round(fraction * n)
    assert corrupted.dtype == np.int64
    assert ((corrupted >= 0) & (corrupted < 10)).all()


def test_the_input_is_left_alone() -> None:
    labels = np.zeros(100, np.int64)
    corrupt_labels(labels, 3, 1.0, generator(0))
    assert not labels.any()


def test_other_classes_are_equally_likely() -> None:
    corrupted = corrupt_labels(np.full(30_000, 2), 4, 1.0, generator(1))
    counts = np.bincount(corrupted, minlength=4)
    assert counts[2] == 0
    # binomial(30000, 1/3): sd 82
    np.testing.assert_allclose(counts[[0, 1, 3]], 10_000, atol=400)


def test_positions_are_equally_likely() -> None:
    changed = np.zeros(20)
    for seed in range(2000):
        changed += corrupt_labels(np.zeros(20, np.int64), 2, 0.25, generator(seed))
    # binomial(2000, 1/4): sd 19
    np.testing.assert_allclose(changed, 500, atol=100)


def test_more_corruption_keeps_the_labels_that_less_corrupted() -> None:
    labels = np.arange(200) % 10
    few, many = (corrupt_labels(labels, 10, f, generator(5, "x")) for f in (0.1, 0.4))
    touched = few != labels
    assert (many[touched] == few[touched]).all()


def test_one_class_cannot_be_corrupted() -> None:
    with pytest.raises(GengapError, match=r"label_corruption is 0\.5"):
        corrupt_labels(np.zeros(4, np.int64), 1, 0.5, generator(0))
