"""Draw R2 of every vectorisation and set of dimensions."""

from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import figures, jobs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    table = pd.read_csv(snakemake.input.leaderboard)
    figure = figures.r2_heatmap({snakemake.wildcards.task: table})
    for path in snakemake.output:
        figures.save(figure, path)


jobs.run(snakemake, main)
