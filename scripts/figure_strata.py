"""Draw the ranking within each value of a hyper-parameter."""

from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import figures, jobs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    figure = figures.r2_by_stratum(
        pd.read_csv(snakemake.input.leaderboard),
        pd.read_csv(snakemake.input.strata),
        top=snakemake.params.top,
    )
    for path in snakemake.output:
        figures.save(figure, path)


jobs.run(snakemake, main)
