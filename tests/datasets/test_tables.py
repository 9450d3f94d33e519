"""Tables: csv, parquet and arrow alike; columns that are no inputs; missing values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gengap.datasets import load_own, read_data
from gengap.errors import GengapError

ROWS = 30


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(20, 90, ROWS),
            "smoker": rng.random(ROWS) < 0.5,
            "target": np.where(np.arange(ROWS) % 3 == 0, "ill", "well"),
            "weight": rng.random(ROWS),
            "patient": np.arange(ROWS) // 3,
        }
    )


def written(path: Path, table: pd.DataFrame) -> Path:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
        return path
    pa = pytest.importorskip("pyarrow")
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.name == "stream.arrow":
        content = pa.Table.from_pandas(table)
        with path.open("wb") as file, pa.ipc.new_stream(file, content.schema) as stream:
            stream.write_table(content)
    else:
        table.to_feather(path)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.feather", "t.arrow", "stream.arrow"])
def test_every_kind_of_table_gives_the_same(name: str, tmp_path: Path) -> None:
    table = frame()
    split = read_data(written(tmp_path / name, table), label="target", groups="patient")
    np.testing.assert_array_equal(
        split.inputs, table[["age", "smoker", "weight"]].to_numpy(np.float64).astype(np.float32)
    )
    assert split.class_names == ("ill", "well")
    np.testing.assert_array_equal(split.labels, (table["target"] == "well").astype(int))
    assert split.groups is not None
    np.testing.assert_array_equal(split.groups, table["patient"])


def test_rows_of_a_group_stay_on_one_side(tmp_path: Path) -> None:
    written(tmp_path / "my.csv", frame())
    keys = {"from": "my.csv", "label": "target", "test_size": 0.2, "groups": "patient"}
    first = load_own(keys, seed=1, folder=tmp_path)
    assert first.train.groups is not None
    assert first.test.groups is not None
    assert not set(first.train.groups.tolist()) & set(first.test.groups.tolist())
    assert (len(first.train.labels), len(first.test.labels)) == (24, 6)
    again, other = (load_own(keys, seed=seed, folder=tmp_path) for seed in (1, 2))
    np.testing.assert_array_equal(first.test.inputs, again.test.inputs)
    assert other.test.groups is not None
    assert set(first.test.groups.tolist()) != set(other.test.groups.tolist())


def test_a_test_table_of_its_own_must_not_share_groups(tmp_path: Path) -> None:
    table = frame()
    written(tmp_path / "a.csv", table[:21])
    written(tmp_path / "b.csv", table[21:])
    keys = {"from": "a.csv", "test": "b.csv", "label": "target", "groups": "patient"}
    assert len(load_own(keys, folder=tmp_path).test.labels) == 9
    written(tmp_path / "b.csv", table[20:])
    with pytest.raises(GengapError, match=r"share 1 of 10 groups \(6\): divide the rows"):
        load_own(keys, folder=tmp_path)


def test_numbers_are_targets_where_it_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "my.csv", frame())
    keys = {"label": "weight", "features": ["smoker", "age"]}
    with pytest.raises(GengapError, match=r"hold fractions such as .*: say 'target: number'"):
        read_data(path, **keys)
    split = read_data(path, target="number", **keys)
    assert split.has_numbers
    np.testing.assert_array_equal(split.labels, frame()["weight"].astype(np.float32))
    np.testing.assert_array_equal(split.inputs[:, 1], frame()["age"])
    data = load_own({"from": str(path), "target": "number", **keys}, folder=tmp_path)
    assert data.classes == 0
    with pytest.raises(GengapError, match=r"labels of .* are numbers.*leave 'balanced' out"):
        load_own({"from": str(path), "target": "number", "balanced": True, **keys})


@pytest.mark.parametrize(
    ("change", "keys", "sentence"),
    [
        ({}, {"label": "outcome"}, "has no column 'outcome': choose among age, smoker, target"),
        ({}, {"groups": "ward"}, "has no column 'ward'"),
        ({}, {"features": ["size"]}, "has no column 'size'"),
        ({}, {"features": ["age", "target"]}, "name other 'features' than the label"),
        ({"city": ["Bath"] * ROWS}, {}, r"columns that are no numbers \(city\): encode them"),
        ({"age": [None] + [1.0] * (ROWS - 1)}, {}, r"in 1 rows \(0, .*of the columns age"),
        ({"target": ["ill"] * (ROWS - 2) + [None] * 2}, {}, r"2 rows \(28, 29, .*columns target"),
        ({"age": [np.inf] + [1.0] * (ROWS - 1)}, {}, "'age' of .* is infinite in row 0"),
        ({"age": [1e300] * ROWS}, {}, "too large for float32 in row 0, 1"),
    ],
)
def test_columns_that_cannot_be_used_are_named(
    change: dict[str, Any], keys: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "my.csv", frame().assign(**change))
    with pytest.raises(GengapError, match=sentence):
        read_data(path, **({"label": "target"} | keys))


def test_a_saved_index_is_no_input(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "my.csv")
    with pytest.raises(GengapError, match=r"Column 0 of .*my\.csv.*has no name.*index=False"):
        read_data(tmp_path / "my.csv", label="target")


@pytest.mark.parametrize("name", ["my.csv", "my.parquet", "my.arrow"])
def test_a_broken_table_is_named(name: str, tmp_path: Path) -> None:
    if name != "my.csv":
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(b'a,b\n"\xff\xfe')
    with pytest.raises(GengapError, match=rf"{name} is no \w+ file that can be read"):
        read_data(tmp_path / name, label="a")


def test_without_pyarrow_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(GengapError, match="without pyarrow: install it, or save the table as csv"):
        read_data(tmp_path / "my.parquet", label="a")
