"""Compute one family of measures for the networks of a shard."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import read_split
from gengap.measures import NothingComputedError, Subject, compute, tidy, to_frame, write_tables
from gengap.networks import resolve_device
from gengap.seeding import generator
from gengap.tasks.folder import with_labels
from gengap.tasks.shards import ShardReceipt

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    split, receipt = read_split(files.train), ShardReceipt.read(files.receipt)
    device = resolve_device(params.device)
    losses = dict(zip(map(str, params.networks), params.losses, strict=True))
    shard, tables = jobs.Shard(snakemake), []
    for network in shard:
        with shard.attempt(network):
            initial = receipt.initial(network)
            subject = Subject(
                receipt.network(network).to(device),
                None if initial is None else initial.to(device),
                with_labels(split, receipt.file(network, "labels.npy")),
                generator(params.seed, names.task, network, names.family),
                loss=losses[network],
            )
            try:
                values = compute(params.family, subject)
            except NothingComputedError as error:
                # A network is no failure for what is not known of it.
                if not error.is_for_need:
                    raise
                values = error.results
            tables.append(tidy(to_frame(values), names.task, network, names.family))
    write_tables(tables, snakemake.output.table)
    shard.write_failures()


jobs.run(snakemake, main)
