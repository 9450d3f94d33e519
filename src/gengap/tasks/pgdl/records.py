"""Reading and writing TFRecord files of labelled examples in PGDL's form.

Each record is one example: a ``tf.train.Example`` with the features ``inputs`` and ``output``. Both
are serialised TensorProtos, float32 (*input_shape) and int32 (). TensorFlow is imported where it is
used, since the import takes seconds and nothing else in the library needs it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import writing

BATCH = 256
MOST_SHARDS = 10
"""Most shards: with one digit in their names, they are in order for readers that sort by text."""


def read_examples(shards: Sequence[Path]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read the examples of several shards.

    Args:
        shards: TFRecord files, in the order of the examples.

    Returns:
        Inputs (n, *input_shape) and labels (n,).

    Raises:
        GengapError: a shard is missing, truncated or corrupt, or holds other features; or the
            shards hold no example.
    """
    tensorflow = _tensorflow()
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    # TensorFlow's message may quote bytes that are not text, which raises a UnicodeDecodeError.
    wrong_content = (tensorflow.errors.InvalidArgumentError, DecodeError, TypeError, ValueError)
    inputs: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for shard in shards:
        if not shard.is_file():
            raise GengapError(f"{shard} does not exist: download the task again.")
        try:
            for records in tensorflow.data.TFRecordDataset(str(shard)).batch(BATCH):
                more_inputs, more_labels = _parsed(tensorflow, records)
                inputs += more_inputs
                labels += more_labels
        except tensorflow.errors.DataLossError as error:
            raise GengapError(
                f"{shard} is truncated or corrupt: download the task again."
            ) from error
        except wrong_content as error:
            raise GengapError(
                f"{shard} does not hold examples with a float32 tensor 'inputs' and an int32 "
                "tensor 'output': it is not a PGDL dataset."
            ) from error
    if not inputs:
        raise GengapError(f"{shards[0].parent} holds no example: download the task again.")
    if len({array.shape for array in inputs}) > 1 or {array.size for array in labels} != {1}:
        raise GengapError(
            f"{shards[0].parent} does not hold inputs of one shape with one label each: "
            "it is not a PGDL dataset."
        )
    return np.stack(inputs), np.array([array.item() for array in labels], dtype=np.int64)


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


def _parsed(tensorflow: Any, records: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Parse serialised records (batch,) into inputs and labels."""
    text = tensorflow.io.FixedLenFeature([], tensorflow.string)
    features = tensorflow.io.parse_example(records, {"inputs": text, "output": text})
    inputs, labels = (
        [_array(tensorflow, item, kind) for item in features[name].numpy()]
        for name, kind in (("inputs", np.float32), ("output", np.int32))
    )
    return inputs, labels


def _array(tensorflow: Any, serialised: bytes, kind: type[np.generic]) -> np.ndarray:
    """Convert a serialised TensorProto, several times as fast as TensorFlow's own operation."""
    from tensorflow.core.framework import tensor_pb2

    array: np.ndarray = tensorflow.make_ndarray(tensor_pb2.TensorProto.FromString(serialised))
    if array.dtype != kind:
        raise TypeError(f"{array.dtype} instead of {kind}")
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
