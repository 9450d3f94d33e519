"""Compute R2 of the configured feature sets, and test every pair of them."""

from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import jobs
from gengap.evaluation import compare_feature_sets
from gengap.files import writing

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    table, tests = compare_feature_sets(
        pd.read_csv(snakemake.input.scores),
        pd.read_csv(snakemake.input.folds),
        snakemake.params.feature_sets,
    )
    with writing(snakemake.output.feature_sets) as part:
        table.to_csv(part, index=False)
    with writing(snakemake.output.tests) as part:
        tests.to_csv(part, index=False)


jobs.run(snakemake, main)
