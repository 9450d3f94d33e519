"""The bottleneck distance of two persistence diagrams, exact and quick for many bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Bars = NDArray[np.float64]
Positions = NDArray[np.int64]

# Number of bars that are compared with the other diagram at a time: bounds the memory.
BLOCK_BARS = 256

# Where the grids begin in whose cells bars find their first partners, in cells.
CELL_OFFSETS = ((0.0, 0.0), (0.5, 0.5), (0.5, 0.0), (0.0, 0.5))

# Cells along an axis that can be numbered.
MOST_CELLS = 2.0**30


def bottleneck_distance(one: Bars, other: Bars) -> float:
    """Compute the bottleneck distance of two diagrams.

    It is the least, over all partial matchings, of the largest cost of a bar. A matched pair costs
    the larger difference of its births and deaths, an unmatched bar half its length (Cohen-Steiner,
    Edelsbrunner and Harer, "Stability of persistence diagrams", 2007).

    Args:
        one: (bars, 2) finite births and deaths.
        other: those of the other diagram.

    Returns:
        The distance, in the unit of the births.
    """
    if np.array_equal(one, other):
        return 0.0
    births = np.concatenate([one[:, 0], other[:, 0]])
    if (births == births[0]).all():
        return _of_equal_births(one, other)
    return _of_any_bars(one, other)


def _of_equal_births(one: Bars, other: Bars) -> float:
    """Compute the distance if all bars are born together, as in H0: their lengths decide.

    Some best matching pairs the k longest bars of both sides in order. Were a matched bar m shorter
    than an unmatched u, one could give m's partner p to u, which costs no more than half of u,
    unless p is shorter than half of u: but then m and p may be left unmatched as well.

    Returns:
        The distance.
    """
    first, second = (np.sort(bars[:, 1] - bars[:, 0])[::-1] for bars in (one, other))
    paired = min(len(first), len(second))
    largest_move = np.maximum.accumulate(np.abs(first[:paired] - second[:paired]))
    matched = np.concatenate([[0.0], largest_move])
    left_over = [np.append(lengths, 0.0)[: paired + 1] / 2 for lengths in (first, second)]
    return float(np.maximum(matched, np.maximum(*left_over)).min())


def _of_any_bars(one: Bars, other: Bars) -> float:
    """Compute the distance by search among the values that it can have.

    It is at most t if and only if all bars longer than 2 t of either side can be matched at cost t.
    If one matching covers those of one side and another those of the other side, then their union
    contains one that covers both (Mendelsohn and Dulmage 1958). So only long bars need partners,
    and few are long near the distance itself. The search starts where every bar has a
    partner near enough, or is short: below that no matching is good enough.

    Returns:
        The distance.
    """
    halves = [(bars[:, 1] - bars[:, 0]) / 2 for bars in (one, other)]
    if len(one) == 0 or len(other) == 0:
        return float(np.concatenate(halves).max())
    sides = [_Side(one, other, halves[0]), _Side(other, one, halves[1])]

    def enough(limit: float) -> bool:
        return all(side.can_be_matched(limit) for side in sides)

    bound = 0.0
    for side in sides:
        bound = side.bound(bound)
    if enough(bound):
        return bound
    every = np.unique(np.concatenate(halves))
    lengths = np.append(bound, every[every > bound])
    # The largest half length is always enough: then nothing has to be matched.
    bad, good = 0, min(1, len(lengths) - 1)
    while good < len(lengths) - 1 and not enough(lengths[good]):
        bad, good = good, min(2 * good, len(lengths) - 1)
    good = _first_enough(lengths, bad, good, enough)
    # Between two half lengths only the cost of a pair can be the distance.
    high = float(lengths[good])
    costs = np.unique(np.concatenate([side.costs(lengths[good - 1], high) for side in sides]))
    costs = np.append(costs, high)
    return float(costs[_first_enough(costs, -1, len(costs) - 1, enough)])


def _first_enough(values: Bars, bad: int, good: int, enough: Callable[[float], bool]) -> int:
    """Return the position of the first value that is enough; ``bad`` is not, but ``good`` is."""
    while good - bad > 1:
        middle = (bad + good) // 2
        bad, good = (bad, middle) if enough(values[middle]) else (middle, good)
    return good


class _Side:
    """The bars of one diagram, the longest first, to be matched with those of the other.

    The matching is kept, so that the search at one limit begins with that of the limit before.
    """

    def __init__(self, bars: Bars, partners: Bars, halves: Bars) -> None:
        longest_first = np.argsort(-halves)
        self._bars, self._halves = bars[longest_first], halves[longest_first]
        self._partners = partners
        # Positions of what they are matched with, or -1.
        self._partner_of = np.full(len(bars), -1)
        self._bar_of = np.full(len(partners), -1)

    def bound(self, known: float) -> float:
        """Return a bound: the largest cost that some bar has at least, its half or its nearest.

        Args:
            known: another lower bound; bars that are shorter than twice this need no look.

        Returns:
            The larger one of the two.
        """
        tree = _search_tree(self._partners)
        longest = np.arange(min(BLOCK_BARS, len(self._bars)))
        bound = max(known, self._farthest(longest, tree))
        # Most others have a partner in their cell that is near enough.
        long = int(np.searchsorted(-self._halves, -bound))
        self._match_in_cells(long, bound)
        unmatched = np.flatnonzero(self._partner_of[:long] < 0)
        return max(bound, self._farthest(unmatched, tree))

    def can_be_matched(self, limit: float) -> bool:
        """Return whether all bars of half lengths above a limit can be matched at that cost.

        Most bars find a partner in their cell of a grid. The others are matched along augmenting
        paths, a phase of disjoint paths at a time (Hopcroft and Karp 1973). Partners in reach are
        looked up, and no list of pairs is made (Efrat, Itai and Katz 2001, "Geometry helps in
        bottleneck matching and related problems").

        Args:
            limit: the largest cost of a matched pair.

        Returns:
            Whether there is such a matching.
        """
        long = int(np.searchsorted(-self._halves, -limit))
        self._keep_pairs(long, limit)
        self._match_in_cells(long, limit)
        while (sources := np.flatnonzero(self._partner_of[:long] < 0)).size:
            if not self._augment(sources, limit):
                return False
        return True

    def costs(self, low: float, high: float) -> Bars:
        """Return the costs between the two of pairs with a bar of half length ``high`` or more.

        The births or the deaths of such a pair differ by its cost, so partners are looked up at
        that distance among sorted ones.
        """
        long = self._bars[self._halves >= high]
        rounding = 4 * np.spacing(max(np.abs(self._bars).max(), np.abs(self._partners).max()))
        between = [np.empty(0)]
        for axis in (0, 1):
            partners = self._partners[np.argsort(self._partners[:, axis])]
            for start in range(0, len(long), BLOCK_BARS):
                block = long[start : start + BLOCK_BARS]
                for near, far in ((low, high), (-high, -low)):
                    first = np.searchsorted(partners[:, axis], block[:, axis] + near - rounding)
                    last = np.searchsorted(partners[:, axis], block[:, axis] + far + rounding)
                    bars = np.repeat(np.arange(len(block)), last - first)
                    within = np.arange(len(bars)) - np.searchsorted(bars, bars)
                    costs = _costs(block[bars], partners[first[bars] + within])
                    between.append(np.unique(costs[(costs > low) & (costs < high)]))
        return np.concatenate(between)

    def _farthest(self, bars: Positions, tree: cKDTree) -> float:
        """Return the largest cost that some of the bars has at least, 0 if there are none."""
        nearest = tree.query(self._bars[bars], p=np.inf)[0]
        return float(np.minimum(self._halves[bars], nearest).max(initial=0.0))

    def _keep_pairs(self, long: int, limit: float) -> None:
        """Dissolve the pairs that cost more than the limit, or whose bars need no partner."""
        bars = np.flatnonzero(self._partner_of >= 0)
        partners = self._partner_of[bars]
        dissolved = bars >= long
        dissolved |= _costs(self._bars[bars], self._partners[partners]) > limit
        self._partner_of[bars[dissolved]] = -1
        self._bar_of[partners[dissolved]] = -1

    def _match_in_cells(self, long: int, limit: float) -> None:
        """Match unmatched bars with as many partners as there are in their cells of a grid."""
        for offset in CELL_OFFSETS:
            bars = np.flatnonzero(self._partner_of[:long] < 0)
            partners = np.flatnonzero(self._bar_of < 0)
            partners = partners[_in_reach(self._partners[partners], self._bars[bars], limit)]
            if len(bars) == 0 or len(partners) == 0:
                return
            if not np.ptp(self._bars[bars], axis=0).max() < MOST_CELLS * limit:
                return
            corner = self._bars[bars].min(axis=0) - (np.array(offset) + 1) * limit
            bars, partners = self._in_same_cell(bars, partners, corner, limit)
            near = _costs(self._bars[bars], self._partners[partners]) <= limit
            self._partner_of[bars[near]] = partners[near]
            self._bar_of[partners[near]] = bars[near]

    def _in_same_cell(
        self, bars: Positions, partners: Positions, corner: Bars, side: float
    ) -> tuple[Positions, Positions]:
        """Return pairs of a cell: its first bar and its first partner, both second ones, ..."""
        bars, of_bars = _by_cell(bars, self._bars, corner, side)
        partners, of_partners = _by_cell(partners, self._partners, corner, side)
        rank = np.arange(len(bars)) - np.searchsorted(of_bars, of_bars)
        chosen = np.searchsorted(of_partners, of_bars) + rank
        inside = chosen < np.searchsorted(of_partners, of_bars, side="right")
        return bars[inside], partners[chosen[inside]]

    def _augment(self, sources: Positions, limit: float) -> bool:
        """Match more of the unmatched bars, along shortest paths that are disjoint.

        A breadth-first search starts from all of them. A bar reaches the unseen partners that are
        near enough, and a matched partner leads to its bar. The search ends at the layer of
        partners that has free ones. Then each unmatched bar searches a path through the layers.

        Args:
            sources: positions of the unmatched bars.
            limit: the largest cost of a matched pair.

        Returns:
            Whether there was a path; if not, then no larger matching exists.
        """
        layers: list[Positions] = []
        unseen, frontier = np.arange(len(self._partners)), sources
        free = unseen[:0]
        while len(free) == 0:
            reached = _near(self._partners[unseen], self._bars[frontier], limit)
            if not reached.any():
                return False
            layers.append(unseen[reached])
            unseen = unseen[~reached]
            bars = self._bar_of[layers[-1]]
            free, frontier = layers[-1][bars < 0], bars
        layers[-1] = free
        # Partners that lead to no free one are left out.
        for depth in reversed(range(len(layers) - 1)):
            bars = self._bars[self._bar_of[layers[depth]]]
            leading = _near(bars, self._partners[layers[depth + 1]], limit)
            layers[depth] = layers[depth][leading]
        for source in sources.tolist():
            self._follow(source, layers, limit)
        return True

    def _follow(self, source: int, layers: list[Positions], limit: float) -> None:
        """Search a path from an unmatched bar through the layers, and match along it.

        Partners that were visited leave their layer, so that paths are disjoint.
        """
        bars = [source]
        partners: list[int] = []
        while bars and len(layers[-1]):
            layer = layers[len(partners)]
            near = _costs(self._bars[bars[-1:]], self._partners[layer]) <= limit
            if not near.any():
                bars.pop()
                partners = partners[:-1]
                continue
            visited = int(near.argmax())
            partners.append(layer[visited])
            layers[len(partners) - 1] = np.delete(layer, visited)
            if len(partners) == len(layers):
                self._partner_of[bars], self._bar_of[partners] = partners, bars
                return
            bars.append(self._bar_of[partners[-1]])


def _costs(bars: Bars, partners: Bars) -> Bars:
    """Return the costs (pairs,) of matched pairs: the larger difference of births and deaths."""
    return np.maximum(np.abs(bars[:, 0] - partners[:, 0]), np.abs(bars[:, 1] - partners[:, 1]))


def _near(bars: Bars, others: Bars, limit: float) -> NDArray[np.bool_]:
    """Return which bars are near to one of the others: matched, they cost no more than a limit."""
    near = _in_reach(bars, others, limit)
    within = np.nextafter(limit, np.inf)  # the look-up leaves out what lies at its limit
    nearest = _search_tree(others).query(bars[near], p=np.inf, distance_upper_bound=within)[0]
    near[near] = nearest <= limit
    return near


def _in_reach(partners: Bars, bars: Bars, limit: float) -> NDArray[np.bool_]:
    """Return which partners lie in the rectangle around bars that is wider by a limit."""
    if len(bars) == 0:
        return np.zeros(len(partners), dtype=bool)
    reach = np.nextafter(limit, np.inf)
    low, high = bars.min(axis=0) - reach, bars.max(axis=0) + reach
    low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    births, deaths = partners.T
    inside: NDArray[np.bool_] = (births >= low[0]) & (births <= high[0])
    inside &= (deaths >= low[1]) & (deaths <= high[1])
    return inside


def _by_cell(
    chosen: Positions, bars: Bars, corner: Bars, side: float
) -> tuple[Positions, Positions]:
    """Return the chosen positions in the order of cells of a grid, and the numbers of the cells."""
    columns, rows = ((bars[chosen] - corner) / side).astype(np.int64).T
    cells = columns << 32 | rows
    order = np.argsort(cells)
    return chosen[order], cells[order]


def _search_tree(bars: Bars) -> cKDTree:
    """Return a search tree of bars that is quickly built."""
    # Imported here: only bars of different births need it.
    from scipy.spatial import cKDTree

    return cKDTree(bars, compact_nodes=False, balanced_tree=False)
