"""Tables of a user's own: csv, parquet, arrow or feather; a row is a sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.datasets.layouts import as_numbers
from gengap.datasets.part import Part, listed
from gengap.errors import GengapError

if TYPE_CHECKING:
    import pandas as pd

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
    table = _read(path)
    label, groups = keys["label"], keys.get("groups")
    groups = groups if isinstance(groups, str) else None
    named = [label, *([groups] if groups else []), *(keys.get("features") or [])]
    columns = [str(column) for column in table.columns]
    missing = [name for name in named if name not in columns]
    if missing:
        raise GengapError(f"{path} has no column '{missing[0]}': choose among {listed(columns)}.")
    features = keys.get("features") or [name for name in columns if name not in (label, groups)]
    if not features or label in features:
        raise GengapError(
            f"The inputs of {path} would be the columns {features}: name other 'features' than the "
            "label."
        )
    _check_columns(table, features, path)
    _check_missing(table, [*features, label, *([groups] if groups else [])], path)
    inputs = np.column_stack([_numbers(table[name], name, path) for name in features])
    return Part(
        where,
        as_numbers(inputs, where),
        _labels(table[label]),
        None if groups is None else _labels(table[groups]),
    )


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd  # slow to import

    try:
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path)
        import pyarrow
        from pyarrow import feather, ipc, parquet
    except ImportError as error:
        raise GengapError(
            f"{path} cannot be read without pyarrow: install it, or save the table as csv."
        ) from error
    except (OSError, ValueError) as error:
        raise GengapError(
            f"{path} is no csv file that can be read ({' '.join(str(error).split())}): save the "
            "table again, with commas and a line of names."
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
    numbers: np.ndarray = column.to_numpy(dtype=np.float64)
    rows = np.flatnonzero(~np.isfinite(numbers))
    if rows.size:
        raise GengapError(
            f"The column '{name}' of {path} is infinite in row {listed(rows)}: mend these rows."
        )
    return numbers


def _labels(column: pd.Series[Any]) -> np.ndarray:
    """Return labels or groups without missing values in NumPy's types: texts, integers, floats."""
    from pandas.api import types

    if types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=bool)
    if types.is_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64)
    if types.is_float_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64)
    return np.array([str(value) for value in column])
