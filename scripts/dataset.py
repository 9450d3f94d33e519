"""Read or download a task's dataset and write its training and test split."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import datasets, jobs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    keys, seed = dict(snakemake.params.dataset), snakemake.params.seed
    if "from" in keys:
        data = datasets.load_own(keys, seed=seed)
    else:
        data_dir = snakemake.params.data_dir
        data = datasets.load(keys.pop("name"), data_dir=data_dir, seed=seed, **keys)
    draw = snakemake.params.draw
    if draw:
        # A pool that is too small for its draws is refused before anything is trained.
        datasets.draw_rows(data.train, replicate=0, seed=seed, **draw)
    datasets.write_split(data.train, snakemake.output.train, source=data.source)
    datasets.write_split(data.test, snakemake.output.test, source=data.source)


jobs.run(snakemake, main)
