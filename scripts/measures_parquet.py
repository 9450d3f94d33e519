"""Write the gathered measures of a task as Parquet."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.measures.parquet import write_parquet

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    write_parquet(snakemake.input.measures, snakemake.output.parquet)


jobs.run(snakemake, main)
