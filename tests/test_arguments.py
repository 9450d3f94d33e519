"""Numbers of every type as arguments, and what is no number."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from gengap.arguments import number_from_zero, whole_number
from gengap.errors import GengapError


@pytest.mark.parametrize(
    "three", [3, 3.0, np.int8(3), np.uint64(3), np.float16(3), np.array(3), torch.tensor(3)]
)
def test_integers_of_any_type_are_whole_numbers(three: Any) -> None:
    number = whole_number(three, "draws", 3)
    assert number == 3
    assert type(number) is int


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2, "2"), (3.5, "3.5"), ("3", "'3'"), (True, "True"), (np.True_, "True"), (None, "None"),
        (float("nan"), "nan"), (float("inf"), "inf"), ([3], r"\[3\]"), (3 + 0j, r"\(3\+0j\)"),
        (np.array([3]), r"\[3\]"), (np.float32(0.5), "0.5"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_as_it_was_passed(value: Any, shown: str) -> None:
    with pytest.raises(GengapError, match=f"draws is {shown}: give a whole number of at least 3"):
        whole_number(value, "draws", 3)


@pytest.mark.parametrize("half", [0.5, np.float32(0.5), Fraction(1, 2), torch.tensor(0.5)])
def test_numbers_of_any_type_are_floats(half: Any) -> None:
    number = number_from_zero(half, "threshold")
    assert number == 0.5
    assert type(number) is float
    assert number_from_zero(np.inf, "threshold") == np.inf


@pytest.mark.parametrize("value", [-0.1, "1", None, True, float("nan"), Decimal(1), 1j])
def test_what_is_no_number_from_zero_is_refused(value: Any) -> None:
    with pytest.raises(GengapError, match=r"threshold is .*: give a number of at least 0"):
        number_from_zero(value, "threshold")
