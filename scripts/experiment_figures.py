"""Plot the figures of an experiment."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import figures, jobs
from gengap.studies import experiments, running

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    study, params = snakemake.wildcards.study, snakemake.params
    if experiments.converted(study):
        runs = running.read_runs(study, params.module, snakemake.input.runs, params.settings)
        plotted = running.plot_experiment(study, params.module, runs, params.plotting)
    else:
        done = experiments.read_runs(snakemake.input.runs, params.settings)
        plotted = experiments.draw(study, params.module, done, params.plotting)
    for name, figure in plotted.items():
        for suffix in ("png", params.format):
            figures.save(figure, Path(snakemake.output.figures) / f"{name}.{suffix}")


jobs.run(snakemake, main)
