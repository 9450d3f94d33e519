"""Compute one family of measures for the networks of a shard."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from torch import nn

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import read_split, read_unlabelled
from gengap.errors import GengapError
from gengap.measures import Subject, tidy, to_frame, write_tables
from gengap.measures.registry import known_measures
from gengap.measures.streams import common_stream
from gengap.networks import resolve_device
from gengap.tasks.shards import ShardReceipt

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log = logging.getLogger("gengap")


def main() -> None:
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    split, receipt = read_split(files.train), ShardReceipt.read(files.receipt)
    receipts = [receipt, *map(ShardReceipt.read, files.siblings)]
    made = {network: one for one in receipts for network in one.networks}
    siblings = dict(zip(map(str, params.networks), params.siblings, strict=True))
    unlabelled = None
    if params.unlabelled:
        (path,) = files.unlabelled
        array, layout = params.unlabelled["inputs"], params.unlabelled["layout"]
        unlabelled = read_unlabelled(path, split, inputs=array, layout=layout)
    device = resolve_device(params.device)
    losses = dict(zip(map(str, params.networks), params.losses, strict=True))
    shard, tables = jobs.Shard(snakemake), []
    for network in shard:
        with shard.attempt(network):
            initial = receipt.initial(network)
            subject = Subject(
                receipt.network(network).to(device),
                None if initial is None else initial.to(device),
                receipt.train(network, split),
                common_stream(params.seed, params.stream, names.family),
                loss=losses[network],
                siblings=tuple(sibling.to(device) for sibling in readable(siblings[network], made)),
                unlabelled=unlabelled,
                history=receipt.history(network),
            )
            values = known_measures(params.family, subject, slow=params.slow)
            tables.append(tidy(to_frame(values), names.task, network, names.family))
    write_tables(tables, snakemake.output.table)
    shard.write_failures()


def readable(siblings: Iterable[int], made: Mapping[str, ShardReceipt]) -> Iterator[nn.Module]:
    """Read those of a network's siblings that were made and are as they were made."""
    for sibling in map(str, siblings):
        if sibling in made:
            try:
                yield made[sibling].network(sibling)
            except GengapError as error:  # the sibling's own measures fail for it
                log.warning("sibling %s is left out: %s", sibling, error)


jobs.run(snakemake, main)
