"""Compute the persistence diagrams of every draw of the neurons of a shard's networks."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.activations import read_sample
from gengap.topology import draw_diagrams, gpu_named, write_diagrams

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    params, diagrams = snakemake.params, {}
    shard, gpu = jobs.Shard(snakemake), gpu_named(snakemake.params.device)
    for network in shard:
        with shard.attempt(network):
            sample = read_sample(Path(snakemake.input.samples) / f"{network}.safetensors")
            draws = draw_diagrams(
                sample,
                max_dim=params.max_dim,
                threshold=params.threshold,
                engine=params.engine,
                threads=snakemake.threads,
                gpu=gpu,
            )
            diagrams[network] = draws, sample.metadata()
    write_diagrams(diagrams, snakemake.output.diagrams)
    shard.write_failures()


jobs.run(snakemake, main)
