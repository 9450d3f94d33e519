"""Observe the networks of a shard on training inputs and keep the neurons of every draw."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.activations import write_sample
from gengap.activations.observing import observed
from gengap.datasets import read_split
from gengap.networks import resolve_device
from gengap.tasks.shards import ShardReceipt

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, params = snakemake.input, snakemake.params
    split, receipt = read_split(files.train), ShardReceipt.read(files.receipt)
    device = resolve_device(params.device)
    samples = Path(snakemake.output.samples)
    samples.mkdir(parents=True)
    shard = jobs.Shard(snakemake)
    for network in shard:
        with shard.attempt(network):
            drawn = observed(
                receipt.network(network).to(device),
                receipt.train(network, split),
                params.seed,
                params.stream,
                inputs=params.inputs,
                neurons=params.neurons,
                draws=params.draws,
                sampling=params.sampling,
                skip_layers=params.skip_layers,
            )
            write_sample(drawn, samples / f"{network}.safetensors")
    shard.write_failures()


jobs.run(snakemake, main)
