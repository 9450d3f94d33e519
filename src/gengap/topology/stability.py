"""How much a network's diagrams change from one draw of neurons to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.arrays import checked_bars
from gengap.topology.transport import sliced_wasserstein_distance, wasserstein_distance

Bars = NDArray[np.float64]
Distance = Callable[[Bars, Bars], float]

TRANSPORT: Mapping[str, Distance] = {
    "wasserstein": wasserstein_distance,
    "sliced_wasserstein": sliced_wasserstein_distance,
}

# How many near partners of a bar are looked up before all of them are. The first number is usually
# enough; with slightly too few, it takes long to find that there is no matching.
NEAREST_PARTNERS = (8, 512)

# Number of bars that are compared with the whole other diagram at a time: bounds the memory.
BLOCK_BARS = 256


def bottleneck_between_draws(
    draws: Sequence[Sequence[npt.ArrayLike]],
) -> dict[str, NDArray[np.float64]]:
    """Compute bottleneck distances between the diagrams of consecutive draws (b, b + 1).

    They are exact over all finite bars; infinite bars are left out, as in the vectorisations.

    Args:
        draws: B draws, each with one (bars, 2) array per dimension.

    Returns:
        (B - 1,) distances by ``"bottleneck_between_draws.H0"``, ``".H1"``, ...; none of a single
        draw.

    Raises:
        GengapError: there is no draw, the draws have different numbers of dimensions, or a diagram
            is not (bars, 2).
    """
    return _between_draws("bottleneck", bottleneck_distance, draws)


def transport_between_draws(
    draws: Sequence[Sequence[npt.ArrayLike]],
) -> dict[str, NDArray[np.float64]]:
    """Compute costs of transport between the diagrams of consecutive draws (b, b + 1).

    Args:
        draws: B draws, each with one (bars, 2) array per dimension.

    Returns:
        (B - 1,) distances by ``"wasserstein_between_draws.H0"``, ``".H1"``, ..., and likewise
        ``"sliced_wasserstein_between_draws.H0"``, ...; none of a single draw.

    Raises:
        GengapError: as :func:`bottleneck_between_draws`.
    """
    return {
        name: values
        for kind, distance in TRANSPORT.items()
        for name, values in _between_draws(kind, distance, draws).items()
    }


def _between_draws(
    kind: str, distance: Distance, draws: Sequence[Sequence[npt.ArrayLike]]
) -> dict[str, NDArray[np.float64]]:
    """Compute one kind of distance of each dimension between consecutive draws."""
    if len(draws) == 0:
        raise GengapError("There are no draws to compare: give the diagrams of two or more.")
    if len({len(draw) for draw in draws}) != 1:
        raise GengapError("The draws have different dimensions: compute them with one max_dim.")
    return {
        f"{kind}_between_draws.H{dimension}": np.array(
            [
                distance(_finite(one[dimension]), _finite(other[dimension]))
                for one, other in pairwise(draws)
            ]
        )
        for dimension in range(len(draws[0]))
    }


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

    bound = max(side.bound() for side in sides)
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
    """The bars of one diagram, the longest first, to be matched with those of the other."""

    def __init__(self, bars: Bars, partners: Bars, halves: Bars) -> None:
        # Imported here: only bars of different births need it.
        from scipy.spatial import cKDTree

        longest_first = np.argsort(-halves, kind="stable")
        self._bars, self._halves = bars[longest_first], halves[longest_first]
        self._partners, self._tree = partners, cKDTree(partners)

    def bound(self) -> float:
        """Return the largest cost that some bar has at least: its half, or its nearest partner."""
        bound = 0.0
        for start in range(0, len(self._bars), BLOCK_BARS):
            block = slice(start, start + BLOCK_BARS)
            if self._halves[start] <= bound:
                break
            nearest = self._tree.query(self._bars[block], p=np.inf)[0]
            bound = max(bound, float(np.minimum(self._halves[block], nearest).max()))
        return bound

    def can_be_matched(self, limit: float) -> bool:
        """Return whether all bars of half lengths above a limit can be matched at that cost.

        A few near partners of each bar are tried first: if these are enough, so are all. If the
        bars whose near partners are all known cannot be matched, then neither can all bars.

        Args:
            limit: the largest cost of a matched pair.

        Returns:
            Whether there is such a matching.
        """
        long = self._bars[self._halves > limit]
        within = np.nextafter(limit, np.inf)  # the look-up leaves out what lies at its limit
        for most in NEAREST_PARTNERS:
            known = min(most, len(self._partners))
            nearest = self._tree.query(
                long, k=np.arange(1, known + 1), p=np.inf, distance_upper_bound=within
            )
            distances, partners = np.asarray(nearest[0]), np.asarray(nearest[1])
            near = distances <= limit
            counts = near.sum(axis=1)
            if _all_matched(counts, partners[near]):
                return True
            complete = (counts < known) | (known == len(self._partners))
            if not _all_matched(counts[complete], partners[complete][near[complete]]):
                return False
        sizes, every = [], []
        for costs in self._blocks(long):
            near = costs <= limit
            sizes.append(near.sum(axis=1))
            every.append(near.nonzero()[1].astype(np.int32))
        return _all_matched(np.concatenate(sizes), np.concatenate(every))

    def costs(self, low: float, high: float) -> Bars:
        """Return the costs between the two of pairs with a bar of half length ``high`` or more."""
        long = self._bars[self._halves >= high]
        between = [costs[(costs > low) & (costs < high)] for costs in self._blocks(long)]
        return np.concatenate([np.empty(0), *between])

    def _blocks(self, long: Bars) -> Iterator[Bars]:
        """Yield the costs (bars of a block, partners) of all pairs."""
        for start in range(0, len(long), BLOCK_BARS):
            block = long[start : start + BLOCK_BARS, None]
            births, deaths = (np.abs(block[..., i] - self._partners[:, i]) for i in (0, 1))
            yield np.maximum(births, deaths)


def _all_matched(counts: NDArray[np.integer], partners: NDArray[np.integer]) -> bool:
    """Return whether every bar can have a partner of its own.

    Args:
        counts: (bars,) how many partners each bar may have.
        partners: their positions, those of the first bar first.

    Returns:
        Whether there is a matching of all bars.
    """
    # Imported here for the same reason as the search tree.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if not counts.all():
        return False
    if len(counts) == 0:
        return True
    ends = np.append(0, np.cumsum(counts)).astype(np.int32)
    entries = np.ones(len(partners), np.int8), partners.astype(np.int32), ends
    graph = csr_array(entries, (len(counts), int(partners.max()) + 1))
    return bool((maximum_bipartite_matching(graph, perm_type="column") >= 0).all())


def _finite(bars: npt.ArrayLike) -> Bars:
    checked = checked_bars(bars)
    return checked[np.isfinite(checked[:, 1])]
