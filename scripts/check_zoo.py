"""Check that every network of a zoo can be built and trained, before the first one is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import read_split
from gengap.files import writing
from gengap.tasks import zoo
from gengap.tasks.outcomes import check_gap

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    data = read_split(snakemake.input.train)
    check_gap(snakemake.params.gap, data)
    # Replicates are built alike, so one of them is enough.
    for entry in snakemake.params.networks:
        if entry["point"]["replicate"] == 0:
            zoo.check(entry["network"], entry["training"], data)
    with writing(Path(snakemake.output.plan)) as part:
        part.write_text(json.dumps(snakemake.params.networks, indent=1) + "\n")


jobs.run(snakemake, main)
