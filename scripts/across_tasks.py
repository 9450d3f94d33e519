"""Predict the gaps of each task from those of the others."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import jobs, tasks
from gengap.evaluation import across_tasks
from gengap.evaluation.designs import Designs, prepare
from gengap.files import writing
from gengap.seeding import derive

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def designs_of(task: tasks.Task, measures: str) -> Designs:
    return prepare(
        pd.read_csv(measures, dtype={"network": str, "component": str}),
        task.gaps(),
        task.hyper_parameters(),
        task.training_outcomes(),
        (),
        task.gap_of,
        leave_out=task.left_out(snakemake.params.unfit),
    )


def main() -> None:
    params = snakemake.params
    designs = {}
    for path, measures in zip(snakemake.input.tasks, snakemake.input.measures, strict=True):
        task = tasks.load(Path(path).parent)
        designs[task.name] = designs_of(task, measures)
    table = across_tasks(
        designs,
        resamples=params.bootstrap_resamples,
        seed=derive(params.seed, "across_tasks"),
    )
    with writing(snakemake.output.table) as part:
        table.to_csv(part, index=False)


jobs.run(snakemake, main)
