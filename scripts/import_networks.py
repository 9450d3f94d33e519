"""Import the networks of one shard of a PGDL task; those that are there already are kept."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.tasks import pgdl, shards

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, params = snakemake.input, snakemake.params
    receipt = pgdl.Receipt.read(files.receipt)
    tree = pgdl.locate(receipt.tree, receipt.task)
    task = Path(files.train).parents[1]
    made_from = [shards.sha256(files[name]) for name in ("train", "test")]
    made_from += [str(params.recompute), params.code, params.device]
    reference = pgdl.read_reference(tree.reference)
    shard, made = jobs.Shard(snakemake), {}
    for network in shard:
        with shard.attempt(network):
            # An export names its networks as its task does.
            position = reference.position_of(network) if params.exported else int(network)
            made[network] = shards.make_network(
                task / "networks" / network,
                network,
                shards.digest_of(network, pgdl.source_digest(tree, position), *made_from),
                partial(
                    pgdl.import_network,
                    tree,
                    position,
                    task,
                    network=network,
                    recompute=params.recompute,
                    device=params.device,
                ),
            )
    shards.ShardReceipt(task, made).write(snakemake.output.receipt)
    shard.write_failures()


jobs.run(snakemake, main)
