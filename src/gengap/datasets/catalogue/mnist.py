"""MNIST and Fashion-MNIST: IDX files, gzipped or unpacked.

Format: http://yann.lecun.com/exdb/mnist/, "The IDX file format": two zero bytes, a type (8 for
unsigned bytes), the number of dimensions, each dimension as a big-endian uint32, the data. The
SHA-256 below are those of the files that carry the published MD5.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.official import required
from gengap.datasets.registry import Official, TrainAndTest, dataset
from gengap.datasets.samples import Samples
from gengap.datasets.sources import from_mirrors
from gengap.errors import GengapError

UNSIGNED_BYTE = 8
CLASSES = 10

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
FASHION_MNIST_MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)

MNIST = (
    from_mirrors(
        MNIST_MIRRORS,
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    from_mirrors(
        MNIST_MIRRORS,
        "train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    from_mirrors(
        MNIST_MIRRORS,
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    from_mirrors(
        MNIST_MIRRORS,
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)
FASHION_MNIST = (
    from_mirrors(
        FASHION_MNIST_MIRRORS,
        "train-images-idx3-ubyte.gz",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    from_mirrors(
        FASHION_MNIST_MIRRORS,
        "train-labels-idx1-ubyte.gz",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    from_mirrors(
        FASHION_MNIST_MIRRORS,
        "t10k-images-idx3-ubyte.gz",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    from_mirrors(
        FASHION_MNIST_MIRRORS,
        "t10k-labels-idx1-ubyte.gz",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
)


@dataset("mnist", Official, classes=CLASSES, source=MNIST)
@dataset("fashion_mnist", Official, classes=CLASSES, source=FASHION_MNIST)
def read_folder(folder: Path) -> TrainAndTest:
    """Read the four files of MNIST or Fashion-MNIST.

    Args:
        folder: the folder of the files.

    Returns:
        Train and test samples; images uint8 (n, 28, 28, 1).

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
    """Read the array of unsigned bytes in an IDX file.

    Args:
        path: the file, gzipped if its name ends in ``.gz``.
        dimensions: number of dimensions of the array.

    Returns:
        The array, in the shape that the header states.

    Raises:
        GengapError: the header does not state unsigned bytes in that many dimensions, or the file's
            length differs from what it states.
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
