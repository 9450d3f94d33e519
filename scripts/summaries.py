"""Vectorise the diagrams of one network: the mean over draws with its bootstrap standard error."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.measures import tidy
from gengap.seeding import generator
from gengap.topology import read_diagrams, summarise

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task, network = snakemake.wildcards.task, snakemake.wildcards.network
    draws, _ = read_diagrams(snakemake.input.diagrams)
    rng = generator(snakemake.params.seed, task, network, "summaries")
    table = tidy(summarise(draws, snakemake.params.resamples, rng), task, network, "topology")
    with writing(snakemake.output.summaries) as part:
        table.to_csv(part, index=False)


jobs.run(snakemake, main)
