"""Selection, division and transforms of one's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gengap.datasets import (
    Dataset,
    Split,
    load_own,
    load_own_training,
    read_data,
    read_split,
    read_split_or_none,
    write_no_split,
    write_split,
)
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
        ({"test_size": 60}, "has 60 samples, of which test_size=60 leaves none for training"),
        ({"test_size": 1.5}, "test_size=1.5 of dataset my.npz must be a whole number"),
        ({"test_size": 1.0}, r"test_size=1\.0 of dataset my\.npz may be one sample or all"),
        ({"train_size": 0}, "train_size=0 of dataset my.npz must be"),
        ({"test_size": 0.999}, r"60 samples, of which test_size=0\.999 leaves none for training"),
        ({"train_size": 60}, "60 samples, of which train_size=60 leaves none for the test data"),
        ({"classes": ["ant", "dog"]}, "has no class 'dog'"),
        ({"classes": ["ant"]}, "do not make two classes"),
        ({"groups": [["ant"], ["bee", "ant"]]}, "do not make two classes"),
        ({"groups": [["ant"], []]}, "do not make two classes"),
        ({"classes": [0, 1], "groups": [[0], [1]]}, "both classes and groups of labels"),
        ({"label": "y"}, "which has no key 'label'"),
        ({"name": "digits"}, "both 'name' and 'from'"),
        ({"from": None, "name": "digits"}, "has no key 'from': give a folder"),
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
    with pytest.raises(GengapError, match="has no use for 'train_size'"):
        read_data(folder / "my.npz", layout="NHWC", train_size=3)


X = np.random.default_rng(0).random((20, 3)).astype(np.float32)
Y = np.arange(20) % 2


def written(folder: Path, name: str, labels: Any, classes: int, *names: str) -> Path:
    write_split(Split(X, labels, classes, class_names=names), folder / name)
    return folder / name


def test_classes_of_two_splits_are_matched_by_name(tmp_path: Path) -> None:
    written(tmp_path, "train.safetensors", Y, 2, "cat", "dog")
    keys = {"from": "train.safetensors", "test": "test.safetensors"}
    written(tmp_path, "test.safetensors", Y, 2, "dog", "cat")
    np.testing.assert_array_equal(load_own(keys, folder=tmp_path).test.labels, 1 - Y)
    written(tmp_path, "test.safetensors", Y + 1, 3, "ant", "cat", "dog")
    np.testing.assert_array_equal(load_own(keys, folder=tmp_path).test.labels, Y)
    selected = load_own({**keys, "classes": ["dog", "cat"]}, folder=tmp_path)
    np.testing.assert_array_equal(selected.train.labels, 1 - Y)
    np.testing.assert_array_equal(selected.test.labels, 1 - Y)
    written(tmp_path, "test.safetensors", Y, 3, "ant", "cat", "dog")
    with pytest.raises(GengapError, match=r"holds the class 'ant', which the training data do not"):
        load_own(keys, folder=tmp_path)
    np.savez(tmp_path / "test.npz", inputs=X, labels=np.where(Y, "cat", "dog"))
    data = load_own({**keys, "test": "test.npz"}, folder=tmp_path)
    np.testing.assert_array_equal(data.test.labels, 1 - Y)


def test_classes_that_were_numbered_are_matched_by_their_old_numbers(tmp_path: Path) -> None:
    written(tmp_path, "named.safetensors", Y, 2, "1", "2")
    np.savez(tmp_path / "plain.npz", inputs=X, labels=2 - Y)
    for train, test in (("named.safetensors", "plain.npz"), ("plain.npz", "named.safetensors")):
        data = load_own({"from": train, "test": test}, folder=tmp_path)
        np.testing.assert_array_equal(data.test.labels, 1 - data.train.labels)
        assert data.train.class_names == ("1", "2")


def test_classes_without_names_must_be_as_many(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path, "train.safetensors", Y, 2)
    keys = {"from": "train.safetensors", "test": "test.safetensors"}
    written(tmp_path, "test.safetensors", Y, 3)
    with pytest.raises(GengapError, match=r"test.* has 3 classes and train.* has 2: give both"):
        load_own(keys, folder=tmp_path)
    written(tmp_path, "test.safetensors", Y, 2, "cat", "dog")
    np.testing.assert_array_equal(load_own(keys, folder=tmp_path).test.labels, Y)
    assert "one alone has names of classes (cat, dog); they are taken in this order" in caplog.text
    with pytest.raises(GengapError, match="share a name, so give each its own"):
        written(tmp_path, "test.safetensors", Y, 2, "cat", "cat")


def test_numbers_and_classes_do_not_belong_together(tmp_path: Path) -> None:
    written(tmp_path, "n.safetensors", X[:, 0].copy(), 0)
    written(tmp_path, "c.safetensors", Y, 2)
    np.savez(tmp_path / "texts.npz", inputs=X, labels=np.where(Y, "cat", "dog"))
    np.savez(tmp_path / "numbers.npz", inputs=X, labels=Y)
    np.savez(tmp_path / "fractions.npz", inputs=X, labels=X[:, 0])
    for train, test, kinds in (
        ("n.safetensors", "c.safetensors", "numbers but those of c.safetensors are classes"),
        ("c.safetensors", "n.safetensors", "classes but those of n.safetensors are numbers"),
        ("n.safetensors", "texts.npz", "texts such as 'dog', but those of the training data are"),
        ("numbers.npz", "texts.npz", "texts but those of numbers.npz are numbers: give both alike"),
        ("texts.npz", "numbers.npz", "numbers but those of texts.npz are texts: give both alike"),
        ("numbers.npz", "fractions.npz", "numbers such as 0.0.*, but those of numbers.npz are cla"),
        ("texts.npz", "c.safetensors", "numbers but those of texts.npz are texts"),
    ):
        with pytest.raises(GengapError, match=kinds):
            load_own({"from": train, "test": test}, folder=tmp_path)
    data = load_own({"from": "n.safetensors", "test": "numbers.npz"}, folder=tmp_path)
    np.testing.assert_array_equal(data.test.labels, Y.astype(np.float32))


@pytest.mark.parametrize("pixels", [np.uint8, np.uint16])
def test_scaled_pixels_and_others_must_have_one_scale(pixels: Any, tmp_path: Path) -> None:
    images = np.arange(40).reshape(10, 2, 2, 1)
    arrays: dict[str, Any] = {"inputs": images.astype(pixels)}
    arrays |= {"labels": Y[:10], "test_labels": Y[:10]}
    keys = {"from": "my.npz", "layout": "NHWC"}
    np.savez(tmp_path / "my.npz", test_inputs=images.astype(np.float32), **arrays)
    with pytest.raises(GengapError, match=r"float32 from 0\.0 to 39\.0: give both in one type"):
        load_own(keys, folder=tmp_path)
    scaled = (images / np.iinfo(pixels).max).astype(np.float32)
    np.savez(tmp_path / "my.npz", test_inputs=scaled, **arrays)
    data = load_own(keys, folder=tmp_path)
    np.testing.assert_allclose(data.train.inputs, data.test.inputs, rtol=1e-6)


def test_paths_may_be_paths(folder: Path) -> None:
    keys = {"from": folder / "my.npz", "test": folder / "my.npz", "layout": "NHWC"}
    assert len(load_own(keys).train.labels) == COUNT


def test_a_class_without_samples_cannot_be_balanced(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"inputs": X, "labels": np.where(Y, "ant", "bee")}
    np.savez(tmp_path / "my.npz", **arrays, test_inputs=X[:3], test_labels=np.array(["ant"] * 3))
    with pytest.raises(GengapError, match=r"test_inputs\) has no sample of class 'bee', so"):
        load_own({"from": "my.npz", "balanced": True}, folder=tmp_path)


def test_too_few_samples_for_a_division(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", inputs=X[:2], labels=Y[:2], g=Y[:2])
    for keys in ({}, {"groups": "g"}):
        with pytest.raises(GengapError, match="has 2 samples, of which a fifth is none: give more"):
            load_own({"from": "my.npz", **keys}, folder=tmp_path)


def test_without_test_data_all_samples_are_for_training_in_their_order(folder: Path) -> None:
    keys = {"from": "my.npz", "layout": "NHWC"}
    split, source = load_own_training(keys, folder=folder)
    np.testing.assert_array_equal(np.round(split.inputs[:, 0, 0, 0] * 255), np.arange(COUNT))
    np.testing.assert_array_equal(split.labels, np.arange(COUNT) % 3)
    assert source == loaded(folder).source
    some, _ = load_own_training({**keys, "train_size": 7}, folder=folder)
    assert len(some.labels) == 7
    with pytest.raises(GengapError, match=r"my\.npz has no test data, since test_size is 0: leave"):
        loaded(folder, test_size=0)


def test_test_arrays_are_left_aside_where_there_are_to_be_no_test_data(tmp_path: Path) -> None:
    inputs, labels = np.eye(4, dtype=np.float32), np.arange(4) % 2
    path = tmp_path / "both.npz"
    np.savez(path, inputs=inputs, labels=labels, test_inputs=inputs, test_labels=labels)
    split, _ = load_own_training({"from": "both.npz"}, folder=tmp_path)
    np.testing.assert_array_equal(split.inputs, inputs)


def test_a_file_says_that_there_is_no_split(folder: Path) -> None:
    write_no_split(folder / "none.safetensors")
    assert read_split_or_none(folder / "none.safetensors") is None
    with pytest.raises(GengapError, match="holds no usable split"):
        read_split(folder / "none.safetensors")
    split = loaded(folder).test
    write_split(split, folder / "some.safetensors")
    read = read_split_or_none(folder / "some.safetensors")
    assert read is not None
    np.testing.assert_array_equal(read.labels, split.labels)
