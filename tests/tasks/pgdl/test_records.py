"""TFRecord files as people write them: read, or refused with the name of the file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gengap.errors import GengapError
from gengap.tasks.pgdl import records
from gengap.tasks.pgdl.records import read_examples, write_examples

COUNT = 5
INPUTS = np.random.default_rng(0).random((COUNT, 4, 3, 2), dtype=np.float32)
LABELS = np.arange(COUNT, dtype=np.int32)


def write(
    tensorflow: Any,
    folder: Path,
    inputs: np.ndarray = INPUTS,
    labels: np.ndarray = LABELS,
    names: tuple[str, str] = ("inputs", "output"),
    compression: str = "",
) -> Path:
    """Write examples by TensorFlow's own functions, each with one more feature."""
    train, path = tensorflow.train, folder / "shard_0.tfrecord"
    options = tensorflow.io.TFRecordOptions(compression_type=compression)
    with tensorflow.io.TFRecordWriter(str(path), options) as writer:
        for arrays in zip(inputs, labels, strict=True):
            features = {
                name: train.Feature(
                    bytes_list=train.BytesList(
                        value=[tensorflow.io.serialize_tensor(tensorflow.constant(array)).numpy()]
                    )
                )
                for name, array in zip(names, arrays, strict=True)
            }
            features["id"] = train.Feature(int64_list=train.Int64List(value=[1]))
            example = train.Example(features=train.Features(feature=features))
            writer.write(example.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("inputs", "labels"),
    [
        (INPUTS, LABELS),
        (INPUTS, LABELS.astype(np.int64)),
        (INPUTS, LABELS.astype(np.uint8)),
        (INPUTS, LABELS[:, None]),
        (INPUTS, LABELS[:, None, None]),
        (INPUTS.astype(np.float64), LABELS),
        (INPUTS.astype(np.float16), LABELS),
    ],
)
def test_numbers_of_other_types_are_read(
    tensorflow: Any, tmp_path: Path, inputs: np.ndarray, labels: np.ndarray
) -> None:
    read, classes = read_examples([write(tensorflow, tmp_path, inputs, labels)])
    np.testing.assert_array_equal(read, inputs.astype(np.float32))
    np.testing.assert_array_equal(classes, LABELS)
    assert (read.dtype.name, classes.dtype.name) == ("float32", "int64")


