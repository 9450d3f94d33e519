"""Draw the gap against each hyper-parameter."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import figures, jobs, tasks

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task = tasks.load(Path(snakemake.input.task).parent)
    figure = figures.gap_by_hyper_parameter(
        task.gaps(),
        task.hyper_parameters(),
        colour=snakemake.params.colour or next(iter(task.grid)),
    )
    for path in snakemake.output:
        figures.save(figure, path)


jobs.run(snakemake, main)
