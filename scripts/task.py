"""Gather the networks of a task."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.failures import read_failure
from gengap.tasks import write_task
from gengap.tasks.folder import Metrics

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    metrics = {
        Path(path).parent.name: Metrics.read(path)
        for path in snakemake.input.metrics
        if read_failure(path) is None
    }
    target = Path(snakemake.output.task)
    write_task(target, target.parent.name, snakemake.params.grid, metrics)


jobs.run(snakemake, main)