@pytest.mark.parametrize("size", [1, 2 * INPUTS[0].nbytes, 2**30])
def test_parts_of_any_size_are_put_together_in_order(
    tensorflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(records, "PART_BYTES", size)
    inputs = np.concatenate([INPUTS, INPUTS + 1, INPUTS + 2])
    shards = write_examples(inputs, np.tile(LABELS, 3).astype(np.int64), tmp_path)
    read, labels = read_examples(shards)
    np.testing.assert_array_equal(read, inputs)
    np.testing.assert_array_equal(labels, np.tile(LABELS, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.bool_])
def test_integers_are_read_without_scaling_and_that_is_said(
    tensorflow: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, dtype: type[np.generic]
) -> None:
    pixels = (200 * INPUTS).astype(dtype)
    with caplog.at_level(logging.WARNING):
        read, _ = read_examples([write(tensorflow, tmp_path, pixels)])
    np.testing.assert_array_equal(read, pixels)
    assert ["without scaling" in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_compressed_shards_are_read(tensorflow: Any, tmp_path: Path, compression: str) -> None:
    path = write(tensorflow, tmp_path, compression=compression)
    read, classes = read_examples([path])
    np.testing.assert_array_equal(read, INPUTS)
    np.testing.assert_array_equal(classes, LABELS)


@pytest.mark.parametrize("head", [b"\x1f\x8b", b"\x78\x9c", b"\x78\x01"])
def test_a_plain_shard_that_begins_as_compressed_ones_do_is_read(
    tensorflow: Any, tmp_path: Path, head: bytes
) -> None:
    """A file begins with the length of its first record."""
    train, path = tensorflow.train, write(tensorflow, tmp_path)
    ((record, *_),) = [list(tensorflow.data.TFRecordDataset(str(path)).as_numpy_iterator())]
    length = int.from_bytes(head, "little") + (1 << 16)
    example = train.Example.FromString(record)
    pad = example.features.feature["pad"].bytes_list.value
    pad.append(b"")
    for _ in range(2):
        pad[0] = bytes(length - example.ByteSize() + len(pad[0]))
    with tensorflow.io.TFRecordWriter(str(path)) as writer:
        writer.write(example.SerializeToString())
    assert path.read_bytes()[:2] == head
    np.testing.assert_array_equal(read_examples([path])[0], INPUTS[:1])


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_a_cut_shard_is_refused_wherever_it_was_cut(
    tensorflow: Any, tmp_path: Path, compression: str
) -> None:
    """TensorFlow reads a file that ends in the head of a record as if it ended before it."""
    path = write(tensorflow, tmp_path, INPUTS[:, 0, 0], compression=compression)
    content = path.read_bytes()
    ends = [0]
    while not compression and ends[-1] < len(content):
        ends.append(ends[-1] + 16 + int.from_bytes(content[ends[-1] : ends[-1] + 8], "little"))
    # A file that ends with a record is whole.
    cuts = {
        *range(1, len(content), 9),
        *range(len(content) - 12, len(content)),
        ends[1 % len(ends)] + 5,
    }
    for length in sorted(cuts - set(ends)):
        path.write_bytes(content[:length])
        with pytest.raises(GengapError, match=r"shard_0\.tfrecord is truncated or corrupt"):
            read_examples([path])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"names": ("image", "label")}, "no feature 'inputs' .it has id, image, label."),
        ({"names": ("inputs", "label")}, "no feature 'output' .it has id, inputs, label."),
        ({"names": ("inputs", "id")}, "no feature 'output' .it has id, inputs."),
        ({"labels": np.eye(COUNT, dtype=np.int32)}, r"output of shape \(5,\) .*argmax"),
        ({"labels": LABELS.astype(np.float32)}, "output of type float32 instead of an integer"),
        ({"inputs": np.array(["a"] * COUNT)}, "inputs of type object instead of numbers"),
        ({"inputs": INPUTS.astype(complex)}, "inputs of type complex128 instead of numbers"),
    ],
)
def test_other_examples_are_refused_with_their_file(
    tensorflow: Any, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    path = write(tensorflow, tmp_path, **changes)
    with pytest.raises(GengapError, match=rf"Example 0 of .*shard_0\.tfrecord has .*{sentence}"):
        read_examples([path])


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (None, "bytes that are no tf.train.Example"),
        ({"inputs": {"bytes_list": [b"\xff" * 20]}}, "'inputs' that is no serialised tensor"),
        ({"inputs": {"bytes_list": []}}, "'inputs' that is no serialised tensor"),
        ({"inputs": {"float_list": [1.0, 2.0]}}, "'inputs' that is no serialised tensor"),
        ({}, "no feature 'inputs' .it has nothing."),
    ],
)
def test_records_of_other_forms_are_refused(
    tensorflow: Any, tmp_path: Path, features: Any, sentence: str
) -> None:
    train, path = tensorflow.train, tmp_path / "shard_0.tfrecord"
    kinds = {"bytes_list": train.BytesList, "float_list": train.FloatList}
    record = b"\xff" * 20
    if features is not None:
        made = {
            name: train.Feature(
                **{kind: kinds[kind](value=value) for kind, value in kind_of.items()}
            )
            for name, kind_of in features.items()
        }
        record = train.Example(features=train.Features(feature=made)).SerializeToString()
    with tensorflow.io.TFRecordWriter(str(path)) as writer:
        writer.write(record)
    with pytest.raises(GengapError, match=rf"Example 0 of .*shard_0\.tfrecord has .*{sentence}"):
        read_examples([path])


def test_no_file_and_no_example_are_refused(tensorflow: Any, tmp_path: Path) -> None:
    with pytest.raises(GengapError, match=r"shard_0\.tfrecord does not exist"):
        read_examples([tmp_path / "shard_0.tfrecord"])
    path = write(tensorflow, tmp_path, INPUTS[:0], LABELS[:0])
    with pytest.raises(GengapError, match="holds no example"):
        read_examples([path])
