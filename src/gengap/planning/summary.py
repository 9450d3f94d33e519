"""What a run found, in the few lines that are printed at its end."""

from __future__ import annotations

import csv
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gengap.names import REFERENCE_FILE, VERDICTS, reason_kind

Row = Mapping[str, str]


def summary(tasks: Iterable[str], studies: Iterable[str]) -> str:
    """Return what was found, in a few lines, and where the figures lie.

    Args:
        tasks: full names of tasks; one that is neither evaluated nor predicted is passed over.
        studies: names of studies; one without claims is passed over.
    """
    lines = []
    tasks = list(tasks)
    for task in tasks:
        path = Path("results", task, "evaluation", "summary.txt")
        if path.is_file():
            lines += summary_of_task(task, path)
        path = Path("results", task, "predictions.csv")
        if rows := _rows(path):
            lines += summary_of_predictions(task, path, rows)
    path = Path("results", "across_tasks.csv")
    if len(tasks) > 1 and (rows := _rows(path)):
        lines += summary_across_tasks(path, rows)
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
    reference = path.parents[1] / REFERENCE_FILE
    return [
        f"\n{task}: what predicts the gap",
        textwrap.indent(path.read_text(encoding="utf-8"), "  "),
        f"  leaderboard: {path.with_name('leaderboard.csv')}",
        f"  figures:     {path.parents[1] / 'figures'}/",
        *[f"  reference:   {reference}"] * reference.is_file(),
    ]


def summary_of_predictions(task: str, path: Path, rows: Sequence[Row]) -> list[str]:
    """Return how many networks of a task were predicted, and what is said of them.

    Args:
        task: full name of the task.
        path: the table of predictions.
        rows: its rows, one a network.
    """
    predicted = [row for row in rows if row["gap"]]
    reasons = Counter(reason_kind(row["reason"]) for row in rows if not row["gap"])
    said = [f"{len(predicted)} of {len(rows)} networks are predicted"]
    if predicted:
        gaps = sorted(float(row["gap"]) for row in predicted)
        width = sum(float(row["high"]) - float(row["low"]) for row in predicted) / len(predicted)
        said += [f"gaps {gaps[0]:.3f} to {gaps[-1]:.3f}, 90 % intervals {width:.3f} wide"]
    lines = [f"\n{task}: {'; '.join(said)}"]
    lines += [f"  {count} declined: {reason}" for reason, count in reasons.most_common()]
    return [*lines, f"  predictions: {path}"]


def summary_across_tasks(path: Path, rows: Sequence[Row]) -> list[str]:
    """Return what carries over from task to task: references, all measures, and the best measure.

    Args:
        path: the table of tasks that were predicted from the others.
        rows: its rows, the best measure first among the measures.
    """
    means = [row for row in rows if row["task"] == "all"]
    measures = [row for row in means if row["kind"] == "scalar"]
    shown = [row for row in means if row["kind"] != "scalar"] + measures[:1]
    best = f"  The last is the best of {len(measures)} measures, chosen on the same tasks."
    return [
        "\nacross tasks: each task's gaps predicted from the other tasks",
        "  error of the gap; the same with the task's mean known; tau with its 95 % interval",
        *map(_carried_over, shown),
        *[best] * bool(measures),
        f"  table: {path}",
    ]


def _carried_over(row: Row) -> str:
    errors = [float(row[name]) for name in ("level_error", "centred_error")]
    tau = (
        [float(row[name]) for name in ("kendall", "kendall_low", "kendall_high")]
        if (row["kendall"])
        else []
    )
    interval = "{:6.2f} [{:.2f}, {:.2f}]".format(*tau) if tau else ""
    return f"  {row['measure']:<50} {errors[0]:.4f}  {errors[1]:.4f} {interval}".rstrip()


def summary_of_claims(study: str, path: Path, rows: Sequence[Row]) -> list[str]:
    """Return the verdict on each claim of a study's paper, and where they are explained.

    Args:
        study: name of the study.
        path: the table of claims.
        rows: its rows; a claim has one for each estimate.
    """
    verdicts = {row["claim"]: row["verdict"] for row in rows}
    width = max(map(len, VERDICTS))
    return [
        f"\n{study}: what the runs say of the paper's claims",
        *(f"  {verdict:>{width}}  {claim}" for claim, verdict in verdicts.items()),
        f"  claims:  {path.with_suffix('.md')}",
        f"  figures: {path.with_name('figures')}/",
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
