"""Gathering the tables of all networks and families into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from gengap.errors import GengapError
from gengap.failures import Failure
from gengap.files import writing
from gengap.measures.results import COLUMNS, COVERAGE, REASON

LEFT_OUT_COLUMNS = ["network", "family", "measure", REASON]
"""Columns of the table of measures that a network lacks."""

COVERAGE_COLUMNS = ["network", "family", "measure", COVERAGE]
"""Columns of the table of measures that saw less than all parameters of a network."""


def write_tables(tables: Sequence[pd.DataFrame], path: str | Path) -> None:
    """Write the tidy tables of a shard's networks as one CSV; without tables, only the header."""
    with writing(path) as part:
        table = pd.concat(tables) if tables else pd.DataFrame(columns=COLUMNS)
        table.to_csv(part, index=False)


def gather(tables: Sequence[str | Path], failures: Sequence[Failure]) -> dict[str, pd.DataFrame]:
    """Join the tables of a task.

    Args:
        tables: tidy tables, some with a column ``standard_error``, with a column ``reason`` that is
            filled in the rows of measures without a value, or with a column ``coverage`` that is
            filled in the rows of measures that saw less than all parameters.
        failures: the records of networks without a table, possibly several times.

    Returns:
        ``measures`` (the tidy table), ``errors`` (rows with a standard error), ``failed`` (network,
        stage, reason), ``left_out`` (network, family, measure, reason: the measures without a value
        of networks that have others of the same family) and ``coverage`` (network, family, measure,
        coverage: the share of the parameters, below 1, that a measure saw), each in the order of
        network ids.

    Raises:
        GengapError: every network failed.
    """
    text = {"network": str, "component": str}
    read = [pd.read_csv(path, dtype=text) for path in tables]
    # A table of no network has columns of objects, and would make objects of all numbers.
    filled = [table for table in read if not table.empty]
    joined = pd.concat(filled) if filled else pd.DataFrame(columns=COLUMNS)
    if joined.empty:
        reason = failures[0].reason if failures else "no family of measures is asked for"
        raise GengapError(f"No network has any measure; the first reason: {reason}")
    joined = joined.sort_values("network", key=lambda ids: ids.astype(int), kind="stable")
    for column in ("standard_error", REASON, COVERAGE):
        if column not in joined:
            joined[column] = float("nan")
    is_left_out = joined[REASON].notna()
    values = joined[~is_left_out]
    failed = pd.DataFrame(
        [asdict(failure) for failure in dict.fromkeys(failures)],
        columns=["network", "stage", "reason"],
    ).sort_values("network", key=lambda ids: ids.astype(int), kind="stable")
    return {
        "measures": values[COLUMNS],
        "errors": values.loc[values["standard_error"].notna(), [*COLUMNS, "standard_error"]],
        "failed": failed,
        "left_out": joined.loc[is_left_out, LEFT_OUT_COLUMNS],
        "coverage": values.loc[values[COVERAGE].notna(), COVERAGE_COLUMNS].drop_duplicates(),
    }
