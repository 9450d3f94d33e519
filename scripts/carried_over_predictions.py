"""Predict the networks of a study's other tasks from a reference of one."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.studies.prediction.carried_over import carried_over

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    folders = [Path(path).parent for path in snakemake.input.tasks]
    own = Path(snakemake.output.predictions).parents[1]
    table = carried_over(own, [folder for folder in folders if folder != own])
    with writing(snakemake.output.predictions) as part:
        table.to_csv(part, index=False, float_format="%.6g")


jobs.run(snakemake, main)
