"""Halving an interval around a point."""

from __future__ import annotations

import math

import pytest

from gengap.bisection import bisect


@pytest.mark.parametrize("root", [0.1, math.pi, 7.9])
def test_the_interval_closes_in_on_the_point(root: float) -> None:
    low, high = bisect(lambda at: at < root, 0.0, 8.0, 20)
    assert low <= root <= high
    assert high - low == 8.0 / 2**20


def test_an_end_that_is_the_answer_is_never_moved() -> None:
    assert bisect(lambda _: True, 0.0, 8.0, 3) == (7.0, 8.0)
    assert bisect(lambda _: False, 0.0, 8.0, 3) == (0.0, 1.0)


def test_a_point_that_is_near_enough_ends_the_search() -> None:
    looked_at: list[float] = []

    def lies_above(at: float) -> bool | None:
        looked_at.append(at)
        return None if abs(at - 3) < 0.1 else at < 3

    assert bisect(lies_above, 0.0, 8.0, 20) == (3.0, 3.0)
    assert looked_at == [4.0, 2.0, 3.0]
