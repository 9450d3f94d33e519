"""Draw Kendall's tau of the scalar measures, over all networks and within strata."""

from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import figures, jobs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    table = pd.read_csv(snakemake.input.correlations)
    figure = figures.kendall_by_stratum(table, top=snakemake.params.top)
    for path in snakemake.output:
        figures.save(figure, path)


jobs.run(snakemake, main)
