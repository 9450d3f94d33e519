"""Fetch the official files of a dataset, or check that data_dir has them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import load
from gengap.files import writing

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    name = snakemake.wildcards.dataset
    data = load(name, data_dir=snakemake.params.data_dir, seed=0)
    sizes = {"train": len(data.train.labels), "test": len(data.test.labels)}
    with writing(Path(snakemake.output.receipt)) as part:
        part.write_text(json.dumps({"name": name, **sizes}) + "\n", encoding="utf-8")


jobs.run(snakemake, main)
