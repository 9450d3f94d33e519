"""Compute one family of measures for one network."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.datasets import read_split
from gengap.files import writing
from gengap.measures import Subject, compute, tidy, to_frame
from gengap.networks import resolve_device
from gengap.seeding import generator
from gengap.tasks.folder import read_network, with_labels

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files, names = snakemake.input, snakemake.wildcards
    device = resolve_device(snakemake.params.device)
    subject = Subject(
        read_network(files.config, files.weights).to(device),
        read_network(files.config, files.initial).to(device),
        with_labels(read_split(files.train), files.labels),
        generator(snakemake.params.seed, names.task, names.network, names.family),
    )
    values = compute(snakemake.params.family, subject)
    with writing(snakemake.output.table) as part:
        table = tidy(to_frame(values), names.task, names.network, names.family)
        table.to_csv(part, index=False)


jobs.run(snakemake, main)
