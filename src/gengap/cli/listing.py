"""Lists of measures for a terminal: those that can be computed, and why others cannot."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

WIDTH = 100
"""Most characters of a line."""


def joined(names: Iterable[str]) -> str:
    """Join names of measures by commas: ``peak.H0, peak.H1, margin`` as ``peak.H0/H1, margin``."""
    endings: dict[str, list[str]] = {}
    for name in names:
        beginning, _, ending = name.partition(".")
        endings.setdefault(beginning, []).append(ending)
    return ", ".join(
        f"{beginning}.{'/'.join(found)}" if any(found) else beginning
        for beginning, found in endings.items()
    )


def reason_lines(family: str, reasons: Mapping[str, str]) -> list[str]:
    """List measures that cannot be computed, with one sentence for all that share a reason.

    Args:
        family: the family of the measures.
        reasons: one sentence for each of them.

    Returns:
        Wrapped lines, for each reason such as ``baseline: fit, margin: needs images: give some.``
    """
    by_reason: dict[str, list[str]] = {}
    for name, sentence in reasons.items():
        by_reason.setdefault(sentence.removeprefix(f"The measure '{name}' "), []).append(name)
    return [
        line
        for reason, names in by_reason.items()
        for line in wrapped(f"{family}: {joined(names)}: {reason}")
    ]


def wrapped(text: str) -> list[str]:
    """Break a paragraph into indented lines."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
