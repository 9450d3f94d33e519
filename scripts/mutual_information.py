"""Compute the competition's score of every scalar measure of a task."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import jobs, tasks
from gengap.evaluation import scalar_measures, score_measures
from gengap.files import writing

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task = tasks.load(Path(snakemake.input.task).parent)
    measures = pd.read_csv(snakemake.input.measures, dtype={"network": str, "component": str})
    gaps = task.gaps().drop(list(task.left_out(snakemake.params.unfit)))
    table = score_measures(scalar_measures(measures), gaps, task.hyper_parameters(), task.grid)
    for reason, unscored in table[table["reason"] != ""].groupby("reason", sort=False):
        names = ", ".join(unscored["measure"])
        logging.getLogger("gengap").warning("No score of %s: %s", names, reason)
    with writing(snakemake.output.scores) as part:
        table.to_csv(part, index=False)


jobs.run(snakemake, main)
