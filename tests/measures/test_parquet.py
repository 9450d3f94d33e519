"""The table of measures as Parquet: what the CSV has, read by Python's own csv and float."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gengap.errors import GengapError
from gengap.measures import parquet
from gengap.measures.gathering import write_table
from gengap.measures.parquet import write_parquet
from gengap.measures.results import COLUMNS


@pytest.fixture
def measures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        ("zoo", str(network), "norms", name, component, value)
        for network in range(30)
        for name, component, value in (
            ("sum", "0", float(np.exp(30 * rng.normal()))),
            ("none", "007", float(rng.normal())),
            ('nan, "quoted"', "NA", [1e300, np.inf, 0.1 + 0.2][network % 3]),
        )
    ]
    path = tmp_path / "measures.csv"
    write_table(pd.DataFrame(rows, columns=COLUMNS), path)
    return path


def test_parquet_holds_what_the_csv_holds(
    measures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrow = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(parquet, "ROWS", 16)
    write_parquet(measures, tmp_path / "measures.parquet")
    table = arrow.read_table(tmp_path / "measures.parquet")
    with measures.open(newline="") as file:
        expected = list(csv.DictReader(file))
    assert table.column_names == COLUMNS
    assert table.num_rows == len(expected) == 90
    for name in COLUMNS[:-1]:
        assert table[name].to_pylist() == [row[name] for row in expected]
    assert table["value"].to_pylist() == [float(row["value"]) for row in expected]


def test_without_pyarrow_the_remedy_is_said(
    measures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(GengapError, match="without pyarrow: install it"):
        write_parquet(measures, tmp_path / "measures.parquet")
    assert not (tmp_path / "measures.parquet").exists()


def test_another_table_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(GengapError, match="is no table of measures"):
        write_parquet(path, tmp_path / "measures.parquet")
    assert not (tmp_path / "measures.parquet").exists()
