"""Whole groups are chosen, as near to the wanted size as they allow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gengap.datasets.grouped import grouped_rows
from gengap.errors import GengapError


@pytest.mark.parametrize("seed", range(8))
def test_the_size_is_the_nearest_of_all_sets_of_groups(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    sizes = rng.integers(2, 30, 7)
    groups = rng.permutation(np.repeat(np.arange(7), sizes))
    wanted, most = int(rng.integers(1, len(groups) - 1)), int(rng.integers(40, len(groups)))
    sums = {
        int(sizes[list(chosen)].sum())
        for count in range(1, 7)
        for chosen in itertools.combinations(range(7), count)
    }
    nearest = min(abs(size - wanted) for size in sums if size <= most)
    rows = grouped_rows(groups, wanted, most, np.random.default_rng(seed))
    assert abs(rows.sum() - wanted) == nearest
    assert rows.sum() <= most
    assert not set(groups[rows]) & set(groups[~rows])


def test_seeds_choose_other_groups_and_each_group_gets_its_turn() -> None:
    groups = np.repeat(np.arange(10), 4)
    chosen = [
        set(groups[grouped_rows(groups, 8, 39, np.random.default_rng(seed))]) for seed in range(60)
    ]
    counts = np.bincount([group for groups in chosen for group in groups], minlength=10)
    assert counts.sum() == 120  # two groups each time
    assert counts.min() >= 3  # of 12 expected


def test_what_cannot_be_divided_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(GengapError, match="All rows are of one group"):
        grouped_rows(np.zeros(5, np.int64), 1, 4, rng)
    with pytest.raises(GengapError, match="Each group has more rows than the 2"):
        grouped_rows(np.repeat([0, 1], 5), 1, 2, rng)
