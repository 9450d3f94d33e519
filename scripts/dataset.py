"""Read or download a task's dataset and write its training and test split."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import datasets, jobs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    keys = dict(snakemake.params.dataset)
    data = datasets.load(
        keys.pop("name"), data_dir=snakemake.params.data_dir, seed=snakemake.params.seed, **keys
    )
    datasets.write_split(data.train, snakemake.output.train)
    datasets.write_split(data.test, snakemake.output.test)


jobs.run(snakemake, main)
