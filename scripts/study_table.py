"""Join one table of all tasks of a study."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    tables = []
    for path in map(Path, snakemake.input.tables):
        # As text, so that every number stays as it was written.
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.insert(0, "task", path.parents[1].name)
        tables.append(table)
    with writing(snakemake.output.table) as part:
        pd.concat(tables).to_csv(part, index=False)


jobs.run(snakemake, main)
