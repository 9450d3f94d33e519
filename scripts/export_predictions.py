"""Write the predictions of a task as a .predict file of the PGDL competition."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import jobs
from gengap.prediction import export_predictions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    table = pd.read_csv(snakemake.input.predictions, dtype={"network": str})
    folder = Path(snakemake.input.task).parent
    export_predictions(table, folder, Path(snakemake.output.file).parent)


jobs.run(snakemake, main)
