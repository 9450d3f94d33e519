"""One table from the tables of all networks and families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from gengap.errors import GengapError
from gengap.failures import Failure
from gengap.measures.registry import COLUMNS


def gather(tables: Sequence[str | Path], failures: Sequence[Failure]) -> dict[str, pd.DataFrame]:
    """Join the tables of a task.

    Args:
        tables: tidy tables, some with a column ``standard_error``.
        failures: what stands in the place of the others, possibly several times.

    Returns:
        ``measures`` (the tidy table), ``errors`` (rows with a standard error) and ``failed``
        (network, stage, reason), each in the order of network ids.

    Raises:
        GengapError: every network failed.
    """
    if not tables:
        reason = failures[0].reason if failures else "no family of measures is asked for"
        raise GengapError(f"No network has any measure; the first reason: {reason}")
    text = {"network": str, "component": str}
    joined = pd.concat([pd.read_csv(path, dtype=text) for path in tables])
    joined = joined.sort_values("network", key=lambda ids: ids.astype(int), kind="stable")
    if "standard_error" not in joined:
        joined["standard_error"] = float("nan")
    failed = pd.DataFrame(
        [asdict(failure) for failure in dict.fromkeys(failures)],
        columns=["network", "stage", "reason"],
    ).sort_values("network", key=lambda ids: ids.astype(int), kind="stable")
    return {
        "measures": joined[COLUMNS],
        "errors": joined.loc[joined["standard_error"].notna(), [*COLUMNS, "standard_error"]],
        "failed": failed,
    }
