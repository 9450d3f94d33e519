"""Draw the best scalar measures against the gap."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import figures, jobs, tasks

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

# Panels of the figure: the best scalar measures, in the order of the leaderboard.
PANELS = 6


def main() -> None:
    task = tasks.load(Path(snakemake.input.task).parent)
    board = pd.read_csv(snakemake.input.leaderboard)
    scalars = board.loc[(board["kind"] == "scalar") & board["kendall"].notna(), "measure"]
    figure = figures.scatter(
        pd.read_csv(snakemake.input.measures, dtype={"network": str, "component": str}),
        task.gaps(),
        task.hyper_parameters()[snakemake.params.colour or next(iter(task.grid))],
        names=list(scalars[:PANELS]),
    )
    for path in snakemake.output:
        figures.save(figure, path)


jobs.run(snakemake, main)
