"""Plot the figures of an experiment."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import figures, jobs
from gengap.studies.running import plot_experiment, read_runs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    study, params = snakemake.wildcards.study, snakemake.params
    runs = read_runs(study, params.module, snakemake.input.runs, params.settings)
    for name, figure in plot_experiment(study, params.module, runs, params.plotting).items():
        for suffix in ("png", params.format):
            figures.save(figure, Path(snakemake.output.figures) / f"{name}.{suffix}")


jobs.run(snakemake, main)
