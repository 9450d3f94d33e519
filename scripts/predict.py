"""Predict the gaps of a task's networks from a reference."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.prediction import Reference, predict_task

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    files = snakemake.input
    table = predict_task(Path(files.task).parent, Reference.load(files.reference))
    with writing(snakemake.output.table) as part:
        table.to_csv(part, index=False)


jobs.run(snakemake, main)
