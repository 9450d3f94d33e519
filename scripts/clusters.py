"""Group networks into two clusters by each scalar summary and the gap."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import jobs, tasks
from gengap.evaluation import cluster, scalar_measures
from gengap.files import writing

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task = tasks.load(Path(snakemake.input.task).parent)
    measures = pd.read_csv(snakemake.input.measures, dtype={"network": str, "component": str})
    gaps = task.gaps().drop(list(task.left_out(snakemake.params.unfit)))
    with writing(snakemake.output.clusters) as part:
        cluster(scalar_measures(measures), gaps).to_csv(part, index=False)


jobs.run(snakemake, main)
