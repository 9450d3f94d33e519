"""Train the networks of one shard of a zoo; those that are there already are kept."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import draw_rows, read_split
from gengap.errors import GengapError
from gengap.tasks import shards, zoo
from gengap.training.together import train_together

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
    digests = {
        network: shards.digest_of(entry["identity"], *made_from)
        for network, entry in entries.items()
    }

    def planned(network: str) -> zoo.ZooNetwork:
        entry = entries[network]
        replicate = entry["point"]["replicate"]
        rows = draw and draw_rows(data[0], replicate=replicate, seed=params.seed, **draw)
        return zoo.ZooNetwork.of(
            task / "networks" / network,
            entry["network"],
            entry["training"],
            entry["point"],
            data,
            params.seed,
            params.device,
            rows=rows,
            test_labels=params.test_labels,
        )

    def train(network: str) -> None:
        planned(network).train()

    def make(network: str, write: Callable[[], None]) -> None:
        folder, identity = task / "networks" / network, entries[network]["identity"]
        made[network] = shards.make_network(folder, identity, digests[network], write)

    shard = jobs.Shard(snakemake)
    made: dict[str, Mapping[str, str]] = {}
    if params.together:
        waiting = {}
        for network in shard:
            with shard.attempt(network):
                kept = shards.kept_files(task / "networks" / network, digests[network])
                if kept is None:
                    waiting[network] = planned(network)
                else:
                    made[network] = kept
        for place, result in train_together([one.training for one in waiting.values()]):
            network = list(waiting)[place]
            with shard.attempt(network):
                if isinstance(result, GengapError):
                    raise result
                make(network, partial(waiting[network].write, result))
    else:
        for network in shard:
            with shard.attempt(network):
                make(network, partial(train, network))
    in_order = {network: made[network] for network in shard}
    shards.ShardReceipt(task, in_order).write(snakemake.output.receipt)
    shard.write_failures()


jobs.run(snakemake, main)
