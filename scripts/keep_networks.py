"""Write a file for each network that was measured, from which it need not be measured again."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
import gengap
from gengap import jobs
from gengap.failures import read_failures
from gengap.files import read_json
from gengap.measures.kept_networks import KeptNetwork, rows_by_network
from gengap.measures.shards import ShardMeasures
from gengap.names import STAGED_FAMILY
from gengap.planning.kept_networks import kept_file
from gengap.tasks.folder import MAKE_AGAIN
from gengap.tasks.pgdl import RECOMPUTED_FILE
from gengap.tasks.shards import ShardReceipt

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, params = snakemake.input, snakemake.params
    folder = Path(snakemake.output.kept)
    folder.mkdir(parents=True)
    made_by = {"gengap": gengap.__version__, "code": params.code}
    shards = [ShardMeasures.read(path) for path in files.measures]
    tables = {STAGED_FAMILY: list(files.summaries)} if files.summaries else {}
    tables |= {name: [shard.table(name) for shard in shards] for name in params.families}
    failures = [failure for path in files.failed for failure in read_failures(path)]
    failures += [
        one for name in params.families for shard in shards for one in shard.failures(name)
    ]
    failed = {failure.network for failure in failures}
    rows = {
        family: {network: text for path in paths for network, text in rows_by_network(path).items()}
        for family, paths in tables.items()
    }
    for receipt in map(ShardReceipt.read, files.networks):
        for network in receipt.networks:
            if network in failed:
                continue
            metrics = read_json(receipt.file(network, "metrics.json"), MAKE_AGAIN)
            recomputed = read_json(receipt.file(network, RECOMPUTED_FILE), MAKE_AGAIN)
            made_from = params.made[int(network)]
            own = {family: of_networks[network] for family, of_networks in rows.items()}
            kept = KeptNetwork(made_from, made_by, metrics, recomputed, own)
            kept.write(folder / kept_file(made_from))


jobs.run(snakemake, main)
