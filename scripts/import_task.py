"""Gather the networks of an imported task, and name those whose accuracy is not the stated one."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import read_split
from gengap.files import writing
from gengap.measures.kept_networks import KeptNetwork
from gengap.tasks import pgdl, write_task
from gengap.tasks.shards import read_metrics

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, params = snakemake.input, snakemake.params
    target = Path(snakemake.output.task)
    grid = params.grid
    if grid is None:
        receipt = pgdl.Receipt.read(files.receipt[0])
        grid = pgdl.read_reference(pgdl.locate(receipt.tree, receipt.task).reference).grid
    folder, metrics = target.parent / "networks", read_metrics(files.receipts)
    if files.kept:
        train = read_split(files.train)
        for path, (network, made_from) in zip(files.kept, params.kept.items(), strict=True):
            kept = KeptNetwork.read(path, made_from)
            metrics[str(network)] = kept.restore(folder / str(network), train)
    write_task(target, target.parent.name, grid, metrics)
    with writing(snakemake.output.disagreements) as part:
        folders = (folder / network for network in sorted(metrics, key=int))
        part.write_text("".join(f"{line}\n" for line in pgdl.disagreements(folders)))


jobs.run(snakemake, main)
