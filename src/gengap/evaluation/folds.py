r"""Repeated K-fold cross-validation over grid points, balanced over levels and over pairs.

How well a network is predicted depends on what is held out with it. With H the matrix that maps
gaps to fitted gaps and e the residuals of all networks, the held-out errors of a fold are
(1 - H_FF)^(-1) e_F. So to first order in H the squared error of a repeat is a constant plus a sum
of 2 H_ij e_i e_j over the pairs i, j that share a fold. Its mean over the repeats depends on how
often each pair shares a fold, and on nothing else. So repeats are drawn such that all pairs do so
equally often, as far as the balance over levels allows: a resolvable block design, up to what a
local search achieves. That is a variance reduction by design; it removes most of what R2 owes to
the seed, at no cost (``benchmarks/README.md`` has numbers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from gengap.evaluation.designs import draw_indices, grid_points, level_indices

FOLDS = 8
"""Number of folds, where there are at least ``2 * FOLDS`` grid points."""
REPEATS = 100
"""Number of random partitions into folds; scores are averaged over them."""
NESTED_REPEATS = 20
"""Of these, the first ones: for what costs most, which is combinations, principal components,
hyper-parameters, and measures beside these."""
FULLY_REPEATED = 500
"""Up to this many networks, all repeats are made; with more, fewer, in inverse proportion. The more
networks there are, the less a score depends on the partition."""
LEAST_REPEATS = 2
"""Fewest repeats, whatever the number of networks."""
MOST_BALANCED = 1000
"""With more grid points than this, partitions are random and not balanced. The search for balance
takes the square of their number, and the more points there are, the less it gains."""
STARTS = 16
"""Most random partitions that are improved, of which the most balanced one is used."""
CHOICES = 3
"""Partitions whose levels are perfectly balanced among which the balance of pairs decides."""


@dataclass(frozen=True)
class Folds:
    """Partitions of the networks into folds.

    A cell is what is held out and predicted at once: the networks of one fold, or, where networks
    saw different draws of the training data, those of one fold and one draw.

    Attributes:
        labels: (repeats, networks) int64: the fold of each network in each repeat.
        count: number of folds.
        draws: (networks,) int64: the draw of training data of each network; all 0 where there is
            one.
    """

    labels: np.ndarray
    count: int
    draws: np.ndarray

    @property
    def repeats(self) -> int:
        """How many partitions there are."""
        return len(self.labels)

    def cells(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Iterate over the cells of all repeats.

        Neither the grid point nor the draw of a network that is held out occurs among the networks
        that are trained on.

        Yields:
            The repeat, and two (networks,) bool masks: the networks to train on, and those to
            predict. Within a repeat each network is predicted exactly once.
        """
        several = len(np.unique(self.draws)) > 1
        for repeat, labels in enumerate(self.labels):
            for fold in range(self.count):
                held_out = labels == fold
                if not several:
                    yield repeat, ~held_out, held_out
                    continue
                for draw in np.unique(self.draws[held_out]):
                    same = self.draws == draw
                    yield repeat, ~held_out & ~same, held_out & same

    @cached_property
    def masks(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """For each repeat, two (cells, networks) bool arrays: to train on, and to predict."""
        cells: list[tuple[list[np.ndarray], list[np.ndarray]]] = [([], []) for _ in self.labels]
        for repeat, train, test in self.cells():
            cells[repeat][0].append(train)
            cells[repeat][1].append(test)
        return tuple((np.array(train), np.array(test)) for train, test in cells)

    @cached_property
    def nested(self) -> Folds:
        """The first repeats alone, for what costs most (:data:`NESTED_REPEATS`)."""
        return self.first(repeats_of(self.labels.shape[1], NESTED_REPEATS))

    @property
    def held_out_ratio(self) -> float:
        """Mean number of networks in a fold over the mean number that a cell trains on."""
        fitted = np.mean([train.sum() for _, train, _ in self.cells()])
        return float(self.labels.shape[1] / self.count / fitted)

    def first(self, repeats: int) -> Folds:
        """Return the first repeats alone."""
        return replace(self, labels=self.labels[:repeats])


def repeats_of(networks: int, most: int) -> int:
    """Return how many repeats are made for a number of networks, at most ``most``."""
    return min(most, max(LEAST_REPEATS, most * FULLY_REPEATED // networks))


def repeated_folds(grid: pd.DataFrame, draws: np.ndarray | None, rng: np.random.Generator) -> Folds:
    """Partition the networks into folds, ``REPEATS`` times, or fewer for many networks.

    A fold is a set of grid points, so replicates are held out together: a measure that merely
    recognises the hyper-parameters gains nothing. Folds have equally many points, up to one. The
    counts of the levels of each hyper-parameter differ between folds as little as a local search by
    exchanges achieves. Among such partitions, each repeat prefers those that bring together points
    that shared few folds before, so the first few repeats are as balanced as they can be, too.
    With more than ``MOST_BALANCED`` grid points neither is balanced.
    Partitions depend on the hyper-parameters and on ``rng`` alone, not on the names or the order of
    the networks; where no hyper-parameter varies, they depend on the order.

    Args:
        grid: hyper-parameters, one row for each network.
        draws: (networks,) label of the draw of training data of each network, or None for one.
        rng: draws the partitions.

    Returns:
        The folds: ``FOLDS`` of them, or half as many as there are points where that is less, but at
        least two.
    """
    points = grid_points(grid)
    count = min(FOLDS, max(2, (int(points.max()) + 1) // 2))
    _, first = np.unique(points, return_index=True)
    labels = np.zeros((repeats_of(len(points), REPEATS), len(first)), dtype=np.int64)
    if len(first) > MOST_BALANCED:
        for own in labels:
            own[:] = random_partition(len(first), count, rng)
        return Folds(labels[:, points], count, draw_indices(draws, len(points)))
    levels = indicator_columns(level_indices(grid)[first])
    together = np.zeros((len(levels), len(levels)))
    for repeat in range(len(labels)):
        labels[repeat] = balanced_partition(levels, together, count, rng)
        together += labels[repeat][:, None] == labels[repeat]
    return Folds(labels[:, points], count, draw_indices(draws, len(points)))


def random_partition(points: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return (points,) int64: the folds of a random partition, of equal size up to one."""
    # Which folds have a point more than the others is drawn too.
    return np.asarray(rng.permutation(count)[rng.permutation(points) % count])


def indicator_columns(indices: np.ndarray) -> np.ndarray:
    """Return (points, levels of all hyper-parameters) float64: one where a point has a level.

    Levels of a single point have no column: no partition is more balanced in them than another.
    """
    blocks = [np.eye(int(column.max()) + 1)[column] for column in indices.T]
    columns = np.hstack(blocks) if blocks else np.zeros((len(indices), 0))
    return np.asarray(columns[:, columns.sum(axis=0) > 1])


def balanced_partition(
    levels: np.ndarray, together: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Partition points into folds of equal size, balanced over levels first and pairs second.

    Imbalance over levels is the sum over folds and levels of the squared counts, which is smallest
    where the counts are equal. Imbalance over pairs is the sum over the pairs of a fold of how
    often they shared one before. From several random partitions, two points of different folds
    change places as long as that lowers the first, or leaves it and lowers the second.

    Args:
        levels: (points, levels) of zeros and ones.
        together: (points, points) float64: in how many earlier repeats two points shared a fold.
        count: number of folds.
        rng: draws the first partitions and the order of the exchanges.

    Returns:
        (points,) int64: the fold of each point.
    """
    points = len(levels)
    # The sum where every level's counts in two folds differ by at most one.
    whole, over = np.divmod(levels.sum(axis=0), count)
    ideal = float(np.sum(count * whole**2 + over * (2 * whole + 1)))
    # Two points that change places meet at most twice the points of a fold, once in each repeat.
    weight = 1 + 4 * (points // count + 1) * together.max(initial=0.0)
    affinity = weight * (levels @ levels.T) + together
    best, least, choices = np.zeros(points, dtype=np.int64), np.inf, 0
    for _ in range(STARTS):
        labels = random_partition(points, count, rng)
        exchange(labels, affinity, count, rng)
        imbalance = within_folds(labels, affinity, count)
        if imbalance < least:
            best, least = labels, imbalance
        choices += within_folds(labels, levels @ levels.T, count) <= ideal
        if choices == (CHOICES if together.any() else 1):
            break
    return best


def within_folds(labels: np.ndarray, affinity: np.ndarray, count: int) -> float:
    """Return the sum of the affinities of all ordered pairs of points that share a fold."""
    members = np.eye(count)[labels]
    return float(np.sum(members * (affinity @ members)))


def exchange(
    labels: np.ndarray, affinity: np.ndarray, count: int, rng: np.random.Generator
) -> None:
    """Exchange points between folds, in place, until no exchange lowers the affinity within folds.

    Args:
        labels: (points,) the fold of each point; changed.
        affinity: (points, points) whole numbers, symmetric and positive semi-definite.
        count: number of folds.
        rng: draws the order in which points are tried.
    """
    rows, own = np.arange(len(labels)), np.diag(affinity)
    to_folds = affinity @ np.eye(count)[labels]
    improved = True
    while improved:
        improved = False
        for point in rng.permutation(len(labels)):
            # Half of how the sum changes when the point and another one change places; for one of
            # the same fold that is not negative.
            change = to_folds[:, labels[point]] - to_folds[rows, labels]
            change += to_folds[point, labels] - to_folds[point, labels[point]]
            change += own + own[point] - 2 * affinity[point]
            other = int(np.argmin(change))
            if change[other] < 0:
                difference = affinity[other] - affinity[point]
                to_folds[:, labels[point]] += difference
                to_folds[:, labels[other]] -= difference
                labels[[point, other]] = labels[[other, point]]
                improved = True
