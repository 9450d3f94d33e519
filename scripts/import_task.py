"""Gather the networks of an imported task, and name those whose accuracy is not the stated one."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.tasks import pgdl, write_task
from gengap.tasks.shards import read_metrics

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    receipt = pgdl.Receipt.read(snakemake.input.receipt)
    reference = pgdl.read_reference(pgdl.locate(receipt.tree, receipt.task).reference)
    target = Path(snakemake.output.task)
    metrics = read_metrics(snakemake.input.receipts)
    write_task(target, target.parent.name, reference.grid, metrics)
    with writing(snakemake.output.disagreements) as part:
        folders = (target.parent / "networks" / network for network in metrics)
        part.write_text("".join(f"{line}\n" for line in pgdl.disagreements(folders)))


jobs.run(snakemake, main)
