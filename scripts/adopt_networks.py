"""Adopt the networks of one shard of a task of checkpoints; those that are there are kept."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import read_split, read_split_or_none
from gengap.tasks import checkpoints, shards
from gengap.tasks.outcomes import check_gap

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, params = snakemake.input, snakemake.params
    data = read_split(files.train), read_split_or_none(files.test)
    check_gap(params.gap, data[0])
    made_from = [shards.sha256(files.train), shards.sha256(files.test), params.code, params.device]
    task = Path(files.train).parents[1]
    entries = dict(zip(map(str, params.networks), params.entries, strict=True))
    losses = dict(zip(entries, params.losses, strict=True))
    shard, made = jobs.Shard(snakemake), {}
    for network in shard:
        with shard.attempt(network):
            entry, loss, folder = entries[network], losses[network], task / "networks" / network
            made[network] = shards.make_network(
                folder,
                network,
                shards.digest_of(
                    network, checkpoints.source_digest(entry, loss, params.factory), *made_from
                ),
                partial(checkpoints.adopt_network, folder, entry, data, loss, params.device),
            )
    shards.ShardReceipt(task, made).write(snakemake.output.receipt)
    shard.write_failures()


jobs.run(snakemake, main)
