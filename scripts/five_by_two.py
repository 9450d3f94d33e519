"""Score the measures of a task by 5x2 cross-validation, as Ballester et al. (2023) do."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import jobs, tasks
from gengap.evaluation import five_by_two
from gengap.evaluation.designs import prepare
from gengap.evaluation.leaderboard import REDUCED
from gengap.files import writing
from gengap.seeding import derive

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    task = tasks.load(Path(snakemake.input.task).parent)
    designs = prepare(
        pd.read_csv(snakemake.input.measures, dtype={"network": str, "component": str}),
        task.gaps(),
        task.hyper_parameters(),
        task.training_outcomes(),
        REDUCED,
        task.gap_of,
    )
    seed = derive(snakemake.params.seed, task.name, "evaluation")
    scores, folds = five_by_two(designs, seed)
    with writing(snakemake.output.scores) as part:
        scores.to_csv(part, index=False)
    with writing(snakemake.output.folds) as part:
        folds.to_csv(part, index=False)


jobs.run(snakemake, main)
