"""Draw the persistence diagrams of one network, all draws in one."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import figures, jobs
from gengap.failures import read_failures
from gengap.topology import read_diagrams

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    title = f"network {snakemake.params.network}"
    network = str(snakemake.params.network)
    failures = {entry.network: entry for entry in read_failures(snakemake.input.failed)}
    if failure := failures.get(network):
        figure = figures.left_out(failure.reason, title=title)
    else:
        draws, _ = read_diagrams(snakemake.input.diagrams, network)
        figure = figures.persistence_diagram(draws, title=title)
    for path in snakemake.output:
        figures.save(figure, path)


jobs.run(snakemake, main)
