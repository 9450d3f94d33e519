"""Persistence diagrams of every draw of one network's neurons."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.activations import read_sample
from gengap.topology import draw_diagrams, gpu_named, write_diagrams

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    sample = read_sample(snakemake.input.sample)
    params = snakemake.params
    draws = draw_diagrams(
        sample,
        max_dim=params.max_dim,
        threshold=params.threshold,
        engine=params.engine,
        threads=snakemake.threads,
        gpu=gpu_named(params.device),
    )
    write_diagrams(draws, snakemake.output.diagrams, sample.metadata())


jobs.run(snakemake, main)
