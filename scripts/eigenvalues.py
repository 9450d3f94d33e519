"""The largest eigenvalues of one network's Hessian, and its effective dimensionality."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.curvature.checkpoint import report
from gengap.datasets import read_split
from gengap.networks import choose
from gengap.seeding import derive
from gengap.tasks.folder import read_network, with_labels

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    found = report(
        read_network(files.config, files.weights).to(choose(params.device)),
        params.loss,
        with_labels(read_split(files.train), files.labels),
        seed=derive(params.seed, names.task, names.network, "eigenvalues"),
    )
    found.write(snakemake.output.eigenvalues)
    print(found.text())


jobs.run(snakemake, main)
