"""Read or download a task's dataset and write its training and test split."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import datasets, jobs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    params, output = snakemake.params, snakemake.output
    train, test, source = datasets.load_described(
        params.dataset, data_dir=params.data_dir, seed=params.seed
    )
    if params.draw:
        # A pool that is too small for its draws is refused before anything is trained.
        datasets.draw_rows(train, replicate=0, seed=params.seed, **params.draw)
    datasets.write_split(train, output.train, source=source)
    if test is None:
        datasets.write_no_split(output.test)
    else:
        datasets.write_split(test, output.test, source=source)


jobs.run(snakemake, main)
