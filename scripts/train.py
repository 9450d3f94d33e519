"""Train the networks of one shard of a zoo; those that are there already are kept."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import draw_rows, read_split
from gengap.tasks import shards, zoo

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, params = snakemake.input, snakemake.params
    data = read_split(files.train), read_split(files.test)
    made_from = [shards.sha256(files.train), shards.sha256(files.test), params.code, params.device]
    draw = params.draw
    made_from += [json.dumps(draw), params.test_labels, params.factory]
    task = Path(files.train).parents[1]
    entries = dict(zip(map(str, params.networks), params.entries, strict=True))
    shard, made = jobs.Shard(snakemake), {}
    for network in shard:
        with shard.attempt(network):
            entry, folder = entries[network], task / "networks" / network
            replicate = entry["point"]["replicate"]
            rows = draw and draw_rows(data[0], replicate=replicate, seed=params.seed, **draw)
            made[network] = shards.make_network(
                folder,
                entry["identity"],
                shards.digest_of(entry["identity"], *made_from),
                partial(
                    zoo.train_network,
                    folder,
                    entry["network"],
                    entry["training"],
                    entry["point"],
                    data,
                    params.seed,
                    params.device,
                    rows=rows,
                    test_labels=params.test_labels,
                ),
            )
    shards.ShardReceipt(task, made).write(snakemake.output.receipt)
    shard.write_failures()


jobs.run(snakemake, main)
