"""Finding where a condition changes along a line, by halving an interval."""

from __future__ import annotations

from collections.abc import Callable


def bisect(
    lies_above: Callable[[float], bool | None], low: float, high: float, steps: int
) -> tuple[float, float]:
    """Halve an interval around a point that is sought.

    For a point sought on a logarithmic scale, give logarithms.

    Args:
        lies_above: whether the point lies above this one; None if this one is near enough.
        low: lower end of the interval.
        high: upper end of the interval.
        steps: how many times to halve it.

    Returns:
        The ends of the remaining interval; both are the same point if that was near enough. An end
        equal to the given one was never moved.
    """
    for _ in range(steps):
        middle = (low + high) / 2
        above = lies_above(middle)
        if above is None:
            return middle, middle
        low, high = (middle, high) if above else (low, middle)
    return low, high
