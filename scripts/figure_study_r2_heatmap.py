"""Draw R2 of every vectorisation and set of dimensions, tasks side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import figures, jobs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    figure = figures.r2_heatmap(
        {Path(path).parents[1].name: pd.read_csv(path) for path in snakemake.input.leaderboards}
    )
    for path in snakemake.output:
        figures.save(figure, path)


jobs.run(snakemake, main)
