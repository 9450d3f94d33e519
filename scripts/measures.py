"""Gather the measures of all networks and the list of networks that failed; write the recipe."""

import json
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.failures import read_failures
from gengap.files import writing
from gengap.measures.gathering import gather

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    failures = [failure for path in snakemake.input.failed for failure in read_failures(path)]
    gathered = gather(snakemake.input.tables, failures)
    for name, table in gathered.items():
        with writing(snakemake.output[name]) as part:
            table.to_csv(part, index=False)
    with writing(snakemake.output.recipe) as part:
        part.write_text(json.dumps(snakemake.params.recipe, indent=1) + "\n", encoding="utf-8")


jobs.run(snakemake, main)
