"""One part of a user's own data as it was read: the training data, the test data, or a pool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Split
from gengap.errors import GengapError

SHOWN = 5
"""How many rows, names or values a sentence lists at most."""


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs and labels of a part, with what is known of them.

    Attributes:
        where: what the part was read from, for messages.
        inputs: channels last; float32, int64 tokens, or uint8 images that are still to be scaled.
        labels: (n,), of any type as they stand in the file.
        groups: (n,) values, equal for rows that belong together; None where rows stand alone.
        classes: the number of classes where it is known; the labels are then 0..classes-1. 0 where
            they are known to be numbers, None where the labels alone tell.
        class_names: of known classes.
    """

    where: str
    inputs: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None = None
    classes: int | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.labels):
            raise GengapError(
                f"{self.where} holds {len(self.inputs)} inputs but {len(self.labels)} labels: give "
                "one label to each input."
            )
        if len(self.inputs) == 0:
            raise GengapError(f"{self.where} holds no samples: give at least one.")
        if self.groups is not None and self.groups.shape != self.labels.shape[:1]:
            raise GengapError(
                f"{self.where} holds {len(self.inputs)} inputs but groups of shape "
                f"{self.groups.shape}: give one group to each input."
            )

    @classmethod
    def of_split(cls, split: Split, where: str) -> Part:
        """Return a split as a part whose labels are known."""
        return cls(
            where, split.inputs, split.labels, split.groups, split.classes, split.class_names
        )

    def take(self, rows: NDArray[np.intp]) -> Part:
        """Return the samples of these rows, in their order."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, inputs=self.inputs[rows], labels=self.labels[rows], groups=groups)


def listed(values: Iterable[object]) -> str:
    """Return the first values of an iterable in words: ``3, 7, 8 and 12 more``."""
    words = [str(value) for value in values]
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")
