"""What a run found, in the few lines that are printed at its end."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Row = Mapping[str, str]


def summary(tasks: Iterable[str], studies: Iterable[str]) -> str:
    """Return what was found, in a few lines, and where the figures lie.

    Args:
        tasks: full names of tasks; one that is not evaluated is passed over.
        studies: names of studies; one without claims is passed over.
    """
    lines = []
    for task in tasks:
        path = Path("results", task, "evaluation", "summary.txt")
        if path.is_file():
            lines += summary_of_task(task, path)
    for study in studies:
        path = Path("results", study, "claims.csv")
        if rows := _rows(path):
            lines += summary_of_claims(study, path, rows)
    return "\n".join(lines)


def summary_of_task(task: str, path: Path) -> list[str]:
    """Return what the evaluation of a task says, and where its tables and figures lie.

    Args:
        task: full name of the task.
        path: the text that its evaluation wrote.
    """
    return [
        f"\n{task}: what predicts the gap",
        textwrap.indent(path.read_text(encoding="utf-8"), "  "),
        f"  leaderboard: {path.with_name('leaderboard.csv')}",
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


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
