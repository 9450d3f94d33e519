"""Train one network of a zoo."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import read_split
from gengap.tasks import zoo

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    entry = snakemake.params.entry
    zoo.train_network(
        Path(snakemake.output.metrics).parent,
        entry["network"],
        entry["training"],
        entry["point"],
        (read_split(snakemake.input.train), read_split(snakemake.input.test)),
        snakemake.params.seed,
        snakemake.params.device,
    )


jobs.run(snakemake, main)
