"""Gathering the tables of all networks and families into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from gengap.errors import GengapError
from gengap.failures import Failure
from gengap.files import writing
from gengap.measures.results import COLUMNS, COVERAGE, NEED, REASON, STANDARD_ERROR

LEFT_OUT_COLUMNS = ["network", "family", "measure", REASON]
"""Columns of the table of measures that a network lacks."""

ALL_NETWORKS = "all"
"""In place of a network, where a measure is left out for the whole task."""

NEEDS_OF_TASK = (
    "initial", "images", "float_inputs", "history", "snapshots", "siblings", "unlabelled",
    "diagrams",
)  # fmt: skip
"""Needs that a task meets for all of its networks or for none. A measure that lacks one of them for
some networks is left out for the whole task, since it could not be compared."""

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
        tables: tidy tables, some with a column ``standard_error``; with the columns ``reason`` and
            ``need`` that are filled in the rows of measures without a value; or with a column
            ``coverage`` that is filled in the rows of measures that saw less than all parameters.
        failures: the records of networks without a table, possibly several times.

    Returns:
        ``measures`` (the tidy table), ``errors`` (rows with a standard error), ``failed`` (network,
        stage, reason), ``left_out`` (network, family, measure, reason: the measures without a
        value) and ``coverage`` (network, family, measure, coverage: the share of the parameters,
        below 1, that a measure saw), each in the order of network ids. What no network has for the
        same reason is left out once, for the network ``all``; so is what some lack, since the task
        does not know it of them (:data:`NEEDS_OF_TASK`).

    Raises:
        GengapError: no network has any measure.
    """
    text = {"network": str, "component": str}
    read = [pd.read_csv(path, dtype=text) for path in tables]
    # A table of no network has columns of objects, and would make objects of all numbers.
    filled = [table for table in read if not table.empty]
    joined = pd.concat(filled) if filled else pd.DataFrame(columns=COLUMNS)
    joined = joined.sort_values("network", key=lambda ids: ids.astype(int), kind="stable")
    for column in (STANDARD_ERROR, REASON, NEED, COVERAGE):
        if column not in joined:
            joined[column] = float("nan")
    left_out, values = _divided(joined)
    if values.empty:
        reasons = [failure.reason for failure in failures] + list(left_out[REASON])
        reason = next(iter(reasons), "no family of measures is asked for")
        raise GengapError(f"No network has any measure; the first reason: {reason}")
    failed = pd.DataFrame(
        [asdict(failure) for failure in dict.fromkeys(failures)],
        columns=["network", "stage", "reason"],
    ).sort_values("network", key=lambda ids: ids.astype(int), kind="stable")
    return {
        "measures": values[COLUMNS],
        "errors": values.loc[values[STANDARD_ERROR].notna(), [*COLUMNS, STANDARD_ERROR]],
        "failed": failed,
        "left_out": left_out[LEFT_OUT_COLUMNS],
        "coverage": values.loc[values[COVERAGE].notna(), COVERAGE_COLUMNS].drop_duplicates(),
    }


def _divided(joined: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide rows into those of measures that are left out, and values of the others."""
    rows = joined[joined[REASON].notna()]
    networks = joined.groupby("family")["network"].nunique()
    keys = ["family", "measure", REASON]
    lacking = rows.groupby(keys, sort=False)["network"].transform("nunique")
    of_task = rows[NEED].isin(NEEDS_OF_TASK) | (lacking == rows["family"].map(networks))
    for_all = rows[of_task].drop_duplicates("measure").assign(network=ALL_NETWORKS)
    left_out = pd.concat([for_all, rows[~rows["measure"].isin(for_all["measure"])]])
    values = joined[joined[REASON].isna() & ~joined["measure"].isin(for_all["measure"])]
    return left_out, values
