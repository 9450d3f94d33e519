"""Compute the families of measures for the networks of a shard; those there already are kept."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import Split, read_split, read_unlabelled
from gengap.errors import GengapError
from gengap.measures import Subject, tidy, to_frame, write_tables
from gengap.measures.kept import KeptSubjects
from gengap.measures.registry import known_measures
from gengap.measures.shards import ShardMeasures, make_family
from gengap.measures.streams import common_stream
from gengap.networks import resolve_device
from gengap.tasks.shards import ShardReceipt, digest_of, sha256

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

log = logging.getLogger("gengap")


class Known:
    """What is known of a shard's networks, for whichever family is computed."""

    def __init__(self) -> None:
        files, params = snakemake.input, snakemake.params
        self.train: Split = read_split(files.train)
        self.receipt = ShardReceipt.read(files.receipt)
        self.receipts = [self.receipt, *map(ShardReceipt.read, files.siblings)]
        self.device: torch.device = resolve_device(params.device)
        networks = list(map(str, params.networks))
        self.losses = dict(zip(networks, params.losses, strict=True))
        self.siblings = dict(zip(networks, params.siblings, strict=True))
        self.kept = KeptSubjects(self._read)

    @cached_property
    def unlabelled(self) -> Any:
        """The inputs without labels that the task has, if any."""
        stated = snakemake.params.unlabelled
        if not stated:
            return None
        (path,) = snakemake.input.unlabelled
        array, layout = stated["inputs"], stated["layout"]
        return read_unlabelled(path, self.train, inputs=array, layout=layout)

    def subject(self, network: str, family: Mapping[str, Any]) -> Subject:
        """Return what the measures of a family see of a network."""
        rng = common_stream(snakemake.params.seed, snakemake.params.stream, family["name"])
        siblings = self.siblings[network] if family["compares"] else []
        return replace(
            self.kept.subject(network, rng),
            siblings=tuple(self._readable(siblings)),
            unlabelled=self.unlabelled if family["compares"] else None,
        )

    def _read(self, network: str, rng: np.random.Generator) -> Subject:
        """Return what every family sees of a network."""
        initial = self.receipt.initial(network)
        return Subject(
            self.receipt.network(network).to(self.device),
            None if initial is None else initial.to(self.device),
            self.receipt.train(network, self.train),
            rng,
            loss=self.losses[network],
            history=self.receipt.history(network),
        )

    def _readable(self, siblings: Iterable[int]) -> Iterator[nn.Module]:
        """Read those of a network's siblings that were made and are as they were made."""
        made = {network: one for one in self.receipts for network in one.networks}
        for sibling in map(str, siblings):
            if sibling in made:
                try:
                    yield made[sibling].network(sibling).to(self.device)
                except GengapError as error:  # the sibling's own measures fail for it
                    log.warning("sibling %s is left out: %s", sibling, error)


def main() -> None:
    path = Path(snakemake.output.receipt)
    known, families = Known(), {}
    for family in snakemake.params.families:
        families[family["name"]] = make_family(
            path.parent / family["name"],
            path.stem,
            made_from(family),
            partial(measure, known, family),
        )
    ShardMeasures(path, families).write()


def made_from(family: Mapping[str, Any]) -> str:
    """Return the digest of everything that the measures of a family depend on."""
    files, params = snakemake.input, snakemake.params
    paths = [files.train, files.receipt, files.failed]
    common = ("networks", "stream", "losses", "slow", "device", "seed", "failures")
    settings = {"family": family, "code": params.code} | {name: params[name] for name in common}
    if family["compares"]:
        paths += [*files.siblings, *files.unlabelled]
        settings |= {name: params[name] for name in ("siblings", "unlabelled")}
    return digest_of(json.dumps(settings, sort_keys=True), *map(sha256, paths))


def measure(known: Known, family: Mapping[str, Any], table: Path, failed: Path) -> None:
    """Compute one family for the networks of the shard."""
    shard, tables = jobs.Shard(snakemake, failed), []
    task = snakemake.wildcards.task
    log.info("family %s", family["name"])
    for network in shard:
        with shard.attempt(network):
            subject = known.subject(network, family)
            values = known_measures(family["source"], subject, slow=snakemake.params.slow)
            tables.append(tidy(to_frame(values), task, network, family["name"]))
    write_tables(tables, table)
    shard.write_failures()


jobs.run(snakemake, main)
