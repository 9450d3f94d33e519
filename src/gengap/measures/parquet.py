"""The table of measures as a Parquet file, for zoos whose CSV has gigabytes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gengap.errors import GengapError
from gengap.files import writing
from gengap.measures.results import COLUMNS

ROWS = 1 << 20
"""Rows that are read, and kept together in the file, at a time."""


def write_parquet(measures: str | Path, path: str | Path) -> None:
    """Write the gathered table of measures as Parquet, in little memory.

    Columns, order of rows and values are those of the CSV file, floats bit for bit: ``value`` is a
    double, everything else text. The file is compressed (Zstandard), and few texts are repeated
    in many rows, so that it takes a fraction of the CSV file.

    Args:
        measures: the CSV file, ``results/<task>/measures.csv``.
        path: the file to write.

    Raises:
        GengapError: pyarrow is not installed, or the file is no table of measures.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise GengapError(
            f"{path} cannot be written without pyarrow: install it (pip install "
            f"'gengap[parquet]'), or read {measures}, which holds the same table."
        ) from error
    kinds = {name: pyarrow.float64() if name == "value" else pyarrow.string() for name in COLUMNS}
    schema = pyarrow.schema(list(kinds.items()))
    try:
        with writing(path) as part, parquet.ParquetWriter(part, schema, compression="zstd") as file:
            for rows in pd.read_csv(
                measures,
                usecols=COLUMNS,
                dtype=dict.fromkeys(COLUMNS, str) | {"value": float},
                keep_default_na=False,
                na_values={"value": [""]},
                chunksize=ROWS,
            ):
                file.write_table(pyarrow.Table.from_pandas(rows, schema, preserve_index=False))
    except ValueError as error:
        raise GengapError(
            f"{measures} is no table of measures ({error}): run the rule measures again."
        ) from error
