"""Observe one network on training inputs and keep the neurons of every draw."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.activations import choose_inputs, sample, write_sample
from gengap.datasets import read_split
from gengap.networks import resolve_device
from gengap.seeding import generator
from gengap.tasks.folder import read_network

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task, number = snakemake.wildcards.task, snakemake.wildcards.network
    params = snakemake.params
    split = read_split(snakemake.input.train)
    network = read_network(snakemake.input.config, snakemake.input.weights)
    drawn = sample(
        network.to(resolve_device(params.device)),
        choose_inputs(split, params.inputs, generator(params.seed, task, "inputs")),
        neurons=params.neurons,
        draws=params.draws,
        sampling=params.sampling,
        skip_layers=params.skip_layers,
        rng=generator(params.seed, task, number, "activations"),
    )
    write_sample(drawn, snakemake.output.sample)


jobs.run(snakemake, main)
