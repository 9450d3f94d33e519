"""Import one network of a PGDL task."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.tasks import pgdl

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    receipt = pgdl.Receipt.read(snakemake.input.receipt)
    params = snakemake.params
    pgdl.import_network(
        pgdl.locate(receipt.tree, receipt.task),
        params.position,
        Path(snakemake.output.metrics).parents[2],
        recompute=params.recompute,
        device=params.device,
    )


jobs.run(snakemake, main)
