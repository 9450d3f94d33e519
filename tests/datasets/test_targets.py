"""Labels of every kind become classes from 0 with their names, or numbers, or are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gengap.datasets.part import Part
from gengap.datasets.targets import Selection, are_numbers, as_targets, classes_of, tidied
from gengap.errors import GengapError

TWENTY = np.tile(np.arange(5), 4)


def numbered(labels: Any, selection: Selection | None = None) -> tuple[list[int], tuple[str, ...]]:
    """The numbers that labels become, and the names of the classes."""
    array = np.asarray(labels)
    part = tidied(Part("my.npz", np.zeros((len(array), 1), np.float32), array))
    classes = classes_of(part, selection)
    return classes.number(part.labels, "my.npz").tolist(), classes.names


@pytest.mark.parametrize(
    ("labels", "expected", "names"),
    [
        ([0, 1, 2, 1], [0, 1, 2, 1], ()),
        ([[0], [1], [1]], [0, 1, 1], ()),
        ([0.0, 1.0, 0.0], [0, 1, 0], ()),
        ([1, 3, 2], [0, 2, 1], ("1", "2", "3")),
        ([-1, 1, 1], [0, 1, 1], ("-1", "1")),
        (["dog", "cat", "dog"], [1, 0, 1], ("cat", "dog")),
        ([b"b", b"a"], [1, 0], ("a", "b")),
        ([True, False], [1, 0], ("False", "True")),
        # A column without a 1 is a class that has no sample here.
        ([[0, 0, 1], [1, 0, 0]], [2, 0], ()),
        ([[0.0, 1.0], [1.0, 0.0]], [1, 0], ()),
        (np.array([2, 1], dtype=np.uint8), [1, 0], ("1", "2")),
    ],
)
def test_labels_become_classes(labels: Any, expected: list[int], names: tuple[str, ...]) -> None:
    assert numbered(labels) == (expected, names)


def test_what_is_mapped_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        numbered([1, 2, 2])
    assert "2 classes are numbered from 0: 1 -> 0, 2 -> 1" in caplog.text


def test_a_gap_in_integer_labels_is_refused_until_classes_says_what_it_is() -> None:
    with pytest.raises(GengapError, match=r"0, 1, 3, so no sample has label 2: say 'classes: \["):
        numbered([0, 1, 3])
    assert numbered([0, 1, 3], [[0], [1], [3]]) == ([0, 1, 2], ("0", "1", "3"))
    assert numbered([0, 1, 3], [[0], [1], [2], [3]])[0] == [0, 1, 3]


def test_classes_are_selected_by_number_or_name() -> None:
    names = ["dog", "cat", "ant", "dog"]
    assert numbered(names, [["dog"], ["ant"]]) == ([0, -1, 1, 0], ("dog", "ant"))
    assert numbered(names, [[2], [0]]) == ([0, -1, 1, 0], ("dog", "ant"))
    assert numbered(names, [["dog"], ["ant", "cat"]]) == ([0, 1, 1, 0], ("dog", "ant+cat"))
    # Names that are numbers are called by these, whatever their place in the order.
    assert numbered(["10", "9", "8"], [[9], [10]]) == ([1, 0, -1], ("9", "10"))
    assert numbered([1, 2, 3], [[3], ["1"]]) == ([1, -1, 0], ("3", "1"))
    for unknown in ("cow", 7, True):
        with pytest.raises(GengapError, match=r"has no class .*: choose among ant, cat, dog"):
            numbered(names, [["dog"], [unknown]])


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([[0, 1], [1, 1]], "are not one-hot"),
        ([0.0, np.nan, 1.0, np.inf], r"NaN or infinite in 2 rows \(1, 3, counted"),
        ([[["a"]]], r"shape \(1, 1, 1\)"),
        (np.array([1j]), "of type complex128"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(labels: Any, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        numbered(labels)


def test_numbers_to_predict_must_be_called_so() -> None:
    fractions = np.array([0.5, 1.0, 2.0])
    with pytest.raises(GengapError, match=r"fractions such as 0\.5: say 'target: number'"):
        are_numbers(fractions, None, "x")
    assert are_numbers(fractions, "number", "x")
    many = np.arange(30)
    with pytest.raises(GengapError, match="30 labels of x have 30 different values: say"):
        are_numbers(many, None, "x")
    assert not are_numbers(many, "class", "x")
    assert not are_numbers(TWENTY, None, "x")
    assert not are_numbers(many.astype(str), None, "x")
    with pytest.raises(GengapError, match="texts such as 'a', but 'target: number'"):
        are_numbers(np.array(["a"]), "number", "x")
    with pytest.raises(GengapError, match="target='price' of x is unknown"):
        are_numbers(fractions, "price", "x")


def test_numbers_that_float32_cannot_hold_are_refused() -> None:
    assert as_targets(np.array([0.25, -3.0]), "x").dtype == np.float32
    with pytest.raises(GengapError, match="too large for float32 in row 1"):
        as_targets(np.array([0.0, 1e300]), "x")
    part = Part("x", np.zeros((2, 1), np.float32), np.array([[0, 1], [1, 0]]))
    with pytest.raises(GengapError, match=r"shape \(2, 2\): give one label"):
        tidied(part, "number")
