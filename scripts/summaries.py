"""Vectorise the diagrams of a shard's networks: means over draws with standard errors."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.measures import tidy, write_tables
from gengap.topology import read_diagrams, summarise

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task, tables = snakemake.wildcards.task, []
    shard = jobs.Shard(snakemake)
    for network in shard:
        with shard.attempt(network):
            draws, _ = read_diagrams(snakemake.input.diagrams, network)
            tables.append(tidy(summarise(draws), task, network, "topology"))
    write_tables(tables, snakemake.output.table)
    shard.write_failures()


jobs.run(snakemake, main)
