"""Tiny ImageNet: 64x64 images of 200 classes, from its unpacked archive.

Format: http://cs231n.stanford.edu/tiny-imagenet-200.zip: ``train/<class>/images/*.JPEG``,
``val/images/*.JPEG`` and ``val/val_annotations.txt`` with a line per image: file, class and four
numbers of a box, between tabs. The official test images have no labels, so val is the test split.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.registry import TrainAndTest, Unpacked, dataset
from gengap.datasets.samples import Samples
from gengap.errors import GengapError

CLASSES = 200
IMAGE_SHAPE = (64, 64, 3)
ARCHIVE = "tiny-imagenet-200.zip"


@dataset("tiny_imagenet", Unpacked, classes=CLASSES, archive=ARCHIVE)
def read_folder(folder: Path) -> TrainAndTest:
    """Read Tiny ImageNet from its unpacked archive; val is the test split.

    Args:
        folder: the folder of the archive's content.

    Returns:
        Train and test samples; images uint8 (n, 64, 64, 3), classes in the order of their names.

    Raises:
        GengapError: a folder or file is missing, or an image cannot be read.
    """
    names = sorted(path.name for path in (folder / "train").glob("*") if path.is_dir())
    if not 2 <= len(names) <= CLASSES:
        raise GengapError(
            f"{folder / 'train'} holds {len(names)} folders of classes instead of 2 to {CLASSES}: "
            f"unpack {ARCHIVE} again."
        )
    labels = {name: label for label, name in enumerate(names)}
    train = [
        (path, labels[name])
        for name in names
        for path in sorted((folder / "train" / name / "images").glob("*.JPEG"))
    ]
    annotations = folder / "val" / "val_annotations.txt"
    if not annotations.is_file():
        raise GengapError(f"{annotations} is missing: unpack {ARCHIVE} again.")
    test = []
    for line in annotations.read_text(encoding="utf-8").splitlines():
        file, name, *_ = [*line.split("\t"), "", ""]
        if name not in labels:
            raise GengapError(
                f"{annotations} names the class {name!r}, which has no folder in train: "
                f"unpack {ARCHIVE} again."
            )
        test.append((folder / "val" / "images" / file, labels[name]))
    return _read(folder / "train", train), _read(folder / "val", test)


def _read(folder: Path, files: Sequence[tuple[Path, int]]) -> Samples:
    if not files:
        raise GengapError(f"{folder} holds no images: unpack {ARCHIVE} again.")
    images = np.empty((len(files), *IMAGE_SHAPE), dtype=np.uint8)
    for image, (path, _) in zip(images, files, strict=True):
        image[...] = _decode(path)
    return Samples(images, np.array([label for _, label in files], dtype=np.int64))


def _decode(path: Path) -> NDArray[np.uint8]:
    """An image, (64, 64, 3); grey ones get three equal channels."""
    from PIL import Image  # slow to import, and only this dataset needs it

    try:
        with Image.open(path) as file:
            pixels = np.asarray(file.convert("RGB"))
    # Damaged files raise many kinds of errors in Pillow.
    except Exception as error:
        raise GengapError(f"{path} cannot be read as an image: unpack {ARCHIVE} again.") from error
    if pixels.shape != IMAGE_SHAPE:
        raise GengapError(
            f"{path} has shape {pixels.shape} instead of {IMAGE_SHAPE}: unpack {ARCHIVE} again."
        )
    return pixels
