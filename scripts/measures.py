"""Gather the measures of all networks and the list of networks that failed; write the recipe."""

import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.failures import read_failures
from gengap.files import writing
from gengap.measures.gathering import gather, write_table
from gengap.measures.kept_networks import KeptNetwork
from gengap.measures.shards import ShardMeasures
from gengap.names import STAGED_FAMILY

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, families = snakemake.input, snakemake.params.families
    shards = [ShardMeasures.read(path) for path in files.receipts]
    tables: list[Path | StringIO] = [Path(path) for path in files.summaries]
    tables += [shard.table(name) for name in families for shard in shards]
    for path, (network, made_from) in zip(files.kept, snakemake.params.kept.items(), strict=True):
        kept = KeptNetwork.read(path, made_from)
        task = snakemake.wildcards.task
        staged = [STAGED_FAMILY] * (STAGED_FAMILY in made_from["families"])
        tables += [kept.table(name, task, str(network)) for name in (*staged, *families)]
    failures = [failure for path in files.failed for failure in read_failures(path)]
    failures += [one for name in families for shard in shards for one in shard.failures(name)]
    gathered = gather(tables, failures)
    for name, table in gathered.items():
        write_table(table, snakemake.output[name])
    with writing(snakemake.output.recipe) as part:
        part.write_text(json.dumps(snakemake.params.recipe, indent=1) + "\n", encoding="utf-8")


jobs.run(snakemake, main)
