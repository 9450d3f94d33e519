"""Compute the statistics of the gap: the leaderboard of a task's measures and its tables."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import jobs, tasks
from gengap.evaluation import evaluate
from gengap.seeding import derive

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def read(path: str) -> pd.DataFrame:
    # Few texts in many rows: as categories they take a byte or two each.
    texts = ("task", "network", "family", "measure", "component")
    return pd.read_csv(path, dtype=dict.fromkeys(texts, "category"))


def main() -> None:
    task = tasks.load(Path(snakemake.input.task).parent)
    params = snakemake.params
    evaluation = evaluate(
        read(snakemake.input.measures),
        task.gaps(),
        task.hyper_parameters(),
        training_accuracy=task.training_outcomes(),
        draws=task.data_draws(),
        gap_errors=task.gap_errors(),
        standard_errors=read(snakemake.input.errors),
        leave_out=task.left_out(params.unfit),
        correlate_within=params.correlate_within,
        rank_within=params.rank_within,
        resamples=params.bootstrap_resamples,
        permutations=params.permutations,
        seed=derive(params.seed, task.name, "evaluation"),
        gap_of=task.gap_of,
    )
    evaluation.write(Path(snakemake.output.ols).parent)


jobs.run(snakemake, main)
