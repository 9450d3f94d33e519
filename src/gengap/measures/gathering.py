"""Gathering the tables of all networks and families into one."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gengap.errors import GengapError
from gengap.failures import Failure
from gengap.files import writing
from gengap.measures.results import COLUMNS, COVERAGE, DRAW, NEED, REASON, STANDARD_ERROR

ROWS_WRITTEN = 1 << 19
"""Rows whose text is held at a time."""

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
    write_table(pd.concat(tables) if tables else pd.DataFrame(columns=COLUMNS), path)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table of texts and numbers as CSV.

    The bytes are those of pandas' ``to_csv`` without the index. Writing takes half the time: a
    table of measures repeats few texts in many rows, and each text is quoted once.

    Args:
        table: columns of text, whole numbers or float64; missing values are written as nothing.
        path: the file.
    """
    with writing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(table.columns)
        for start in range(0, len(table), ROWS_WRITTEN):
            part_of_table = table.iloc[start : start + ROWS_WRITTEN]
            rows = zip(*(_cells(column) for _, column in part_of_table.items()), strict=True)
            file.writelines(f"{row}\n" for row in map(",".join, rows))


def _cells(column: pd.Series) -> list[str]:
    """Return what a CSV file has for each value of a column."""
    values = column.tolist()
    if column.dtype == float:
        return ["" if value != value else repr(value) for value in values]
    if len(set(map(type, values))) == 1:
        quoted = {value: _quoted(value) for value in set(values)}
        return [quoted[value] for value in values]
    # With its type, since 1 and 1.0 are equal, but written differently.
    typed = list(zip(map(type, values), values, strict=True))
    cells = {key: _quoted(key[1]) for key in set(typed)}
    return [cells[key] for key in typed]


def _quoted(value: Any) -> str:
    """Return a value as CSV has it beside others, in quotes where it needs them."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(["" if pd.isna(value) else value, ""])
    return line.getvalue().removesuffix(",\n")


def gather(
    tables: Sequence[str | Path | io.StringIO], failures: Sequence[Failure]
) -> dict[str, pd.DataFrame]:
    """Join the tables of a task.

    Args:
        tables: tidy tables, as CSV files or their text, some with a column ``standard_error``; with
            the draws of values that are means, in columns ``draw_0``, ``draw_1``, ...; with the
            columns ``reason`` and ``need`` that are filled in the rows of measures without a value;
            or with a column ``coverage`` that is filled in the rows of measures that saw less than
            all parameters.
        failures: the records of networks without a table, possibly several times.

    Returns:
        ``measures`` (the tidy table), ``errors`` (rows with a standard error, see
        :func:`errors_between_networks`), ``failed`` (network,
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
    values = values.assign(**{STANDARD_ERROR: errors_between_networks(values)})
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


def errors_between_networks(values: pd.DataFrame) -> pd.Series:
    """Compute standard errors of values that are to be compared with those of other networks.

    All networks of a task are measured on the same draws of inputs. What a draw adds to the values
    of all of them does not change how they compare, so it is no error: in the layout of networks
    and draws, the error of a mean of k draws is that of the interaction, as in a two-way analysis
    of variance. With the deviation r_nd of a value from its network's mean after the mean over all
    N networks was subtracted from each draw, its square is N / (N - 1) sum_d r_nd^2 / (k - 1) / k.

    Args:
        values: tidy table of one task, with the columns ``standard_error`` and maybe ``draw_0``,
            ``draw_1``, ...

    Returns:
        One number per row: of values without draws, or of a single network, the standard error that
        the table has.
    """
    columns = [column for column in values if str(column).startswith(DRAW)]
    if not columns:
        return values[STANDARD_ERROR]
    keys = [values[key] for key in ("family", "measure", "component")]
    # From the first draw on, so that equal draws have an error of exactly 0.
    draws = values[columns].sub(values[columns[0]], axis=0)
    interaction = draws - draws.groupby(keys, sort=False).transform("mean")
    count, networks = (
        draws.count(axis=1),
        draws[columns[0]].groupby(keys, sort=False).transform("count"),
    )
    several = (count > 1) & (networks > 1)
    variance = interaction.var(axis=1) * networks / (networks - 1).where(several) / count
    errors: pd.Series = np.sqrt(variance).where(several, values[STANDARD_ERROR])
    return errors


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
