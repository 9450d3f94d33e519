"""Predict networks that are left out of a task from the others."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.prediction.reference import measured_networks
from gengap.studies.prediction.left_out import left_out

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    table = left_out(measured_networks(Path(snakemake.input.task).parent))
    with writing(snakemake.output.predictions) as part:
        table.to_csv(part, index=False, float_format="%.6g")


jobs.run(snakemake, main)
