"""Fetch the files of a PGDL task, and check what the config asks of it before most are fetched."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.planning.grid import check_roles
from gengap.tasks import pgdl

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    params, task = snakemake.params, snakemake.wildcards.task
    receipt = Path(snakemake.output.receipt)
    pgdl.download(
        params.task,
        receipt.parent,
        source=params.source,
        networks=None if params.networks is None else range(params.networks),
        checksum=params.checksum,
        accept=lambda reference: check_roles(task, params.roles, reference.grid),
    ).write(receipt)


jobs.run(snakemake, main)
