"""MNIST's and Fashion-MNIST's files: IDX, gzipped or unpacked.

Format: http://yann.lecun.com/exdb/mnist/, "The IDX file format": two zero bytes, a type (8 for
unsigned bytes), the number of dimensions, each dimension as a big-endian uint32, the data.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.official import required
from gengap.datasets.samples import Samples
from gengap.errors import GengapError

UNSIGNED_BYTE = 8
CLASSES = 10


def read_folder(folder: Path) -> tuple[Samples, Samples]:
    """Train and test samples; images uint8 (n, 28, 28, 1).

    Raises:
        GengapError: a file is missing or malformed, images and labels differ in number, or
            a label is out of range.
    """
    return _read_part(folder, "train"), _read_part(folder, "t10k")


def _read_part(folder: Path, part: str) -> Samples:
    images = read_idx(_find(folder, f"{part}-images-idx3-ubyte"), dimensions=3)
    labels_path = _find(folder, f"{part}-labels-idx1-ubyte")
    labels = read_idx(labels_path, dimensions=1)
    if len(labels) != len(images):
        raise GengapError(
            f"{labels_path} holds {len(labels)} labels for {len(images)} images: "
            "take both files from the same source."
        )
    if np.any(labels >= CLASSES):
        raise GengapError(
            f"{labels_path} holds a label above {CLASSES - 1}: fetch the official file again."
        )
    return Samples(images[..., np.newaxis], labels.astype(np.int64))


def _find(folder: Path, name: str) -> Path:
    unpacked = folder / name
    return unpacked if unpacked.is_file() else required(folder / f"{name}.gz")


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file.

    Raises:
        GengapError: the header is not that of unsigned bytes in so many dimensions, or the file's
            length is not what the header says.
    """
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    header = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, UNSIGNED_BYTE, dimensions]) or len(content) < header:
        raise GengapError(
            f"{path} is no IDX file of {dimensions}-dimensional bytes: fetch the official file."
        )
    shape = tuple(int(size) for size in np.frombuffer(content[4:header], dtype=">u4"))
    expected = header + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise GengapError(
            f"{path} has {len(content)} bytes where its header announces {expected}: "
            "it is truncated or damaged, so fetch the official file again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)
