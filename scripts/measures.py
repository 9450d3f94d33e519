"""Gather the measures of all networks and the list of networks that failed; write the recipe."""

import json
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.failures import read_failures
from gengap.files import writing
from gengap.measures.gathering import gather, write_table
from gengap.measures.shards import ShardMeasures

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, families = snakemake.input, snakemake.params.families
    shards = [ShardMeasures.read(path) for path in files.receipts]
    tables = [*files.summaries, *(shard.table(name) for name in families for shard in shards)]
    failures = [failure for path in files.failed for failure in read_failures(path)]
    failures += [one for name in families for shard in shards for one in shard.failures(name)]
    gathered = gather(tables, failures)
    for name, table in gathered.items():
        write_table(table, snakemake.output[name])
    with writing(snakemake.output.recipe) as part:
        part.write_text(json.dumps(snakemake.params.recipe, indent=1) + "\n", encoding="utf-8")


jobs.run(snakemake, main)
