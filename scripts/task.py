"""Gather the networks of a zoo into its task.json."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.tasks import write_task
from gengap.tasks.shards import read_metrics

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    target = Path(snakemake.output.task)
    metrics = read_metrics(snakemake.input.receipts)
    params = snakemake.params
    write_task(target, target.parent.name, params.grid, metrics, gap_of=params.gap)


jobs.run(snakemake, main)
