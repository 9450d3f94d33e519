"""Draws of training data: who gets which rows of a pool, and what does not change them."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.datasets import Split, draw_rows, load
from gengap.errors import GengapError


def pool(size: int, classes: int = 4) -> Split:
    return Split(np.zeros((size, 1), np.float32), np.arange(size) % classes, classes)


def test_draws_share_no_row_as_long_as_the_pool_lasts() -> None:
    draws = [draw_rows(pool(100), 30, replicate) for replicate in range(7)]
    for draw in draws:
        assert draw.dtype == np.int64
        assert len(np.unique(draw)) == 30
        assert draw.min() >= 0
        assert draw.max() < 100
    for first in (0, 3):
        assert len(np.unique(np.concatenate(draws[first : first + 3]))) == 90
    # The pool is shuffled anew: the fourth draw is not the first again.
    assert set(draws[3]) != set(draws[0])


def test_a_draw_depends_on_seed_and_replicate_alone() -> None:
    first = draw_rows(pool(100), 30, 1, seed=5)
    assert np.array_equal(first, draw_rows(pool(100), 30, 1, seed=5))
    assert set(first) != set(draw_rows(pool(100), 30, 1, seed=6))


@pytest.mark.parametrize(("size", "counts"), [(40, {10}), (30, {7, 8})])
def test_balanced_draws_have_equal_classes(size: int, counts: set[int]) -> None:
    labels = np.repeat(np.arange(4), [60, 40, 30, 25])
    uneven = Split(np.zeros((155, 1), np.float32), labels, 4)
    for replicate in range(4):
        drawn = labels[draw_rows(uneven, size, replicate, balanced=True)]
        assert set(np.bincount(drawn)) == counts


def test_draws_of_numbers_need_no_classes() -> None:
    numbers = Split(np.zeros((10, 1), np.float32), np.linspace(0, 1, 10, dtype=np.float32), 0)
    assert len(draw_rows(numbers, 4, 2)) == 4


@pytest.mark.parametrize("size", [12, 13])
def test_a_pool_without_a_choice_is_refused(size: int) -> None:
    with pytest.raises(GengapError, match=f"draw train_size={size} samples from a pool of 12, so"):
        draw_rows(pool(12), size, 0)
    uneven = Split(np.zeros((12, 1), np.float32), np.array([0] * 10 + [1] * 2), 2)
    with pytest.raises(GengapError, match="a pool of 4 in balanced classes"):
        draw_rows(uneven, 4, 0, balanced=True)


def test_the_source_of_a_dataset_does_not_depend_on_what_is_selected() -> None:
    whole, part = load("digits"), load("digits", train_size=10, test_size=5, seed=3)
    assert len(whole.source) == 64
    assert whole.source == part.source != load("iris").source
    drawn = {load("moons", train_size=9, test_size=5, seed=seed).source for seed in (0, 1)}
    assert len(drawn) == 2


def test_a_draw_may_be_a_fraction_of_the_pool() -> None:
    pool = Split(np.zeros((20, 1), np.float32), np.arange(20) % 2, 2)
    for replicate in range(3):
        rows = draw_rows(pool, 0.85, replicate, seed=3)
        np.testing.assert_array_equal(rows, draw_rows(pool, 17, replicate, seed=3))
    with pytest.raises(GengapError, match=r"train_size=0\.01 samples from a pool of 20"):
        draw_rows(pool, 0.01, 0)
