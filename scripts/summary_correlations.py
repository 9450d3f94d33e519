"""Correlate every scalar summary with the gap, and find the strongest of each family."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import jobs, tasks
from gengap.evaluation import correlate_summaries, strongest
from gengap.files import writing
from gengap.seeding import derive

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task = tasks.load(Path(snakemake.input.task).parent)
    params = snakemake.params
    table = correlate_summaries(
        pd.read_csv(snakemake.input.measures, dtype={"network": str, "component": str}),
        task.gaps(),
        task.hyper_parameters(),
        training_accuracy=task.training_outcomes(),
        correlate_within=params.correlate_within,
        resamples=params.bootstrap_resamples,
        permutations=params.permutations,
        seed=derive(params.seed, task.name, "evaluation"),
        gap_of=task.gap_of,
        draws=task.data_draws(),
        leave_out=task.left_out(params.unfit),
    )
    with writing(snakemake.output.correlations) as part:
        table.to_csv(part, index=False)
    with writing(snakemake.output.strongest) as part:
        strongest(table).to_csv(part, index=False)


jobs.run(snakemake, main)
