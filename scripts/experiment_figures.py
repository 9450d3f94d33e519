"""Draw the figures of an experiment."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import figures, jobs
from gengap.studies import draw, read_runs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    params = snakemake.params
    runs = read_runs(snakemake.input.runs, params.settings)
    drawn = draw(snakemake.wildcards.study, params.module, runs, params.drawing)
    for name, figure in drawn.items():
        for suffix in ("png", params.format):
            figures.save(figure, Path(snakemake.output.figures) / f"{name}.{suffix}")


jobs.run(snakemake, main)
