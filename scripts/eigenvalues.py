"""Compute eigenvalues of one network's Hessian and its effective dimensionality."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.curvature.report import report
from gengap.datasets import read_split
from gengap.limits import DENSE_LIMIT, LARGEST_EIGENVALUES
from gengap.networks import parameter_count, resolve_device
from gengap.seeding import sequence
from gengap.tasks.outcomes import default_loss
from gengap.tasks.shards import ShardReceipt

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    receipt = ShardReceipt.read(files.receipt)
    network = receipt.network(names.network).to(resolve_device(params.device))
    few = parameter_count(network) <= DENSE_LIMIT
    split = read_split(files.train)
    curvature = report(
        network,
        params.loss or default_loss(split),
        receipt.train(names.network, split),
        top=None if few else LARGEST_EIGENVALUES,
        seed=sequence(params.seed, names.task, names.network, "eigenvalues"),
    )
    curvature.write(snakemake.output.eigenvalues)
    print(curvature.text())


jobs.run(snakemake, main)
