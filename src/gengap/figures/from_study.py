"""Figures that compare the tasks of a study.

Each function plots one figure of :data:`gengap.planned_figures.FIGURES` from its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from gengap import figures
from gengap.evaluation import SUMMARIES
from gengap.figures.from_task import colours as colours_of
from gengap.figures.tables import read_measures
from gengap.tasks import load

PANELS = {
    f"{label} of deaths, {dimension}": SUMMARIES[f"{name}.{dimension}"]
    for dimension in ("H0", "H1")
    for label, name in (
        ("mean", "average_of_deaths"),
        ("standard deviation", "deviation_of_deaths"),
    )
}


def plot_moments(
    *, tasks: Sequence[str], measures: Sequence[str], colours: Sequence[str | None]
) -> Figure:
    """Plot mean and standard deviation of deaths (H0, H1) against the gap, a row per task."""
    coloured = {}
    for path, table, colour in zip(tasks, measures, colours, strict=True):
        task = load(Path(path).parent)
        coloured[task.name] = figures.ColouredTask(
            read_measures(table),
            task.gaps(),
            colours_of(task, colour),
            task.gap_of,
        )
    return figures.moments_panel(coloured, PANELS)
