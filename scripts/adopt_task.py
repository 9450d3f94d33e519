"""Gather the networks of a task of checkpoints, and name those whose outcomes are not as stated."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.tasks import write_task
from gengap.tasks.disagreements import disagreements
from gengap.tasks.shards import read_metrics

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    target, params = Path(snakemake.output.task), snakemake.params
    metrics = read_metrics(snakemake.input.receipts)
    write_task(target, target.parent.name, params.grid, metrics, gap_of=params.gap)
    columns = {name for entry in metrics.values() for name in entry.hyper_parameters}
    for name in sorted(columns - set(params.grid)):
        logging.getLogger("gengap").info(
            "the column '%s' is no hyper-parameter of the grid: it has one value, names single "
            "networks, or is a seed",
            name,
        )
    with writing(snakemake.output.disagreements) as part:
        folders = (target.parent / "networks" / network for network in metrics)
        part.write_text("".join(f"{line}\n" for line in disagreements(folders)))


jobs.run(snakemake, main)
