"""Eigenvalues of one network's Hessian, all or the outermost, and its effective dimensionality."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.curvature.report import report
from gengap.curvature.spectra import DENSE_LIMIT
from gengap.datasets import read_split
from gengap.networks import resolve_device
from gengap.seeding import derive
from gengap.tasks.folder import read_network, with_labels

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

TOP = 100
"""Largest eigenvalues of a network that is too large for all of them."""


def main() -> None:
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    network = read_network(files.config, files.weights).to(resolve_device(params.device))
    few = sum(weight.numel() for weight in network.parameters()) <= DENSE_LIMIT
    found = report(
        network,
        params.loss,
        with_labels(read_split(files.train), files.labels),
        top=None if few else TOP,
        seed=derive(params.seed, names.task, names.network, "eigenvalues"),
    )
    found.write(snakemake.output.eigenvalues)
    print(found.text())


jobs.run(snakemake, main)
