"""STL-10: 96x96 colour images of ten classes, from its binary files.

Format: https://cs.stanford.edu/~acoates/stl10/, "Binary files": ``*_X.bin`` holds images of 27648
bytes, planes R, G, B of 96x96 each, column by column; ``*_y.bin`` holds a label byte of 1..10 for
each image. The 100,000 images without labels are not unpacked. MD5 as in torchvision, since no
SHA-256 is published.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gengap.datasets.official import required
from gengap.datasets.registry import Official, TrainAndTest, dataset
from gengap.datasets.samples import Samples
from gengap.datasets.sources import Download, File
from gengap.errors import GengapError

CHANNELS, SIDE = 3, 96
CLASSES = 10
IMAGE_BYTES = CHANNELS * SIDE * SIDE
TRAIN_IMAGES, TEST_IMAGES = 5_000, 8_000

ARCHIVE = "stl10_binary.tar.gz"
PUBLISHED_IN = (
    "https://cs.stanford.edu/~acoates/stl10/",
    "http://ai.stanford.edu/~acoates/stl10/",
)
STL10 = (
    Download(
        File(ARCHIVE, 2_640_397_119, "md5:91f7769df0f17e558f3565bffb0c7dfb"),
        tuple(folder + ARCHIVE for folder in PUBLISHED_IN),
        member_folder="stl10_binary",
        members=(
            File(
                "train_X.bin",
                TRAIN_IMAGES * IMAGE_BYTES,
                "md5:918c2871b30a85fa023e0c44e0bee87f",
            ),
            File("train_y.bin", TRAIN_IMAGES, "md5:5a34089d4802c674881badbb80307741"),
            File("test_X.bin", TEST_IMAGES * IMAGE_BYTES, "md5:7f263ba9f9e0b06b93213547f721ac82"),
            File("test_y.bin", TEST_IMAGES, "md5:36f9794fa4beb8a2c72628de14fa638e"),
        ),
    ),
)


@dataset("stl10", Official, classes=CLASSES, source=STL10)
def read_folder(folder: Path) -> TrainAndTest:
    """Read the labelled images of STL-10.

    Args:
        folder: the folder of ``train_X.bin``, ``train_y.bin``, ``test_X.bin`` and ``test_y.bin``.

    Returns:
        Train and test samples; images uint8 (n, 96, 96, 3). The classes are airplane, bird, car,
        cat, deer, dog, horse, monkey, ship and truck, in this order.

    Raises:
        GengapError: a file is missing or malformed.
    """
    return _read(folder, "train"), _read(folder, "test")


def _read(folder: Path, part: str) -> Samples:
    """The images and labels of one part, of two files."""
    images_file, labels_file = (
        required(folder / f"{part}_X.bin"),
        required(folder / f"{part}_y.bin"),
    )
    remedy = "it is damaged or of another format, so fetch the official binary files again."
    pixels = np.fromfile(images_file, dtype=np.uint8)
    labels = np.fromfile(labels_file, dtype=np.uint8)
    if pixels.size == 0 or pixels.size % IMAGE_BYTES:
        raise GengapError(
            f"{images_file} has {pixels.size} bytes, no multiple of an image's {IMAGE_BYTES}: "
            f"{remedy}"
        )
    columns = pixels.reshape(-1, CHANNELS, SIDE, SIDE)
    if len(labels) != len(columns):
        raise GengapError(
            f"{labels_file} has {len(labels)} labels for {len(columns)} images: {remedy}"
        )
    if labels.min() < 1 or labels.max() > CLASSES:
        raise GengapError(f"{labels_file} holds labels outside 1..{CLASSES}: {remedy}")
    return Samples(columns.transpose(0, 3, 2, 1), labels.astype(np.int64) - 1)
