"""What a run found, in the few lines that are printed at its end."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Row = Mapping[str, str]


def summary(tasks: Iterable[str], studies: Iterable[str]) -> str:
    """Return what was found, in a few lines, and where the figures lie.

    Args:
        tasks: full names of tasks; one without a leaderboard is passed over.
        studies: names of studies; one without claims is passed over.
    """
    lines = []
    for task in tasks:
        path = Path("results", task, "evaluation", "leaderboard.csv")
        if rows := _rows(path):
            lines += summary_of_task(task, path, rows)
    for study in studies:
        path = Path("results", study, "claims.csv")
        if rows := _rows(path):
            lines += summary_of_claims(study, path, rows)
    return "\n".join(lines)


def summary_of_task(task: str, path: Path, rows: Sequence[Row]) -> list[str]:
    """Return the five best measures of a task, what needs none, and where the figures lie.

    Args:
        task: full name of the task.
        path: the file of its leaderboard.
        rows: the rows of the leaderboard.
    """
    best = [row for row in rows if row["eligible"] == "True"][:5]
    return [
        f"\n{task}: the best measures of the gap (R2 under 5x2 cross-validation)",
        *(_line(row, f"{place}.") for place, row in enumerate(best, start=1)),
        "  and without any measure:",
        *(_line(row) for row in rows if row["kind"] == "reference"),
        f"  leaderboard: {path}",
        f"  figures:     {path.parents[1] / 'figures'}/",
    ]


def summary_of_claims(study: str, path: Path, rows: Sequence[Row]) -> list[str]:
    """Return the verdict on each claim of a study's paper, and where they are explained.

    Args:
        study: name of the study.
        path: the table of claims.
        rows: its rows; a claim has one for each estimate.
    """
    verdicts = {row["claim"]: row["verdict"] for row in rows}
    return [
        f"\n{study}: what the runs say of the paper's claims",
        *(f"  {verdict:>9}  {claim}" for claim, verdict in verdicts.items()),
        f"  claims:  {path.with_suffix('.md')}",
        f"  figures: {path.with_name('figures')}/",
    ]


def _line(row: Row, place: str = "") -> str:
    score = f"{float(row['r2_mean']):7.3f} +- {float(row['r2_std']):.3f}"
    return f"  {place:>2} {row['measure']:<60} {score}"


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
