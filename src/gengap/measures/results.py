"""Values of measures: by name, as rows, and as the table that all families share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ["task", "network", "family", "measure", "component", "value"]
"""Columns of the tidy table of measures."""

REASON = "reason"
"""Column of a network's own table: why a measure has no value; empty where it has one."""

NEED = "need"
"""Column of a network's own table: what a measure without a value needs and does not have, one of
:data:`gengap.names.NEEDS` or :data:`SLOW`; empty where there is another reason."""

SLOW = "slow"
"""In place of a need: the measure is marked slow, and slow measures were not asked for."""

STANDARD_ERROR = "standard_error"
"""Column of a network's own table: the standard error of a value; empty where it has none."""

DRAW = "draw_"
"""Columns of a network's own table, with a number 0, 1, ...: the draws that a value is the mean of;
empty where it is no mean of draws. All networks of a task have the same draws of inputs."""

COVERAGE = "coverage"
"""Column of a network's own table: the share of its parameters that a measure saw; empty if all."""

Value = float | np.ndarray | Mapping[str, float]
"""A number, a vector, or numbers by component name."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """A value that a measure estimated, and how far the estimate is likely to be off.

    A function returns it in the place of a value where it knows its own Monte Carlo error.

    Attributes:
        value: the value.
        standard_error: its standard error, of the same form: a number for a number, a vector for a
            vector, numbers by the same names for numbers by name. NaN where it is not known.
        draws: the k values that it is the mean of, (k, components); None where it is no mean of
            draws.
    """

    value: Value
    standard_error: Value
    draws: np.ndarray | None = None


@dataclass(frozen=True)
class LeftOut:
    """What a function of several measures returns in the place of one that it cannot compute.

    Attributes:
        reason: one sentence that says why, with the remedy.
        need: the name of what the measure needs and the subject does not have, one of
            :data:`gengap.names.NEEDS`; empty where there is another reason.
    """

    reason: str
    need: str = ""


@dataclass(frozen=True, eq=False)
class MeasureResults(Mapping[str, Value]):
    """The measures of one network: a mapping from their names to their values.

    Attributes:
        values_by_name: each measure that could be computed.
        left_out: for each measure that could not be computed, one sentence that says why.
        coverage: for each measure that rests on kernels, the share of the network's parameters that
            it saw, in (0, 1], see :func:`gengap.networks.coverage`.
        unmet: for the measures that need what the subject does not have, the name of the need;
            :data:`SLOW` for those that are slow and were not asked for.
        standard_errors: for the measures that are estimates, the standard error of the value, of
            the form of the value.
        draws: for the measures that are means of k draws, these, (k, components).
    """

    values_by_name: Mapping[str, Value]
    left_out: Mapping[str, str] = field(default_factory=dict)
    coverage: Mapping[str, float] = field(default_factory=dict)
    unmet: Mapping[str, str] = field(default_factory=dict)
    standard_errors: Mapping[str, Value] = field(default_factory=dict)
    draws: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Value:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


def to_frame(values: Mapping[str, Value]) -> pd.DataFrame:
    """Turn named values into rows.

    Args:
        values: named values, mostly what :func:`~gengap.measures.compute` returned.

    Returns:
        Rows (measure, component, value); a number has the one component 0. A column
        ``standard_error`` is there only if some measure is an estimate, and columns ``draw_0``,
        ``draw_1``, ... only if some measure is a mean of draws. Each measure that was left
        out follows as a row with the value NaN and no component; its reason is in a further
        column ``reason``, and what it needs in a column ``need``. Both are there only if some
        measure was left out. Likewise a column ``coverage`` is there only if some measure saw less
        than all parameters.
    """
    rows = _rows(values)
    results = values if isinstance(values, MeasureResults) else MeasureResults(values)
    left_out = results.left_out
    frame = pd.DataFrame(
        [*rows, *((name, "", math.nan) for name in left_out)],
        columns=["measure", "component", "value"],
    )
    if results.standard_errors:
        errors = {row[:2]: row[2] for row in _rows(results.standard_errors)}
        known = [errors.get(row[:2], math.nan) for row in rows]
        frame[STANDARD_ERROR] = known + [math.nan] * len(left_out)
    most = max(map(len, results.draws.values()), default=0)
    for number in range(most):
        of_draw = {
            name: draws[number] for name, draws in results.draws.items() if number < len(draws)
        }
        places = frame.groupby("measure", sort=False).cumcount()
        frame[f"{DRAW}{number}"] = [
            of_draw[name][place] if name in of_draw else math.nan
            for name, place in zip(frame["measure"], places, strict=True)
        ]
    if left_out:
        empty = [""] * len(rows)
        frame[REASON] = empty + list(left_out.values())
        frame[NEED] = empty + [results.unmet.get(name, "") for name in left_out]
    partial = {name: share for name, share in results.coverage.items() if share < 1}
    if partial:
        frame[COVERAGE] = frame["measure"].map(partial)
    return frame


def _rows(values: Mapping[str, Value]) -> list[tuple[str, Any, float]]:
    """List measure, component and number."""
    return [
        (name, component, float(number))
        for name, value in values.items()
        for component, number in (
            value.items() if isinstance(value, Mapping) else enumerate(np.ravel(value))
        )
    ]


def tidy(frame: pd.DataFrame, task: str, network: str, family: str) -> pd.DataFrame:
    """Turn rows (measure, component, value, ...) into rows of the table that all families share."""
    named = frame.assign(task=task, network=network, family=family)
    return named[COLUMNS + [column for column in frame if column not in COLUMNS]]
