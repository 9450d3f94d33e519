"""Arrays in npz and safetensors files: names, test data, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from gengap.datasets import Split, load_own, read_data, read_unlabelled, write_split
from gengap.errors import GengapError

RNG = np.random.default_rng(3)
X = RNG.random((40, 3, 6, 6))
Y = np.arange(40) % 4
Arrays = dict[str, np.ndarray]


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_named_arrays_with_test_data(tmp_path: Path) -> None:
    npz(tmp_path / "my.npz", x=X, y=Y, xt=X[:8], yt=Y[:8])
    keys = {"from": "my.npz", "inputs": "x", "labels": "y", "layout": "NCHW"}
    keys |= {"test_inputs": "xt", "test_labels": "yt"}
    data = load_own(keys, folder=tmp_path)
    assert data.input_shape == (6, 6, 3)
    assert len(data.train.labels) == 40
    order = np.argsort(data.test.inputs[:, 0, 0, 0])
    expected = np.moveaxis(X[:8], 1, -1).astype(np.float32)
    np.testing.assert_array_equal(
        data.test.inputs[order], expected[np.argsort(expected[:, 0, 0, 0])]
    )


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_default_names_and_both_kinds_of_file(suffix: str, tmp_path: Path) -> None:
    arrays: Arrays = {"inputs": X.astype(np.float32), "labels": Y}
    arrays |= {"test_inputs": X[:8].astype(np.float32), "test_labels": Y[:8]}
    path = tmp_path / f"my{suffix}"
    if suffix == ".npz":
        npz(path, **arrays)
    else:
        save_file(arrays, path)
    data = load_own({"from": path.name, "layout": "NCHW"}, folder=tmp_path)
    assert len(data.train.labels) == 40
    assert len(data.test.labels) == 8
    whole = read_data(path, layout="NCHW")
    np.testing.assert_array_equal(whole.inputs, np.moveaxis(X, 1, -1).astype(np.float32))
    np.testing.assert_array_equal(whole.labels, Y)


def test_test_data_may_be_in_a_file_of_their_own(tmp_path: Path) -> None:
    npz(tmp_path / "a.npz", inputs=X, labels=Y)
    npz(tmp_path / "b.npz", inputs=X[:8], labels=Y[:8])
    keys = {"from": "a.npz", "test": "b.npz", "layout": "NCHW"}
    assert len(load_own(keys, folder=tmp_path).test.labels) == 8
    npz(tmp_path / "a.npz", inputs=X, labels=Y, test_inputs=X, test_labels=Y)
    with pytest.raises(GengapError, match=r"a\.npz holds test data, and 'test' names b\.npz"):
        load_own(keys, folder=tmp_path)


def test_a_split_that_was_written_is_read_as_it_is(tmp_path: Path) -> None:
    tokens = Split(RNG.integers(0, 9, (12, 5)), Y[:12], 7, class_names=tuple("abcdefg"))
    write_split(tokens, tmp_path / "train.safetensors")
    again = read_data(tmp_path / "train.safetensors")
    assert again.kind == "tokens"
    assert again.classes == 7
    assert again.class_names == tuple("abcdefg")
    np.testing.assert_array_equal(again.inputs, tokens.inputs)
    np.testing.assert_array_equal(again.labels, tokens.labels)
    data = load_own({"from": "train.safetensors", "test_size": 4}, folder=tmp_path)
    assert data.train.classes == data.test.classes == 7
    numbers = Split(np.ones((3, 2), np.float32), np.array([0.5, 1, 2], np.float32), 0)
    write_split(numbers, tmp_path / "numbers.safetensors")
    assert read_data(tmp_path / "numbers.safetensors").labels.tolist() == [0.5, 1, 2]


def test_groups_may_be_an_array(tmp_path: Path) -> None:
    patients = np.repeat(["p", "q", "r", "s"], 10)
    npz(tmp_path / "my.npz", inputs=X, labels=Y, patient=patients)
    keys = {"from": "my.npz", "layout": "NCHW", "groups": "patient", "test_size": 0.25}
    data = load_own(keys, folder=tmp_path)
    assert data.train.groups is not None
    assert data.test.groups is not None
    assert len(data.test.labels) == 10
    assert len(set(data.test.groups.tolist())) == 1
    assert not set(data.test.groups.tolist()) & set(data.train.groups.tolist())


@pytest.mark.parametrize(
    ("arrays", "keys", "sentence"),
    [
        ({"x": X, "y": Y}, {}, r"holds no array 'inputs' \(it holds 'x', 'y'\): add it"),
        ({"inputs": X, "labels": Y, "test_inputs": X}, {}, "holds no array 'test_labels'"),
        ({"inputs": X, "labels": Y}, {"test_inputs": "xt"}, "holds no array 'xt'"),
        ({"inputs": X, "labels": Y}, {"groups": "patient"}, "holds no array 'patient'"),
        ({"inputs": X, "labels": Y[:9]}, {}, "holds 40 inputs but 9 labels"),
        ({"inputs": X, "labels": Y, "g": Y[:9]}, {"groups": "g"}, r"groups of shape \(9,\)"),
        (
            {"inputs": X, "labels": np.array([None] * 40)},
            {},
            "array 'labels' of .* holds Python objects",
        ),
        ({"inputs": X, "labels": np.array(3)}, {}, "holds the single label 3: give one label to"),
        (
            {"inputs": X, "labels": np.where(Y, b"a", b"\xff")},
            {},
            "bytes that are no UTF-8",
        ),
        ({"inputs": X, "labels": Y * 0}, {}, "All samples of my.npz are of one class"),
        ({"inputs": X * np.nan, "labels": Y}, {}, r"hold NaN or infinity in 40 rows \(0, 1, 2"),
    ],
)
def test_arrays_that_make_no_dataset_are_refused(
    arrays: Arrays, keys: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    npz(tmp_path / "my.npz", **arrays)
    with pytest.raises(GengapError, match=sentence):
        load_own({"from": "my.npz", "layout": "NCHW", **keys}, folder=tmp_path)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for name in ("my.npz", "my.safetensors"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 nothing")
        with pytest.raises(GengapError, match=rf"{name} is no .* file that can be read"):
            read_data(tmp_path / name)
    for content in (b"no arrays", b""):
        (tmp_path / "my.npz").write_bytes(content)
        with pytest.raises(GengapError, match=r"my\.npz is no npz file: write the arrays by"):
            read_data(tmp_path / "my.npz")
    whole = npz(tmp_path / "cut.npz", inputs=X, labels=Y).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:2000] + b"x" * 99 + whole[2099:])
    with pytest.raises(GengapError, match=r"array 'inputs' of .*cut\.npz is damaged"):
        read_data(tmp_path / "cut.npz", layout="NCHW")
    with (tmp_path / "my.npz").open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(GengapError, match=r"my\.npz is a single array"):
        read_data(tmp_path / "my.npz")


@pytest.mark.parametrize(
    ("arrays", "keys", "sentence"),
    [
        (
            {"inputs": 1.7e9 + np.arange(40.0)[:, None]},
            {},
            "lie so close together, from 17",
        ),
        ({"labels": np.where(Y == 0, 0, 2**64 - 1).astype("u8")}, {}, "beyond what int64 can hold"),
        ({"labels": 1.7e9 + np.arange(40)}, {"target": "number"}, "labels of .* lie so close"),
        ({"g": np.where(Y == 0, np.nan, Y)}, {"groups": "g"}, r"missing in 10 rows \(0, 4, 8"),
        (
            {"g": Y.astype("M8[D]") + np.where(Y == 2, np.timedelta64("NaT"), 0)},
            {"groups": "g"},
            r"groups of my\.npz are missing in 10 rows \(2, 6",
        ),
        (
            {"g": Y, "test_inputs": np.ones((4, 1)), "test_labels": Y[:4]},
            {"groups": "g"},
            "holds no array 'test_g'",
        ),
    ],
)
def test_values_that_would_become_others_are_refused(
    arrays: Arrays, keys: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    npz(tmp_path / "my.npz", **({"inputs": np.ones((40, 1)), "labels": Y} | arrays))
    with pytest.raises(GengapError, match=sentence):
        load_own({"from": "my.npz", **keys}, folder=tmp_path)


def test_unsigned_numbers_keep_their_values(tmp_path: Path) -> None:
    labels = np.array([0, 2**64 - 1] * 20, dtype=np.uint64)
    path = npz(tmp_path / "my.npz", inputs=np.ones((40, 1)), labels=labels)
    np.testing.assert_array_equal(read_data(path, target="number").labels, labels.astype(float))


def test_groups_of_test_arrays_have_their_own_array(tmp_path: Path) -> None:
    arrays = {"inputs": np.ones((40, 1)), "labels": Y, "g": Y, "test_inputs": np.ones((4, 1))}
    arrays |= {"test_labels": Y[:4], "test_g": np.array([4, 4, 5, 5])}
    npz(tmp_path / "my.npz", **arrays)
    data = load_own({"from": "my.npz", "groups": "g"}, folder=tmp_path)
    assert data.test.groups is not None
    assert data.test.groups.tolist() == [4, 4, 5, 5]
    npz(tmp_path / "my.npz", **(arrays | {"test_g": np.array([4, 4, 3, 5])}))
    with pytest.raises(GengapError, match=r"share 1 of 6 groups \(3\)"):
        load_own({"from": "my.npz", "groups": "g"}, folder=tmp_path)


def test_tensors_of_types_that_numpy_lacks_are_named(tmp_path: Path) -> None:
    labels = torch.tensor([0, 1, 0, 1])
    for dtype in (torch.float8_e4m3fn, torch.bfloat16):
        tensors = {"inputs": torch.ones(4, 2).to(dtype), "labels": labels}
        save_tensors(tensors, tmp_path / "my.safetensors")
        # With some versions of NumPy's extensions bfloat16 is a type of NumPy.
        with pytest.raises(GengapError, match=r"type that NumPy lacks .*float32|type bfloat16: gi"):
            read_data(tmp_path / "my.safetensors")


def test_a_file_of_another_tool_is_no_written_split(tmp_path: Path) -> None:
    path, arrays = tmp_path / "my.safetensors", {"inputs": np.ones((40, 2)), "labels": Y}
    save_file(arrays, path, metadata={"split": "train", "classes": "4"})
    assert read_data(path).classes == 4
    save_file(arrays, path, metadata={"gengap.split": '{"classes": 4}'})
    with pytest.raises(GengapError, match=r"float64.*write it again, or say 'inputs' and 'labels'"):
        read_data(path)
    assert read_data(path, inputs="inputs").classes == 4


def test_unlabelled_inputs_are_read_like_the_training_inputs(tmp_path: Path) -> None:
    like = Split(np.zeros((4, 6, 6, 3), np.float32), np.arange(4), 4)
    path = npz(tmp_path / "more.npz", x=X)
    found = read_unlabelled(path, like, inputs="x", layout="NCHW")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.moveaxis(X, 1, -1).astype(np.float32))
    white = npz(tmp_path / "white.npz", inputs=np.full((2, 6, 6, 3), 255, np.uint8))
    np.testing.assert_array_equal(read_unlabelled(white, like), np.ones((2, 6, 6, 3)))
    tokens = Split(np.ones((4, 5), np.int64), np.arange(4), 4)
    path = npz(tmp_path / "tokens.npz", inputs=np.arange(10).reshape(2, 5))
    assert read_unlabelled(path, tokens).dtype == np.int64


def test_unlabelled_inputs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    like = Split(np.zeros((4, 6, 6, 1), np.float32), np.arange(4), 4)
    path = npz(tmp_path / "more.npz", x=X)
    with pytest.raises(GengapError, match=r"holds no array 'inputs' \(it holds x\): name its"):
        read_unlabelled(path, like)
    with pytest.raises(GengapError, match=r"of shape \[6, 6, 3\], but .* of shape \[6, 6, 1\]"):
        read_unlabelled(path, like, inputs="x", layout="NCHW")
