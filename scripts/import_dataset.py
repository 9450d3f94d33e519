"""Import the data of a PGDL task."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.tasks import pgdl

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    receipt = pgdl.Receipt.read(snakemake.input.receipt)
    folder = Path(snakemake.output.train).parents[1]
    pgdl.import_dataset(pgdl.locate(receipt.tree, receipt.task), folder)


jobs.run(snakemake, main)
