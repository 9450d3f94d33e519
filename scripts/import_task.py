"""Gather the networks of an imported task, and name those whose accuracy is not the stated one."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.failures import read_failure
from gengap.files import writing
from gengap.tasks import pgdl, write_task
from gengap.tasks.folder import Metrics

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    receipt = pgdl.Receipt.read(snakemake.input.receipt)
    reference = pgdl.read_reference(pgdl.locate(receipt.tree, receipt.task).reference)
    imported = [Path(path) for path in snakemake.input.metrics if read_failure(path) is None]
    metrics = {path.parent.name: Metrics.read(path) for path in imported}
    target = Path(snakemake.output.task)
    write_task(target, target.parent.name, reference.grid, metrics)
    with writing(snakemake.output.disagreements) as part:
        sentences = pgdl.disagreements(path.parent for path in imported)
        part.write_text("".join(f"{sentence}\n" for sentence in sentences))


jobs.run(snakemake, main)
