"""Import the data of a PGDL task."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import read_split, write_split
from gengap.tasks import pgdl

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, output = snakemake.input, snakemake.output
    if files.receipt:
        receipt = pgdl.Receipt.read(files.receipt[0])
        pgdl.import_dataset(pgdl.locate(receipt.tree, receipt.task), Path(output.train).parents[1])
    else:  # all networks were measured before, so that nothing was exported
        for source, target in zip(files.data, (output.train, output.test), strict=True):
            write_split(read_split(source), target)


jobs.run(snakemake, main)
