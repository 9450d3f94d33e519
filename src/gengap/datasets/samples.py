"""Samples as stored, and how some are selected: by class, and as subsets in seeded order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError

# Fraction of the samples in the test set where a dataset has no official one and no size is given.
TEST_FRACTION = 0.2


class Samples(NamedTuple):
    """Inputs (n, ...) as stored, uint8 or float32, and labels int64 (n,)."""

    inputs: np.ndarray
    labels: NDArray[np.int64]

    def take(self, rows: NDArray[np.intp]) -> Samples:
        """Return the samples of the given rows, in their order."""
        return Samples(self.inputs[rows], self.labels[rows])


def check_classes(name: str, selected: Sequence[int], available: int) -> None:
    """Refuse a selection of classes that is no set of two or more known labels.

    Args:
        name: the dataset's name, for the error message.
        selected: labels.
        available: number of the dataset's classes.

    Raises:
        GengapError: a label is unknown or named twice, or fewer than two are selected.
    """
    known = all(not isinstance(label, bool) and label in range(available) for label in selected)
    if not known or len(set(selected)) != len(selected) or len(selected) < 2:
        raise GengapError(
            f"classes={list(selected)} does not fit dataset {name}: "
            f"name two or more different labels of 0..{available - 1}."
        )


def check_groups(name: str, groups: Sequence[Sequence[int]], available: int) -> None:
    """Refuse groups of classes that are not two or more disjoint, non-empty sets of known labels.

    Args:
        name: the dataset's name, for the error message.
        groups: labels of each group.
        available: number of the dataset's classes.

    Raises:
        GengapError: a label is unknown or in two groups, a group is empty, or there are fewer than
            two groups.
    """
    members = [label for group in groups for label in group]
    known = all(not isinstance(label, bool) and label in range(available) for label in members)
    apart = len(set(members)) == len(members)
    if not known or not apart or len(groups) < 2 or not all(len(group) for group in groups):
        raise GengapError(
            f"groups={[list(group) for group in groups]} does not fit dataset {name}: give two or "
            f"more groups of labels of 0..{available - 1}, none empty and no label in two."
        )


def keep_groups(samples: Samples, groups: Sequence[Sequence[int]]) -> Samples:
    """Return the samples whose label is in a group, relabelled by the group's position."""
    highest = max(label for group in groups for label in group)
    position = np.full(max(samples.labels.max(), highest) + 1, -1, dtype=np.int64)
    for index, group in enumerate(groups):
        position[list(group)] = index
    relabelled = Samples(samples.inputs, position[samples.labels])
    # Images are copied only where some are left out: they may take most of the memory.
    selected = relabelled.labels >= 0
    return relabelled if selected.all() else relabelled.take(np.flatnonzero(selected))


def seeded_order(
    labels: NDArray[np.int64], classes: int, balanced: bool, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return the rows in random order, so that any stretch of them is a random subset.

    A balanced order deals one sample of each class in turn, as long as every class has any: the
    class counts of any stretch differ by one at most.

    Args:
        labels: (n,) in 0..classes-1.
        classes: number of classes.
        balanced: whether the classes take turns.
        rng: draws the order.

    Returns:
        (n,) rows; fewer where classes of unequal size take turns.
    """
    if not balanced:
        return rng.permutation(len(labels))
    dealt = [rng.permutation(np.flatnonzero(labels == k)) for k in rng.permutation(classes)]
    rounds = min(len(rows) for rows in dealt)
    return np.stack([rows[:rounds] for rows in dealt], axis=1).ravel()


def check_size(name: str, key: str, size: int | None) -> None:
    """Refuse a subset size that is no whole number of at least one.

    Args:
        name: the dataset's name, for the error message.
        key: name of the size, for the error message.
        size: number of samples; None stands for all.

    Raises:
        GengapError: the size is another number, or none.
    """
    if size is None:
        return
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise GengapError(
            f"{key}={size!r} of dataset {name} must be a whole number of at least 1, "
            "or left out for all samples."
        )


def subset(
    name: str,
    key: str,
    samples: Samples,
    size: int | None,
    order: NDArray[np.intp],
) -> Samples:
    """Return the first ``size`` samples of an order, all of them where ``size`` is None.

    Args:
        name: the dataset's name, for the error message.
        key: name of the size, for the error message.
        samples: to choose from.
        size: number of samples.
        order: rows.

    Returns:
        The samples, in that order.

    Raises:
        GengapError: the order has fewer samples.
    """
    size = len(order) if size is None else size
    if not 1 <= size <= len(order):
        raise GengapError(
            f"Dataset {name} has {len(order)} samples for {key}={size}: ask for at most that many "
            "(classes and balanced narrow the choice)."
        )
    return samples.take(order[:size])


def train_test_split(
    name: str,
    samples: Samples,
    train_size: int | None,
    test_size: int | None,
    order: NDArray[np.intp],
) -> tuple[Samples, Samples]:
    """Return disjoint train and test samples: the order starts with the test set.

    Args:
        name: the dataset's name, for the error message.
        samples: to choose from.
        train_size: number of training samples; None stands for all that the test set leaves.
        test_size: number of test samples; None stands for all that the training set leaves, or for
            a fifth of all where both are None.
        order: rows.

    Returns:
        The train samples and the test samples, each in that order.

    Raises:
        GengapError: more is asked for than there is, or nothing is left for one of the two.
    """
    available = len(order)
    if test_size is None:
        test_size = (
            round(TEST_FRACTION * available) if train_size is None else available - train_size
        )
    if train_size is None:
        train_size = available - test_size
    if train_size < 1 or test_size < 1 or train_size + test_size > available:
        raise GengapError(
            f"Dataset {name} has {available} samples, which do not make train_size={train_size} "
            f"and test_size={test_size}: ask for at least one each and {available} in all at most."
        )
    return (
        samples.take(order[test_size : test_size + train_size]),
        samples.take(order[:test_size]),
    )
