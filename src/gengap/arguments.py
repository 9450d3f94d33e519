"""Numbers that callers pass as arguments; notebooks give them in many types."""

from __future__ import annotations

from numbers import Real
from typing import Any

from gengap.errors import GengapError


def whole_number(value: Any, name: str, least: int) -> int:
    """Return an argument as an integer; an integral float of any library stands for its integer.

    Args:
        value: what the caller passed. Text and booleans are no numbers.
        name: the argument's name, for the message.
        least: the smallest number that is allowed.

    Returns:
        The integer.

    Raises:
        GengapError: it is no whole number, or a smaller one.
    """
    if not _is_real(value) or value % 1 != 0 or value < least:
        raise GengapError(f"{name} is {_quoted(value)}: give a whole number of at least {least}.")
    return int(value)


def number_from_zero(value: Any, name: str) -> float:
    """Return an argument as a float that is at least 0; infinity is allowed.

    Args:
        value: what the caller passed. Text and booleans are no numbers.
        name: the argument's name, for the message.

    Returns:
        The number.

    Raises:
        GengapError: it is no number, or NaN, or negative.
    """
    if not _is_real(value) or not value >= 0:
        raise GengapError(f"{name} is {_quoted(value)}: give a number of at least 0.")
    return float(value)


def _is_real(value: Any) -> bool:
    """Whether a value is one real number; a zero-dimensional array is what it holds."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    return isinstance(value, Real) and not isinstance(value, bool)


def _quoted(value: Any) -> str:
    """Show text in quotation marks, and numbers without their type."""
    return repr(value) if isinstance(value, str) else str(value)
