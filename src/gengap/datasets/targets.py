"""Labels of a user's own: numbers, or classes that are numbered from 0 and keep their names.

Labels that are 0, 1, ..., k-1 already stay as they are. Names, labels from 1 and others are mapped,
which the log says. A gap in integer labels may be a class that this file lacks or no class at all,
so it is refused until ``classes`` says which.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.part import Part, listed
from gengap.errors import GengapError
from gengap.names import TARGETS

log = logging.getLogger(__name__)

MANY_CLASSES = 20
FEW_PER_CLASS = 2
"""Numbers of more than ``MANY_CLASSES`` values, with fewer samples of each, are hardly classes."""

Label = int | float | str
Selection = Sequence[Sequence[Label]]


def tidied(part: Part, target: str | None = None) -> Part:
    """Return a part whose labels (n,) are texts, int64 or float64.

    One-hot rows become the place of their 1, and their number of columns that of the classes.

    Args:
        part: labels are (n,), (n, 1) or one-hot (n, k).
        target: what the user says that labels are, if they do: numbers are never one-hot.

    Returns:
        The part with other labels.

    Raises:
        GengapError: labels of another shape or type, or labels that are missing.
    """
    labels, where = part.labels, part.where
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "biuf" and target != "number":
        places = _from_one_hot(labels, where)
        return replace(part, labels=places, classes=labels.shape[1])
    if labels.ndim != 1:
        raise GengapError(
            f"The labels of {where} have shape {labels.shape}: give one label to each input."
        )
    return replace(part, labels=_in_one_type(labels, where))


def _in_one_type(labels: np.ndarray, where: str) -> np.ndarray:
    kind = labels.dtype.kind
    if kind == "f":
        rows = np.flatnonzero(~np.isfinite(labels))
        if rows.size:
            raise GengapError(
                f"The labels of {where} are NaN or infinite in {rows.size} rows ({listed(rows)}, "
                "counted from 0): remove these rows, or fill in the labels."
            )
        return labels.astype(np.float64)
    if kind in "iu":
        return labels.astype(np.int64)
    if kind == "S":
        return np.char.decode(labels, "utf-8")
    if kind in "bU":
        return labels.astype(str)
    raise GengapError(
        f"The labels of {where} are of type {labels.dtype}: give texts, integers or numbers."
    )


def _from_one_hot(labels: np.ndarray, where: str) -> NDArray[np.int64]:
    if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
        raise GengapError(
            f"The labels of {where} have shape {labels.shape} and are not one-hot (a single 1 in "
            "each row of zeros): give one label to each input."
        )
    log.info("%s: one-hot labels of %d classes", where, labels.shape[1])
    places: NDArray[np.int64] = labels.argmax(axis=1).astype(np.int64)
    return places


def are_numbers(labels: np.ndarray, target: str | None, where: str) -> bool:
    """Tell whether tidy labels are numbers (regression), not classes.

    Args:
        labels: (n,).
        target: ``class`` or ``number`` where the user says so, or None.
        where: what they were read from, for messages.

    Returns:
        True only if ``target`` says so.

    Raises:
        GengapError: an unknown target, texts as numbers, or labels that may well be numbers
            although nothing says so.
    """
    if target is not None and target not in TARGETS:
        raise GengapError(
            f"target={target!r} of {where} is unknown: choose one of {', '.join(TARGETS)}."
        )
    if target == "number" and labels.dtype.kind == "U":
        raise GengapError(
            f"The labels of {where} are texts such as '{labels[0]}', but 'target: number' needs "
            "numbers: leave 'target' out."
        )
    if target is not None:
        return target == "number"
    ask = "say 'target: number' if they are numbers to predict, or 'target: class'"
    if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
        fraction = labels[labels != np.round(labels)][0]
        raise GengapError(f"The labels of {where} hold fractions such as {fraction:g}: {ask}.")
    values = len(np.unique(labels))
    is_text = labels.dtype.kind == "U"
    if not is_text and values > MANY_CLASSES and values * FEW_PER_CLASS > len(labels):
        raise GengapError(
            f"The {len(labels)} labels of {where} have {values} different values: {ask}."
        )
    return False


def as_targets(labels: np.ndarray, where: str) -> NDArray[np.float32]:
    """Return tidy labels as numbers to predict.

    Raises:
        GengapError: float32 cannot hold one of them.
    """
    with np.errstate(over="ignore"):
        targets: NDArray[np.float32] = labels.astype(np.float32)
    rows = np.flatnonzero(~np.isfinite(targets))
    if rows.size:
        raise GengapError(
            f"The labels of {where} are too large for float32 in row {listed(rows)}: scale them."
        )
    return targets


@dataclass(frozen=True)
class Classes:
    """The classes of labels.

    Attributes:
        values: for each class the labels that are in it.
        names: a name of each; none where the labels are 0, 1, ..., k-1 as they are.
        is_selection: whether labels in no class are left out, not refused.
    """

    values: tuple[tuple[Label, ...], ...]
    names: tuple[str, ...]
    is_selection: bool

    def number(self, labels: np.ndarray, where: str) -> NDArray[np.int64]:
        """Return the number of each label's class; -1 where it is in none and may be left out.

        Raises:
            GengapError: a label is in no class.
        """
        place = {label: k for k, members in enumerate(self.values) for label in members}
        present, inverse = np.unique(labels, return_inverse=True)
        unknown = [value for value in present.tolist() if value not in place]
        if unknown and not self.is_selection:
            raise GengapError(
                f"{where} holds the class {listed(map(repr, unknown))}, which the training data "
                "do not have: add examples of it there, or leave it out by 'classes'."
            )
        numbers = np.array([place.get(value, -1) for value in present.tolist()], dtype=np.int64)
        return numbers[inverse]


def classes_of(part: Part, selection: Selection | None) -> Classes:
    """Return the classes of training data with tidy labels.

    Args:
        part: the training data, or the pool from which they are taken.
        selection: labels that make up each class, by their values in the file or the classes'
            names; None takes every label.

    Returns:
        The classes in order: of texts and numbers sorted, of a selection as selected.

    Raises:
        GengapError: integer labels with gaps and no selection, or an unknown label in it.
    """
    if part.classes is None:
        values: list[Label] = np.unique(_as_integers(part)).tolist()
        names = [str(value) for value in values]
    else:
        values = list(range(part.classes))
        names = list(part.class_names or map(str, values))
    counted = values == list(range(len(values)))
    if selection is not None:
        chosen = [tuple(_lookup(entry, values, names, part.where) for entry in group)
                  for group in selection]  # fmt: skip
        name_of = dict(zip(values, names, strict=True))
        called = ("+".join(name_of.get(value, str(value)) for value in group) for group in chosen)
        return Classes(tuple(chosen), tuple(called), is_selection=True)
    if part.classes is not None:
        return Classes(tuple((value,) for value in values), part.class_names, is_selection=False)
    if not counted:
        _check_gaps(values, part.where)
        mapped = ", ".join(f"{name} -> {k}" for k, name in enumerate(names[:10]))
        log.info(
            "%s: %d classes are numbered from 0: %s%s",
            part.where, len(values), mapped, ", ..." if len(names) > 10 else "",
        )  # fmt: skip
    return Classes(
        tuple((value,) for value in values), () if counted else tuple(names), is_selection=False
    )


def _as_integers(part: Part) -> np.ndarray:
    whole = part.labels.dtype.kind == "f" and (part.labels == np.round(part.labels)).all()
    return part.labels.astype(np.int64) if whole else part.labels


def _check_gaps(values: Sequence[Label], where: str) -> None:
    """Refuse integers with gaps, unless some are negative: -1 and 1 are names of two classes."""
    numbers = [value for value in values if isinstance(value, int)]
    if not numbers or min(numbers) < 0 or numbers == list(range(1, len(numbers) + 1)):
        return
    missing = next(n for n in range(max(numbers)) if n not in numbers)
    raise GengapError(
        f"The labels of {where} are {listed(numbers)}, so no sample has label {missing}: say "
        f"'classes: [{listed(numbers)}]' to number these from 0, or list every label up to the "
        "largest to keep their numbers."
    )


def _lookup(entry: Label, values: Sequence[Label], names: Sequence[str], where: str) -> Label:
    """Return the label that an entry of a selection means: a name, a number, or else a place."""
    if not isinstance(entry, bool) and isinstance(entry, int | np.integer):
        entry = int(entry)
        if all(isinstance(value, int) for value in values):
            if entry not in values:
                log.warning("%s: no sample has label %d, which 'classes' lists", where, entry)
            return entry
        if str(entry) in names:
            return values[names.index(str(entry))]
        if not all(name.lstrip("-").isdecimal() for name in names) and 0 <= entry < len(values):
            return values[entry]
    elif entry in names:
        return values[names.index(str(entry))]
    raise GengapError(
        f"{where} has no class {entry!r}, which 'classes' or 'groups' lists: choose among "
        f"{listed(names)}."
    )
