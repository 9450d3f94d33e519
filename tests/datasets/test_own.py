"""Selection, division and transforms of one's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gengap.datasets import Dataset, load_own, read_data, read_split, write_split
from gengap.errors import GengapError

COUNT = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pixels = np.arange(COUNT, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 4, 4, 1), np.uint8)
    labels = np.array(["ant", "bee", "cat"])[np.arange(COUNT) % 3]
    np.savez(tmp_path / "my.npz", inputs=pixels, labels=labels)
    return tmp_path


def loaded(folder: Path, *, seed: int = 0, **keys: Any) -> Dataset:
    return load_own({"from": "my.npz", "layout": "NHWC", **keys}, seed=seed, folder=folder)


def rows_of(data: Dataset) -> tuple[list[int], list[int]]:
    train, test = (
        np.round(split.inputs[:, 0, 0, 0] * 255).astype(int).tolist()
        for split in (data.train, data.test)
    )
    return train, test


@pytest.mark.parametrize(
    ("keys", "sizes"),
    [
        ({}, (48, 12)),
        ({"test_size": 0.25}, (45, 15)),
        ({"test_size": 10}, (50, 10)),
        ({"test_size": 10.0}, (50, 10)),
        ({"train_size": 20}, (20, 40)),
        ({"train_size": 20, "test_size": 0.1}, (20, 6)),
    ],
)
def test_a_pool_is_divided(keys: dict[str, Any], sizes: tuple[int, int], folder: Path) -> None:
    train, test = rows_of(loaded(folder, **keys))
    assert (len(train), len(test)) == sizes
    assert len(set(train) | set(test)) == sum(sizes)
    assert rows_of(loaded(folder, **keys)) == (train, test)
    assert rows_of(loaded(folder, seed=1, **keys)) != (train, test)


def test_labels_and_names_follow_their_inputs(folder: Path) -> None:
    data = loaded(folder)
    np.testing.assert_array_equal(data.train.labels, np.array(rows_of(data)[0]) % 3)
    assert data.train.class_names == ("ant", "bee", "cat")
    write_split(data.train, folder / "train.safetensors")
    assert read_split(folder / "train.safetensors").class_names == ("ant", "bee", "cat")


def test_classes_and_groups_of_labels_and_balance(folder: Path) -> None:
    data = loaded(folder, classes=["cat", "ant"], balanced=True, train_size=11)
    assert data.train.class_names == ("cat", "ant")
    assert abs(int((data.train.labels == 0).sum()) - int((data.train.labels == 1).sum())) == 1
    assert all(row % 3 != 1 for row in rows_of(data)[0])
    grouped = loaded(folder, groups=[["ant", 2], ["bee"]])
    assert grouped.train.class_names == ("ant+cat", "bee")
    np.testing.assert_array_equal(grouped.train.labels, np.array(rows_of(grouped)[0]) % 3 == 1)


def test_the_split_does_not_depend_on_the_place_of_the_file(folder: Path) -> None:
    other = folder / "elsewhere"
    other.mkdir()
    (other / "my.npz").write_bytes((folder / "my.npz").read_bytes())
    assert rows_of(loaded(folder)) == rows_of(loaded(other))


def test_transforms_apply(folder: Path) -> None:
    data = loaded(folder, transforms=[{"name": "resize", "size": 2}, {"name": "normalise"}])
    assert data.input_shape == (2, 2, 1)
    np.testing.assert_allclose(data.train.inputs.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(data.train.inputs.std(), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"test_size": 60}, "has 60 samples, which do not make"),
        ({"test_size": 1.5}, "test_size=1.5 of dataset my.npz must be a whole number"),
        ({"train_size": 0}, "train_size=0 of dataset my.npz must be"),
        ({"classes": ["ant", "dog"]}, "has no class 'dog'"),
        ({"classes": ["ant"]}, "do not make two classes"),
        ({"groups": [["ant"], ["bee", "ant"]]}, "do not make two classes"),
        ({"groups": [["ant"], []]}, "do not make two classes"),
        ({"classes": [0, 1], "groups": [[0], [1]]}, "both classes and groups of labels"),
        ({"label": "y"}, "which has no key 'label'"),
        ({"name": "digits"}, "both 'name' and 'from'"),
    ],
)
def test_keys_that_make_no_dataset_are_refused(
    keys: dict[str, Any], sentence: str, folder: Path
) -> None:
    with pytest.raises(GengapError, match=sentence):
        loaded(folder, **keys)


def test_a_class_that_is_missing_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    loaded(folder, train_size=2, test_size=40)
    assert "my.npz: no training sample of class" in caplog.text


def test_tokens_take_no_transforms(folder: Path) -> None:
    np.savez(folder / "my.npz", inputs=np.arange(40).reshape(20, 2), labels=np.arange(20) % 2)
    keys = {"from": "my.npz", "kind": "tokens"}
    assert load_own(keys, folder=folder).train.kind == "tokens"
    with pytest.raises(GengapError, match="holds tokens: leave them out"):
        load_own({**keys, "transforms": [{"name": "normalise"}]}, folder=folder)


def test_a_function_is_no_file_to_read(folder: Path) -> None:
    (folder / "my.py").write_text("def make(): ...\n")
    with pytest.raises(GengapError, match="names a function, not a file"):
        read_data(f"{folder}/my.py:make")
    with pytest.raises(GengapError, match=r"read_data .* has no key 'lable'"):
        read_data(folder / "my.npz", lable="y")
