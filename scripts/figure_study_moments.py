"""Draw average and standard deviation of deaths (H0, H1) against the gap, a row a task."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import figures, jobs, tasks
from gengap.evaluation import SUMMARIES

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PANELS = {
    f"{label} of deaths, {dimension}": SUMMARIES[f"{name}.{dimension}"]
    for dimension in ("H0", "H1")
    for label, name in (
        ("mean", "average_of_deaths"),
        ("standard deviation", "deviation_of_deaths"),
    )
}


def main() -> None:
    coloured = {}
    files = zip(
        snakemake.input.tasks, snakemake.input.measures, snakemake.params.colours, strict=True
    )
    for path, measures, colour in files:
        task = tasks.load(Path(path).parent)
        coloured[task.name] = figures.ColouredTask(
            pd.read_csv(measures, dtype={"network": str, "component": str}),
            task.gaps(),
            task.hyper_parameters()[colour or next(iter(task.grid))],
        )
    figure = figures.moments_panel(coloured, PANELS)
    for path in snakemake.output:
        figures.save(figure, path)


jobs.run(snakemake, main)
