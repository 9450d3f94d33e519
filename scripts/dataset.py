"""Read or download a task's dataset and write its training and test split."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import datasets, jobs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    keys, seed = dict(snakemake.params.dataset), snakemake.params.seed
    data_dir, train, test = snakemake.params.data_dir, snakemake.output.train, snakemake.output.test
    if keys["test_size"] == 0:
        del keys["test_size"]
        split, source = (
            datasets.load_own_training(keys, seed=seed)
            if "from" in keys
            else datasets.load_training(keys.pop("name"), data_dir=data_dir, seed=seed, **keys)
        )
        datasets.write_split(split, train, source=source)
        datasets.write_no_split(test)
        return
    if "from" in keys:
        data = datasets.load_own(keys, seed=seed)
    else:
        data = datasets.load(keys.pop("name"), data_dir=data_dir, seed=seed, **keys)
    draw = snakemake.params.draw
    if draw:
        # A pool that is too small for its draws is refused before anything is trained.
        datasets.draw_rows(data.train, replicate=0, seed=seed, **draw)
    datasets.write_split(data.train, train, source=data.source)
    datasets.write_split(data.test, test, source=data.source)


jobs.run(snakemake, main)
