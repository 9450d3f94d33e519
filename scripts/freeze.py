"""Freeze an evaluated task into a reference that predicts other networks."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.prediction import freeze

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    freeze(Path(snakemake.input.task).parent).save(snakemake.output.reference)


jobs.run(snakemake, main)
