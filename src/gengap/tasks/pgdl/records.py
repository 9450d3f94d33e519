"""Reading and writing TFRecord files of labelled examples in PGDL's form.

Each record is one example: a ``tf.train.Example`` with the features ``inputs`` and ``output``. Both
are serialised TensorProtos, float32 (*input_shape) and int32 (). TensorFlow is imported where it is
used, since the import takes seconds and nothing else in the library needs it.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import writing
from gengap.limits import PART_BYTES

log = logging.getLogger(__name__)

FEATURES = ("inputs", "output")
BATCH = 256
BLOCK = 1 << 20
FRAME_BYTES = 16
"""Bytes of a record besides its content: its length and two checksums."""

GZIP_MAGIC = b"\x1f\x8b"
ZLIB_METHOD, ZLIB_CHECK = b"\x78", 31
"""First byte of zlib's streams as TensorFlow writes them, and what their first two divide by."""

MOST_SHARDS = 10
"""Most shards: with one digit in their names, they are in order for readers that sort by text."""


def read_examples(shards: Sequence[Path]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read the examples of several shards, compressed (gzip, zlib) or not.

    Numbers of other types than PGDL's are converted, and never scaled: inputs of any real type, and
    labels of any integer type and of the shape () or (1,).

    Args:
        shards: TFRecord files, in the order of the examples.

    Returns:
        Inputs (n, *input_shape) and labels (n,).

    Raises:
        GengapError: a shard is missing, truncated or corrupt, or an example is not as above (the
            sentence names the shard and the example); or the shards hold no example.
    """
    tensorflow = _tensorflow()
    parts: list[NDArray[np.float32]] = []
    waiting: list[NDArray[np.float32]] = []
    labels: list[int] = []
    shape: tuple[int, ...] = ()
    integers = False
    for shard in shards:
        for number, record in enumerate(_records(tensorflow, shard)):
            try:
                example, label = _parsed(tensorflow, record)
            except _OddExampleError as error:
                raise GengapError(_fault(shard, number, str(error))) from error
            shape = shape if labels else example.shape
            if example.shape != shape:
                odd = f"inputs of shape {example.shape} where the first has {shape}"
                raise GengapError(_fault(shard, number, odd))
            integers = integers or example.dtype.kind != "f"
            with np.errstate(over="ignore"):  # a split refuses infinite inputs
                waiting.append(example.astype(np.float32, copy=False))
            labels.append(label)
            if len(waiting) * waiting[0].nbytes >= PART_BYTES:
                parts.append(np.stack(waiting))
                waiting.clear()
    if integers:
        log.warning(
            "%s holds inputs of integers, which are read as they are, without scaling.",
            shards[0].parent,
        )
    if not labels:
        raise GengapError(f"{shards[0].parent} holds no example: download the task again.")
    if waiting:
        parts.append(np.stack(waiting))
    # Not concatenated: each part is freed once it is copied, so that nothing is held twice.
    inputs = np.empty((len(labels), *shape), np.float32)
    start = len(labels)
    while parts:
        part = parts.pop()
        inputs[start - len(part) : start] = part
        start -= len(part)
    return inputs, np.array(labels, dtype=np.int64)


def write_examples(
    inputs: NDArray[np.float32], labels: NDArray[np.int64], folder: str | Path
) -> list[Path]:
    """Write examples, in order, to ``shard_0.tfrecord``, ``shard_1.tfrecord`` and so on.

    Args:
        inputs: (n, *input_shape).
        labels: (n,).
        folder: the folder in which the shards are made.

    Returns:
        The files. The same arrays give the same bytes.
    """
    tensorflow = _tensorflow()
    count = min(MOST_SHARDS, len(labels))
    paths = [Path(folder) / f"shard_{shard}.tfrecord" for shard in range(count)]
    for path, rows in zip(paths, np.array_split(np.arange(len(labels)), count), strict=True):
        with writing(path) as part, tensorflow.io.TFRecordWriter(str(part)) as writer:
            for row in rows:
                writer.write(_serialised(tensorflow, inputs[row], labels[row]))
    return paths


class _OddExampleError(Exception):
    """An example has something other than inputs and a label; the message says what."""


def _fault(shard: Path, number: int, odd: str) -> str:
    return (
        f"Example {number} of {shard} has {odd}: write the examples with "
        "gengap.tasks.pgdl.records.write_examples."
    )


def _records(tensorflow: Any, shard: Path) -> Iterator[bytes]:
    """Yield the records of a shard."""
    if not shard.is_file():
        raise GengapError(f"{shard} does not exist: download the task again.")
    framed = 0
    try:
        compression = _compression(tensorflow, shard)
        dataset = tensorflow.data.TFRecordDataset(str(shard), compression_type=compression)
        for records in dataset.batch(BATCH):
            for record in records.numpy():
                framed += len(record) + FRAME_BYTES
                yield record
        # TensorFlow takes a file that ends within the head of a record for a whole one.
        whole = framed == _unpacked_size(shard, compression)
    except (tensorflow.errors.DataLossError, EOFError, zlib.error, gzip.BadGzipFile):
        whole = False
    except (OSError, tensorflow.errors.OpError) as error:
        raise GengapError(f"{shard} cannot be read: make it readable.") from error
    if not whole:
        raise GengapError(
            f"{shard} is truncated or corrupt: download the task, or write the file, again."
        )


def _compression(tensorflow: Any, shard: Path) -> str:
    """Return how a shard is compressed: "", ``GZIP`` or ``ZLIB``."""
    with shard.open("rb") as file:
        head = file.read(2)
    if head == GZIP_MAGIC:
        compression = "GZIP"
    elif head[:1] == ZLIB_METHOD and int.from_bytes(head, "big") % ZLIB_CHECK == 0:
        compression = "ZLIB"
    else:
        return ""
    # The length of the first record, with which a plain file begins, may look the same.
    try:
        next(iter(tensorflow.data.TFRecordDataset(str(shard))), None)
    except tensorflow.errors.DataLossError:
        return compression
    return ""


def _unpacked_size(shard: Path, compression: str) -> int:
    """Return the number of bytes of a shard without its compression, which is checked."""
    if not compression:
        return shard.stat().st_size
    size = 0
    if compression == "GZIP":
        with gzip.open(shard) as file:
            while block := file.read(BLOCK):
                size += len(block)
        return size
    unpacker = zlib.decompressobj()
    with shard.open("rb") as file:
        while block := file.read(BLOCK):
            size += len(unpacker.decompress(block))
    if not unpacker.eof:
        raise EOFError
    return size


def _parsed(tensorflow: Any, record: bytes) -> tuple[np.ndarray, int]:
    """Parse a record into inputs and a label."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        features = tensorflow.train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise _OddExampleError("bytes that are no tf.train.Example") from error
    inputs, label = (_array(tensorflow, features, name) for name in FEATURES)
    if inputs.dtype.kind not in "fiub":
        raise _OddExampleError(f"inputs of type {inputs.dtype} instead of numbers")
    if label.dtype.kind not in "iub":
        raise _OddExampleError(f"an output of type {label.dtype} instead of an integer")
    if label.size != 1:
        raise _OddExampleError(
            f"an output of shape {label.shape} instead of one class (the argmax of a one-hot "
            "vector, say)"
        )
    return inputs, int(label.item())


def _array(tensorflow: Any, features: Any, name: str) -> np.ndarray:
    """Convert a serialised TensorProto, several times as fast as TensorFlow's own operation."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import tensor_pb2

    if name not in features:
        known = ", ".join(sorted(features)) or "nothing"
        raise _OddExampleError(f"no feature '{name}' (it has {known})")
    serialised = features[name].bytes_list.value
    try:
        (text,) = serialised
        array: np.ndarray = tensorflow.make_ndarray(tensor_pb2.TensorProto.FromString(text))
    except (DecodeError, TypeError, ValueError) as error:
        raise _OddExampleError(
            f"a feature '{name}' that is no serialised tensor (tf.io.serialize_tensor)"
        ) from error
    return array


def _serialised(tensorflow: Any, inputs: np.ndarray, label: np.int64) -> bytes:
    """Serialise one example as a record."""
    from tensorflow.core.framework import tensor_pb2

    train = tensorflow.train
    features = {}
    for name, array in (("inputs", inputs), ("output", np.array(label, dtype=np.int32))):
        proto = tensor_pb2.TensorProto(
            dtype=tensorflow.as_dtype(array.dtype).as_datatype_enum,
            tensor_shape=tensorflow.TensorShape(array.shape).as_proto(),
            tensor_content=array.tobytes(),
        )
        text = train.BytesList(value=[proto.SerializeToString()])
        features[name] = train.Feature(bytes_list=text)
    example = train.Example(features=train.Features(feature=features))
    serialised: bytes = example.SerializeToString(deterministic=True)
    return serialised


def _tensorflow() -> Any:
    """Import TensorFlow, silent and kept off any GPU, whose memory PyTorch needs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow
    except ImportError as error:
        raise GengapError(
            "TensorFlow is needed for PGDL's files and is not installed: "
            "install it with 'make pgdl' or pip install 'gengap[pgdl]'."
        ) from error
    with contextlib.suppress(RuntimeError):  # TensorFlow may have set up its devices already
        tensorflow.config.set_visible_devices([], "GPU")
    return tensorflow
