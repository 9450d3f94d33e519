"""Cross-validate the training recipes of some of a zoo's networks."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.studies.prediction.recipe_folds import cross_validated_recipes
from gengap.tasks import load

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task = load(Path(snakemake.input.task).parent)
    table = cross_validated_recipes(task, snakemake.params.entries)
    with writing(snakemake.output.recipes) as part:
        table.to_csv(part, index=False, float_format="%.6g")


jobs.run(snakemake, main)
