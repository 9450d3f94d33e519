"""Repeated K-fold cross-validation over grid points, balanced over the levels of the grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gengap.evaluation.designs import draw_indices, grid_points, level_indices

FOLDS = 8
"""Number of folds, where there are at least ``2 * FOLDS`` grid points."""
REPEATS = 20
"""Number of random partitions into folds; scores are averaged over them."""
STARTS = 25
"""Most random partitions that are improved, of which the most balanced one is used."""


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

    @property
    def held_out_ratio(self) -> float:
        """Mean number of networks in a fold over the mean number that a cell trains on."""
        fitted = np.mean([train.sum() for _, train, _ in self.cells()])
        return float(self.labels.shape[1] / self.count / fitted)

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


def repeated_folds(grid: pd.DataFrame, draws: np.ndarray | None, rng: np.random.Generator) -> Folds:
    """Partition the networks into folds, ``REPEATS`` times.

    A fold is a set of grid points, so replicates are held out together: a measure that merely
    recognises the hyper-parameters gains nothing. Folds have equally many points, up to one, and
    the counts of the levels of each hyper-parameter differ between folds as little as a local
    search by exchanges achieves. Partitions depend on the hyper-parameters and on ``rng`` alone,
    not on the names or the order of the networks; where no hyper-parameter varies, they depend on
    the order.

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
    indicators = indicator_columns(level_indices(grid)[first])
    labels = np.array([balanced_partition(indicators, count, rng) for _ in range(REPEATS)])
    return Folds(labels[:, points], count, draw_indices(draws, len(points)))


def indicator_columns(indices: np.ndarray) -> np.ndarray:
    """Return (points, levels of all hyper-parameters) float64: one where a point has a level.

    Levels of a single point have no column: no partition is more balanced in them than another.
    """
    blocks = [np.eye(int(column.max()) + 1)[column] for column in indices.T]
    columns = np.hstack(blocks) if blocks else np.zeros((len(indices), 0))
    return np.asarray(columns[:, columns.sum(axis=0) > 1])


def balanced_partition(indicators: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Partition points into folds of equal size whose counts of levels differ little.

    The sum over folds and levels of the squared counts is smallest where the counts are equal.
    From several random partitions, two points of different folds change places as long as that
    lowers the sum.

    Args:
        indicators: (points, levels) of zeros and ones.
        count: number of folds.
        rng: draws the first partitions and the order of the exchanges.

    Returns:
        (points,) int64: the fold of each point.
    """
    points = len(indicators)
    # The sum where every level's counts in two folds differ by at most one.
    whole, over = np.divmod(indicators.sum(axis=0), count)
    ideal = float(np.sum(count * whole**2 + over * (2 * whole + 1)))
    best, least = np.zeros(points, dtype=np.int64), np.inf
    for _ in range(STARTS):
        # Which folds have a point more than the others is drawn too.
        labels = rng.permutation(count)[rng.permutation(points) % count]
        exchange(labels, indicators, count, rng)
        imbalance = float(np.sum(level_counts(labels, indicators, count) ** 2))
        if imbalance < least:
            best, least = labels, imbalance
        if least <= ideal:
            break
    return best


def level_counts(labels: np.ndarray, indicators: np.ndarray, count: int) -> np.ndarray:
    """Return (folds, levels): how many points of each level a fold has."""
    return np.asarray(np.eye(count)[labels].T @ indicators)


def exchange(
    labels: np.ndarray, indicators: np.ndarray, count: int, rng: np.random.Generator
) -> None:
    """Exchange points between folds, in place, until no exchange makes them more balanced.

    Args:
        labels: (points,) the fold of each point; changed.
        indicators: (points, levels) of zeros and ones.
        count: number of folds.
        rng: draws the order in which points are tried.
    """
    counts = level_counts(labels, indicators, count)
    improved = True
    while improved:
        improved = False
        for point in rng.permutation(len(labels)):
            # Moving x from fold a to b and y from b to a changes the sum of squares by
            # 2 (y - x) . (counts of a - counts of b) + 2 |y - x|^2.
            difference = indicators - indicators[point]
            change = np.sum(difference * (counts[labels[point]] - counts[labels]), axis=1)
            change += np.sum(difference**2, axis=1)
            change[labels == labels[point]] = 0.0
            other = int(np.argmin(change))
            if change[other] < 0:
                counts[labels[point]] += difference[other]
                counts[labels[other]] -= difference[other]
                labels[[point, other]] = labels[[other, point]]
                improved = True
