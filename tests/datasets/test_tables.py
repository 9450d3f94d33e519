"""Tables: csv, parquet and arrow alike; columns that are no inputs; missing values."""

from __future__ import annotations

import importlib.util
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
        (
            {},
            {"label": "outcome"},
            "has no column 'outcome': choose among 'age', 'smoker', 't",
        ),
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
    (tmp_path / name).write_bytes(b'a,b\n"1,2')
    with pytest.raises(GengapError, match=rf"{name} is no \w+ file that can be read"):
        read_data(tmp_path / name, label="a")


def test_without_pyarrow_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(GengapError, match="without pyarrow: install it, or save the table as csv"):
        read_data(tmp_path / "my.parquet", label="a")


def test_the_test_table_is_read_by_the_names_of_the_training_table(tmp_path: Path) -> None:
    table = frame()[["age", "weight", "target"]]
    table.to_csv(tmp_path / "a.csv", index=False)
    test = table[["target", "weight", "age"]].assign(remark="none")
    test.to_csv(tmp_path / "b.csv", index=False)
    keys = {"from": "a.csv", "test": "b.csv", "label": "target"}
    data = load_own(keys, folder=tmp_path)
    np.testing.assert_array_equal(data.train.inputs, data.test.inputs)
    test.rename(columns={"age": "years"}).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(GengapError, match=r"b\.csv has no column 'age': choose among 'target', "):
        load_own(keys, folder=tmp_path)


@pytest.mark.parametrize("rows", ["1,2,3,0\n4,5,6,1\n", "0,2,3,0\n1,5,6,1\n", "1,2,0,\n4,5,1,\n"])
def test_rows_longer_than_the_line_of_names_are_refused(rows: str, tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("\ufeffa,b,t\n" + rows)
    with pytest.raises(GengapError, match="has 3 names but 4 values in its first row: give each"):
        read_data(tmp_path / "my.csv", label="t")


def test_numbers_that_are_names_are_no_inputs(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("id,t\n1700000001,0\n1700000002,1\n1700000003,0\n")
    with pytest.raises(GengapError, match=r"column 'id' of .*exact up to 16777216 only"):
        read_data(tmp_path / "my.csv", label="t")
    (tmp_path / "my.csv").write_text("id,t\n1700000001.5,0\n1700000002.5,1\n")
    with pytest.raises(GengapError, match=r"column 'id' of .* lie so close together, from 17"):
        read_data(tmp_path / "my.csv", label="t")


def test_digits_that_begin_with_zero_are_texts(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("a,t,g\n1,01,7\n2,1,07\n3,02,7\n4,1,8\n")
    split = read_data(tmp_path / "my.csv", label="t", groups="g")
    assert split.class_names == ("01", "02", "1")
    assert split.labels.tolist() == [0, 2, 1, 2]
    assert split.groups is not None
    assert split.groups.tolist() == [1, 0, 1, 2]
    assert read_data(tmp_path / "my.csv", label="t", target="number").labels.tolist() == [
        1, 1, 2, 1,
    ]  # fmt: skip
    (tmp_path / "my.csv").write_text("a,t\n1,-1\n2,1\n3,1.0\n4,0\n")
    assert read_data(tmp_path / "my.csv", label="t").class_names == ("-1", "0", "1")


def test_arrow_labels_of_every_type(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def read(labels: Any, **keys: Any) -> Any:
        table = pa.table({"a": pa.array([1.0, 2.0]), "t": labels})
        parquet.write_table(table, tmp_path / "my.parquet")
        return read_data(tmp_path / "my.parquet", label="t", **keys)

    assert read(pa.array([b"x", b"\xc3\xa9"])).class_names == ("x", "é")
    assert read(pa.array([11, 2]).dictionary_encode(), classes=[2, 11]).labels.tolist() == [1, 0]
    large = pa.array([0, 2**64 - 1], pa.uint64())
    assert read(large, target="number").labels.tolist() == [0, np.float32(2**64)]
    with pytest.raises(GengapError, match="reach up to 18446744073709551615, beyond what int64"):
        read(large)
    table = pa.Table.from_arrays([pa.array([1.0]), pa.array([1.0])], names=["a", "a"])
    with (
        (tmp_path / "my.arrow").open("wb") as file,
        pa.ipc.new_stream(file, table.schema) as stream,
    ):
        stream.write_table(table)
    with pytest.raises(GengapError, match="several columns 'a': give each its own name"):
        read_data(tmp_path / "my.arrow", label="a")


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    names = ["my.csv"]
    (tmp_path / "my.csv").write_text("a,t\n")
    if importlib.util.find_spec("pyarrow"):
        written(tmp_path / "my.parquet", frame()[:0])
        names.append("my.parquet")
    for name in names:
        with pytest.raises(GengapError, match=rf"{name} holds no rows: give at least one sample"):
            read_data(tmp_path / name, label="t")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_table_of_another_encoding_is_named(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("a,t\n1,é\n2,b\n", encoding=encoding)
    with pytest.raises(GengapError, match=r"my\.csv is not in UTF-8 .*: save the table as UTF-8"):
        read_data(tmp_path / "my.csv", label="t")


def test_spaces_in_names_can_be_seen(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("a, t\n1,0\n2,1\n")
    with pytest.raises(GengapError, match="has no column 't': choose among 'a', ' t'"):
        read_data(tmp_path / "my.csv", label="t")
