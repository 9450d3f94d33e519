"""Tables of a user's own: csv, parquet, arrow or feather; a row is a sample."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.datasets.layouts import as_numbers
from gengap.datasets.part import Part, listed
from gengap.errors import GengapError

if TYPE_CHECKING:
    import pandas as pd

LEADING_ZERO = r"\s*[+-]?0\d+\s*"
"""Digits that are a text, such as a postcode: as a number, 01 would be the same as 1."""

UNNAMED = "Unnamed: "
"""How pandas calls columns of a csv file that have no name, such as a saved index."""


def read_rows(path: Path, where: str, keys: Mapping[str, Any]) -> Part:
    """Read the rows of a table.

    Args:
        path: .csv, .parquet, .arrow or .feather.
        where: the file, for messages.
        keys: of the dataset: ``label``, and where they are given ``features`` and the name of a
            column ``groups``.

    Returns:
        Vectors (n, d) of the features, in their order in the list or else in the table.

    Raises:
        GengapError: the file is damaged, a column is missing or holds no numbers, or values are
            missing.
    """
    label, groups = keys["label"], keys.get("groups")
    of_rows = [label, groups] if isinstance(groups, str) else [label]
    # The labels 01 and 1 are two classes, but the same number.
    as_written = of_rows[1:] if keys.get("target") == "number" else of_rows
    table = _read(path, as_written)
    columns = list(table.columns)
    missing = [name for name in [*of_rows, *(keys.get("features") or [])] if name not in columns]
    if missing:
        raise GengapError(
            f"{path} has no column {missing[0]!r}: choose among {listed(map(repr, columns))}."
        )
    features = keys.get("features") or [name for name in columns if name not in of_rows]
    if not features or label in features:
        raise GengapError(
            f"The inputs of {path} would be the columns {features}: name other 'features' than the "
            "label."
        )
    _check_columns(table, features, path)
    _check_missing(table, [*features, *of_rows], path)
    return Part(
        where,
        np.column_stack([_numbers(table[name], name, path) for name in features]),
        _values(table[label]),
        _values(table[groups]) if groups in of_rows else None,
        features=tuple(features),
    )


def _read(path: Path, as_written: list[str]) -> pd.DataFrame:
    """Read a table of at least one row; ``as_written`` are columns whose values may be texts."""
    table = _read_csv(path, as_written) if path.suffix.lower() == ".csv" else _read_arrow(path)
    columns = [str(column) for column in table.columns]
    table.columns = columns
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise GengapError(f"{path} has several columns {twice[0]!r}: give each its own name.")
    if not len(table):
        raise GengapError(f"{path} holds no rows: give at least one sample.")
    return table


def _read_csv(path: Path, as_written: list[str]) -> pd.DataFrame:
    import pandas as pd  # slow to import

    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = (line for line in csv.reader(stream) if line)
            names, first = next(lines, []), next(lines, [])
        table = pd.read_csv(path, dtype=dict.fromkeys(as_written, str))
    except UnicodeDecodeError as error:
        raise GengapError(f"{path} is not in UTF-8 ({error}): save the table as UTF-8.") from error
    except (OSError, ValueError, csv.Error) as error:
        raise GengapError(
            f"{path} is no csv file that can be read ({' '.join(str(error).split())}): save the "
            "table again, with commas and a line of names."
        ) from error
    if len(first) > len(names):
        raise GengapError(
            f"{path} has {len(names)} names but {len(first)} values in its first row: give each "
            "column one name, and end no line with a comma."
        )
    for name in as_written:
        if name in table:
            table[name] = _inferred(table[name])
    return table


def _inferred(texts: pd.Series[Any]) -> pd.Series[Any]:
    """Return the texts of a csv file as numbers where this makes no two of them the same."""
    import pandas as pd

    if texts.isna().any() or texts.str.fullmatch(LEADING_ZERO).any():
        return texts
    if texts.isin(("True", "False")).all():
        return texts == "True"
    try:
        numbers: pd.Series[Any] = pd.to_numeric(texts)
    except ValueError:
        return texts
    # Integers too large for NumPy stay objects.
    return texts if numbers.dtype == object else numbers


def _read_arrow(path: Path) -> pd.DataFrame:
    try:
        import pyarrow
        from pyarrow import feather, ipc, parquet
    except ImportError as error:
        raise GengapError(
            f"{path} cannot be read without pyarrow: install it, or save the table as csv."
        ) from error
    try:
        if path.suffix.lower() == ".parquet":
            return _frame(parquet.read_table(path))
        with path.open("rb") as stream:
            if stream.read(6) == b"ARROW1":
                return _frame(feather.read_table(path))
            stream.seek(0)
            return _frame(ipc.open_stream(stream).read_all())
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise GengapError(
            f"{path} is no {path.suffix[1:]} file that can be read "
            f"({' '.join(str(error).split())}): save the table again."
        ) from error


def _frame(table: Any) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _check_columns(table: pd.DataFrame, features: list[str], path: Path) -> None:
    from pandas.api import types

    unnamed = [name for name in features if name.startswith(UNNAMED)]
    if unnamed:
        raise GengapError(
            f"Column {unnamed[0].removeprefix(UNNAMED)} of {path}, counted from 0, has no name "
            "(a saved index, perhaps): save the table with index=False, or list 'features'."
        )
    other = [name for name in features if not types.is_numeric_dtype(table[name].dtype)]
    if other:
        raise GengapError(
            f"{path} has columns that are no numbers ({listed(other)}): encode them as numbers, or "
            "leave them out by listing 'features'."
        )


def _check_missing(table: pd.DataFrame, columns: list[str], path: Path) -> None:
    gaps = table[columns].isna()
    if gaps.to_numpy().any():
        rows = np.flatnonzero(gaps.any(axis=1).to_numpy())
        where = [name for name in columns if gaps[name].any()]
        raise GengapError(
            f"{path} has missing values in {len(rows)} rows ({listed(rows)}, counted from 0) of "
            f"the columns {listed(where)}: remove these rows, or fill in the values."
        )


def _numbers(column: pd.Series[Any], name: str, path: Path) -> np.ndarray:
    if column.dtype.kind == "c":
        raise GengapError(f"The column '{name}' of {path} holds complex numbers: split it in two.")
    numbers = _values(column)
    rows = np.flatnonzero(~np.isfinite(numbers))
    if rows.size:
        raise GengapError(
            f"The column '{name}' of {path} is infinite in row {listed(rows)}: mend these rows."
        )
    return as_numbers(numbers[:, np.newaxis], f"the column '{name}' of {path}")


def _values(column: pd.Series[Any]) -> np.ndarray:
    """Return a column without missing values in a type of NumPy: numbers, texts or bytes."""
    import pandas as pd
    from pandas.api import types

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.dtype.categories.dtype)
    if types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=bool)
    if types.is_unsigned_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.uint64)
    if types.is_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64)
    if types.is_float_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64)
    if all(isinstance(value, bytes) for value in column):
        return np.array(list(column))
    return np.array([str(value) for value in column])
