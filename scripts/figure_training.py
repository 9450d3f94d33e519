"""Draw how the zoo was trained."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import figures, jobs, tasks

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task = tasks.load(Path(snakemake.input.task).parent)
    networks = task.networks
    outcomes = {
        name: (network.metrics.train_accuracy, network.metrics.test_accuracy)
        for name, network in networks.items()
    }
    figure = figures.training_overview(
        {name: network.history() for name, network in networks.items()},
        pd.DataFrame.from_dict(
            outcomes, orient="index", columns=["train_accuracy", "test_accuracy"]
        ),
        task.hyper_parameters()[snakemake.params.colour or next(iter(task.grid))],
    )
    for path in snakemake.output:
        figures.save(figure, path)


jobs.run(snakemake, main)
