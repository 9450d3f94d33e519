"""Split's checks and its file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gengap.datasets import Dataset, Split, read_split, split, write_split
from gengap.errors import GengapError


def a_split() -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.random((6, 2, 3, 1), dtype=np.float32), np.arange(6) % 3, 3)


VECTORS = np.zeros((3, 2), dtype=np.float32)
LABELS = np.array([0, 1, 1])


@pytest.mark.parametrize("row", [0, 4, 9])
@pytest.mark.parametrize("size", [1, 3 * VECTORS[0].nbytes, 2**30])
def test_every_part_of_the_inputs_is_checked(
    row: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "PART_BYTES", size)
    inputs = np.zeros((10, 2), np.float32)
    assert Split(inputs, np.zeros(10, np.int64), 1).kind == "vector"
    inputs[row, 1] = np.nan
    with pytest.raises(GengapError, match="NaN or infinity"):
        Split(inputs, np.zeros(10, np.int64), 1)


@pytest.mark.parametrize(
    ("inputs", "labels", "sentence"),
    [
        (VECTORS.astype(np.float64), LABELS, "inputs are float64.*float32"),
        (VECTORS, LABELS.astype(np.int32), "labels are int32.*int64"),
        (VECTORS[:, 0], LABELS, r"shape \(3,\).*reshape"),
        (VECTORS[:0], LABELS[:0], "empty"),
        (VECTORS, LABELS[:2], r"shape \(2,\) for 3 inputs"),
        (VECTORS, LABELS[:, np.newaxis], r"shape \(3, 1\) for 3 inputs"),
        (np.full_like(VECTORS, np.nan), LABELS, "NaN or infinity"),
        (np.full_like(VECTORS, np.inf), LABELS, "NaN or infinity"),
        (VECTORS, LABELS + 1, r"span 1\.\.2 but there are 2 classes.*0\.\.1"),
        (VECTORS, LABELS - 1, r"span -1\.\.0"),
    ],
)
def test_arrays_that_make_no_split_are_refused(
    inputs: np.ndarray, labels: np.ndarray, sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        Split(inputs, labels, 2)


def test_a_sample_has_rows_of_the_split_in_its_order() -> None:
    split = Split(np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) % 3, 3)
    sample = split.sample(8, np.random.default_rng(4))
    rows = (sample.inputs[:, 0] / 2).astype(int)
    assert len(rows) == 8
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(sample.inputs, split.inputs[rows])
    np.testing.assert_array_equal(sample.labels, split.labels[rows])
    assert sample.classes == 3
    assert set(rows) == set(np.random.default_rng(4).permutation(20)[:8])


def test_every_row_is_as_likely_to_be_in_a_sample() -> None:
    split = Split(np.arange(5, dtype=np.float32)[:, None], np.zeros(5, np.int64), 1)
    rng = np.random.default_rng(0)
    counts = np.bincount([int(x) for _ in range(2000) for x in split.sample(2, rng).inputs[:, 0]])
    # Five standard deviations of a binomial of 2000 draws with probability 2/5.
    np.testing.assert_allclose(counts, 800, atol=5 * np.sqrt(2000 * 0.4 * 0.6))


def test_a_sample_of_more_than_there_are_is_all_and_draws_nothing() -> None:
    """So that a measure that takes all inputs counts as deterministic."""
    split = a_split()
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    assert np.array_equal(split.sample(100, first).inputs, split.inputs)
    assert first.random() == second.random()


def test_splits_of_different_shape_make_no_dataset() -> None:
    sentence = r"toy do not belong together \(image \(2, 3, 1\) and vector \(2,\), .*same source"
    with pytest.raises(GengapError, match=sentence):
        Dataset("toy", a_split(), Split(VECTORS, LABELS, 3))
    tokens = Split(np.ones((3, 2), np.int64), LABELS, 3)
    with pytest.raises(GengapError, match=r"\(vector \(2,\) and tokens \(2,\), classes 3 and 3\)"):
        Dataset("toy", Split(VECTORS, LABELS, 3), tokens)
    for shape, remedy in (
        ((3, 2, 3, 3), "add the transform {name: colour} or {name: grey}"),
        ((3, 4, 3, 1), "add the transform {name: resize, size: ...}"),
        ((3, 2, 3, 4), "take both from the same source"),
    ):
        other = Split(np.ones(shape, np.float32), LABELS, 3)
        with pytest.raises(GengapError, match=remedy):
            Dataset("toy", a_split(), other)


def test_a_file_gives_back_the_split_and_the_same_bytes(tmp_path: Path) -> None:
    split = a_split()
    write_split(split, tmp_path / "a.safetensors")
    write_split(split, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    back = read_split(tmp_path / "a.safetensors")
    assert np.array_equal(back.inputs, split.inputs)
    assert np.array_equal(back.labels, split.labels)
    assert back.classes == 3
    assert set(load_file(tmp_path / "a.safetensors")) == {"inputs", "labels"}


def test_strided_arrays_are_written_as_they_read(tmp_path: Path) -> None:
    split = a_split()
    mirrored = Split(split.inputs[:, ::-1].transpose(0, 2, 1, 3), split.labels[::-1], 3)
    write_split(mirrored, tmp_path / "m.safetensors")
    back = read_split(tmp_path / "m.safetensors")
    assert np.array_equal(back.inputs, mirrored.inputs)
    assert np.array_equal(back.labels, mirrored.labels)


def test_unusable_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "train.safetensors"
    with pytest.raises(GengapError, match=r"train\.safetensors does not exist: run"):
        read_split(path)
    write_split(a_split(), path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(GengapError, match=r"train\.safetensors holds no usable split.*delete"):
        read_split(path)
    save_file({"inputs": VECTORS, "labels": LABELS}, path)
    with pytest.raises(GengapError, match=r"train\.safetensors holds no usable split"):
        read_split(path)
    described = {"gengap.split": '{"classes": 2}'}
    save_file({"inputs": VECTORS}, path, metadata=described)
    with pytest.raises(GengapError, match=r"train\.safetensors holds no usable split.*labels"):
        read_split(path)
    save_file({"inputs": np.full_like(VECTORS, np.nan), "labels": LABELS}, path, metadata=described)
    with pytest.raises(GengapError, match=r"train\.safetensors holds no usable split.*NaN"):
        read_split(path)


def test_the_same_split_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """safetensors writes several keys of metadata in an order that changes from run to run."""
    code = (
        "import sys, numpy as np; from gengap.datasets import Split; "
        "from gengap.datasets.split import write_split; "
        "write_split(Split(np.ones((2, 3), np.float32), np.arange(2), 2, class_names=('a', 'b')), "
        "sys.argv[1], source='made')"
    )
    paths = [tmp_path / f"{number}.safetensors" for number in range(4)]
    for path in paths:
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert len({path.read_bytes() for path in paths}) == 1
    assert read_split(paths[0]).class_names == ("a", "b")


def test_reading_needs_neither_torch_nor_scikit_learn(tmp_path: Path) -> None:
    write_split(a_split(), tmp_path / "s.safetensors")
    code = (
        "import sys; from gengap.datasets import NAMES, read_split; read_split(sys.argv[1]);"
        "assert 'digits' in NAMES;"
        "print(*{'torch', 'sklearn', 'scipy', 'pooch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "s.safetensors")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((5, 3), "vector"),
        ((5, 7, 2), "series"),
        ((5, 4, 4, 3), "image"),
        ((5, 2, 4, 4, 1), "volume"),
    ],
)
def test_a_split_knows_what_its_inputs_are(shape: tuple[int, ...], kind: str) -> None:
    assert Split(np.zeros(shape, np.float32), np.zeros(5, np.int64), 2).kind == kind


def test_tokens_are_integers_of_at_least_zero() -> None:
    tokens = np.array([[0, 3], [7, 1]])
    assert Split(tokens, np.array([0, 1]), 2).kind == "tokens"
    with pytest.raises(GengapError, match="number them from 0"):
        Split(tokens - 1, np.array([0, 1]), 2)


def test_targets_may_be_numbers() -> None:
    inputs, targets = np.zeros((3, 2), np.float32), np.array([0.5, -1, 2], np.float32)
    split = Split(inputs, targets, 0)
    assert split.has_numbers
    assert split.take(np.array([2, 0])).labels.tolist() == [2.0, 0.5]
    with pytest.raises(GengapError, match="convert them to float32"):
        Split(inputs, targets.astype(float), 0)
    with pytest.raises(GengapError, match="targets hold NaN"):
        Split(inputs, targets * np.float32("nan"), 0)


def test_groups_and_names_go_with_the_samples(tmp_path: Path) -> None:
    split = Split(
        np.arange(6, dtype=np.float32).reshape(3, 2),
        np.array([1, 0, 1]),
        2,
        class_names=("cat", "dog"),
        groups=np.array([7, 7, 9]),
    )
    write_split(split, tmp_path / "split.safetensors")
    again = read_split(tmp_path / "split.safetensors").take(slice(1, 3))
    assert again.class_names == ("cat", "dog")
    assert again.groups is not None
    assert again.groups.tolist() == [7, 9]
    with pytest.raises(GengapError, match="one group to each input"):
        replace(split, groups=np.array([1]))
