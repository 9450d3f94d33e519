"""Splits that keep groups of rows together, such as all rows of one patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError


def grouped_rows(
    groups: NDArray[np.int64], wanted: int, most: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose whole groups whose rows are as many as wanted, or as near as groups allow.

    Groups are looked at in a random order until some of them have the wanted size together; this is
    a subset-sum problem, solved exactly by dynamic programming over the sizes.

    Args:
        groups: (n,), the group of each row, 0 and on.
        wanted: number of rows.
        most: number of rows that must not be exceeded.
        rng: draws the order.

    Returns:
        (n,), whether a row is chosen: at least one is, and at least one is not.

    Raises:
        GengapError: there is one group alone, or each has more rows than ``most``.
    """
    sizes = np.bincount(groups)
    if len(sizes) < 2:
        raise GengapError("All rows are of one group, so none can be split off: give a test file.")
    # The least sum above the wanted one exceeds it by less than a group.
    highest = min(most, wanted + int(sizes.max()), len(groups) - 1)
    last_group = np.full(highest + 1, -1)
    reached = np.zeros(highest + 1, dtype=bool)
    reached[0] = True
    for group in rng.permutation(len(sizes)):
        size = sizes[group]
        if size > highest:
            continue
        new = np.zeros_like(reached)
        new[size:] = reached[: highest + 1 - size]
        new &= ~reached
        last_group[new] = group
        reached |= new
        if reached[min(wanted, highest)]:
            break
    sums = np.flatnonzero(reached)[1:]
    if not sums.size:
        raise GengapError(
            f"Each group has more rows than the {highest} that a test set may have: take a larger "
            "test_size, or other groups."
        )
    total = int(sums[np.abs(sums - wanted).argmin()])
    chosen = []
    while total:
        chosen.append(last_group[total])
        total -= int(sizes[chosen[-1]])
    return np.isin(groups, chosen)
