"""Optimal transport between persistence diagrams: Wasserstein and sliced Wasserstein distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bars = NDArray[np.float64]

LONGEST_BARS = 500
"""Bars of each diagram that are matched; the time grows with the cube of their number."""
DIRECTIONS = 50
"""Lines that diagrams are projected onto."""


def wasserstein_distance(one: Bars, other: Bars) -> float:
    """Compute the 1-Wasserstein distance of two diagrams, with Euclidean costs.

    It is the least total cost of all partial matchings. A matched pair costs its distance in the
    plane, an unmatched bar its distance from the diagonal, life / sqrt(2). Of each diagram, the 500
    longest bars count.

    Args:
        one: (bars, 2) finite births and deaths.
        other: those of the other diagram.

    Returns:
        The distance, in the unit of the births.
    """
    if np.array_equal(one, other):
        return 0.0
    one, other = _longest(one), _longest(other)
    if _all_match_in_order(one, other):
        return float(np.abs(np.sort(one[:, 1]) - np.sort(other[:, 1])).sum())
    # Imported here: not all diagrams need it.
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    alone = _from_diagonal(one), _from_diagonal(other)
    unmatched = float(alone[0].sum() + alone[1].sum())
    if len(one) == 0 or len(other) == 0:
        return unmatched
    # What a match saves over leaving both alone; a pair that saves nothing is left alone.
    savings = np.maximum(alone[0][:, None] + alone[1] - cdist(one, other), 0)
    rows, columns = linear_sum_assignment(savings, maximize=True)
    return max(0.0, unmatched - float(savings[rows, columns].sum()))


def sliced_wasserstein_distance(one: Bars, other: Bars) -> float:
    """Compute the sliced Wasserstein distance of two diagrams.

    Each diagram is joined by the projections of the other one's bars onto the diagonal, and both
    are projected onto 50 lines through the origin. The distance is the mean over the lines of the
    1-Wasserstein distance on the line, sum |x_(i) - y_(i)|. Carriere, Cuturi and Oudot 2017,
    "Sliced Wasserstein kernel for persistence diagrams".

    Args:
        one: (bars, 2) finite births and deaths.
        other: those of the other diagram.

    Returns:
        The distance, in the unit of the births.
    """
    if np.array_equal(one, other):
        return 0.0
    angles = np.linspace(-np.pi / 2, np.pi / 2, DIRECTIONS, endpoint=False)
    middles = [np.repeat(bars.mean(axis=1, keepdims=True), 2, axis=1) for bars in (one, other)]
    first = np.concatenate([one, middles[1]]).T.copy()
    second = np.concatenate([other, middles[0]]).T.copy()
    total = 0.0
    # One line at a time, since its sorted values stay in the processor's cache.
    for line in np.stack([np.cos(angles), np.sin(angles)], axis=1):
        difference = np.sort(line @ first)
        difference -= np.sort(line @ second)
        total += float(np.abs(difference, out=difference).sum())
    return total / DIRECTIONS


def _all_match_in_order(one: Bars, other: Bars) -> bool:
    """Return whether some best matching pairs all bars in the order of their deaths.

    So it is if all are born together (as in H0), there are as many of both, and the lengths are so
    alike that any two bars cost no more as a pair than alone: |x - y| <= (x + y) / sqrt(2). Then
    all are paired, and on a line the order is best.
    """
    if len(one) != len(other):
        return False
    births, deaths = np.concatenate([one, other]).T
    lengths = deaths - births
    shortest, longest = lengths.min(initial=np.inf), lengths.max(initial=0.0)
    alike = np.sqrt(2) * (longest - shortest) <= longest + shortest
    return bool(alike and (births == births[0]).all())


def _from_diagonal(bars: Bars) -> NDArray[np.float64]:
    """Return the Euclidean distance (bars,) of each bar from the diagonal."""
    distances: NDArray[np.float64] = (bars[:, 1] - bars[:, 0]) / np.sqrt(2)
    return distances


def _longest(bars: Bars) -> Bars:
    """Return the longest bars, in any order."""
    if len(bars) <= LONGEST_BARS:
        return bars
    return bars[np.argsort(bars[:, 0] - bars[:, 1], kind="stable")[:LONGEST_BARS]]
