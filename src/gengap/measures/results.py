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
:data:`gengap.names.NEEDS`; empty where there is another reason."""

COVERAGE = "coverage"
"""Column of a network's own table: the share of its parameters that a measure saw; empty if all."""

Value = float | np.ndarray | Mapping[str, float]
"""A number, a vector, or numbers by component name."""


@dataclass(frozen=True)
class LeftOut:
    """What a function of several measures returns in the place of one that it cannot compute.

    Attributes:
        reason: one sentence that says why, with the remedy.
    """

    reason: str


@dataclass(frozen=True, eq=False)
class MeasureResults(Mapping[str, Value]):
    """The measures of one network: a mapping from their names to their values.

    Attributes:
        values_by_name: each measure that could be computed.
        left_out: for each measure that could not be computed, one sentence that says why.
        coverage: for each measure that rests on kernels, the share of the network's parameters that
            it saw, in (0, 1], see :func:`gengap.networks.coverage`.
        unmet: for the measures that need what the subject does not have, the name of the need.
    """

    values_by_name: Mapping[str, Value]
    left_out: Mapping[str, str] = field(default_factory=dict)
    coverage: Mapping[str, float] = field(default_factory=dict)
    unmet: Mapping[str, str] = field(default_factory=dict)

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
        Rows (measure, component, value); a number has the one component 0. Each measure that was
        left out follows as a row with the value NaN and no component; its reason is in a further
        column ``reason``, and what it needs in a column ``need``. Both are there only if some
        measure was left out. Likewise a column ``coverage`` is there only if some measure saw less
        than all parameters.
    """
    rows: list[tuple[str, Any, float]] = []
    for name, value in values.items():
        components = value.items() if isinstance(value, Mapping) else enumerate(np.ravel(value))
        rows += [(name, component, float(number)) for component, number in components]
    results = values if isinstance(values, MeasureResults) else MeasureResults(values)
    left_out = results.left_out
    frame = pd.DataFrame(
        [*rows, *((name, "", math.nan) for name in left_out)],
        columns=["measure", "component", "value"],
    )
    if left_out:
        filler = [""] * len(rows)
        frame[REASON] = filler + list(left_out.values())
        frame[NEED] = filler + [results.unmet.get(name, "") for name in left_out]
    partial = {name: share for name, share in results.coverage.items() if share < 1}
    if partial:
        frame[COVERAGE] = frame["measure"].map(partial)
    return frame


def tidy(frame: pd.DataFrame, task: str, network: str, family: str) -> pd.DataFrame:
    """Turn rows (measure, component, value, ...) into rows of the table that all families share."""
    named = frame.assign(task=task, network=network, family=family)
    return named[COLUMNS + [column for column in frame if column not in COLUMNS]]
