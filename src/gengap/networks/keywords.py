"""Reading the keywords of a layer or an architecture from JSON, and refusing wrong values.

PGDL's configs write some integers as floats (``"filters": 32.0``). The competition's own loader
casts them, and so do the readers here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any

from gengap.errors import GengapError


class KeywordError(GengapError):
    """A keyword is wrong or does not fit the input; the caller adds the name of the layer."""


def check_images(input_shape: Sequence[int]) -> None:
    """Check that the shape of an input is that of an image, (H, W, C).

    Raises:
        KeywordError: it is not.
    """
    if len(input_shape) != 3:
        raise KeywordError(f"input_shape is {list(input_shape)}: give [height, width, channels].")


def integer(value: Any, key: str, *, minimum: int = 1) -> int:
    """Return an integer of at least ``minimum``; an integral float stands for its integer."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if not whole or isinstance(value, bool) or value < minimum:
        raise KeywordError(f"{key} is {value!r}: give an integer of at least {minimum}.")
    return int(value)


def several(value: Any, key: str, count: int, *, minimum: int = 1) -> tuple[int, ...]:
    """Return one integer for each axis, such as (height, width); a single one stands for all."""
    if isinstance(value, list | tuple):
        if len(value) != count:
            words = {1: "one in a list", 2: "two of them", 3: "three of them"}[count]
            raise KeywordError(f"{key} is {value!r}: give an integer or {words}.")
        return tuple(integer(one, key, minimum=minimum) for one in value)
    return (integer(value, key, minimum=minimum),) * count


def number(
    value: Any, key: str, *, low: float = float("-inf"), high: float = float("inf")
) -> float:
    """Return a finite number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        bounds = "" if (low, high) == (float("-inf"), float("inf")) else f" from {low} to {high}"
        raise KeywordError(f"{key} is {value!r}: give a number{bounds}.")
    return float(value)


def flag(value: Any, key: str) -> bool:
    """Return true or false; 1 and 0 stand for them."""
    if value not in (True, False):
        raise KeywordError(f"{key} is {value!r}: give true or false.")
    return bool(value)


def choice(value: Any, key: str, known: Collection[str]) -> str:
    """Return one of the known words."""
    if not isinstance(value, str) or value not in known:
        raise KeywordError(f"{key} is {value!r}: choose one of {', '.join(sorted(known))}.")
    return value


def shape(value: Any, key: str) -> tuple[int, ...]:
    """Return an input shape, channels last: of vectors, series, images, volumes or tokens."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not 1 <= len(value) <= 4:
        raise KeywordError(
            f"{key} is {value!r}: give [features] (or the length of tokens), [length, channels], "
            "[height, width, channels] or [depth, height, width, channels]."
        )
    return tuple(integer(size, key) for size in value)


def refuse_unknown(
    given: Collection[str], function: Callable[..., Any], *, also: Collection[str] = ()
) -> None:
    """Refuse keywords that are not keyword-only parameters of a function.

    Args:
        given: names that the spec gives.
        function: what the keywords are for; its keyword-only parameters are the known ones.
        also: further names that are accepted.

    Raises:
        KeywordError: a keyword is unknown, or one without a default is missing.
    """
    parameters = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    known = {parameter.name for parameter in parameters} | set(also)
    unknown = sorted(set(given) - known)
    if unknown:
        listed = ", ".join(sorted(known)) or "none"
        raise KeywordError(f"unknown keyword {unknown[0]!r}: the known ones are {listed}.")
    for parameter in parameters:
        if parameter.default is inspect.Parameter.empty and parameter.name not in given:
            raise KeywordError(f"the keyword {parameter.name!r} is missing: add it.")
