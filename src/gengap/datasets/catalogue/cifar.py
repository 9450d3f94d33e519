"""CIFAR-10's and CIFAR-100's binary files.

Format: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version": records of one label byte
(CIFAR-100: the coarse, then the fine label) and 3072 image bytes, planes R, G, B of 32x32 by rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gengap.datasets.official import required
from gengap.datasets.samples import Samples
from gengap.errors import GengapError

CHANNELS, SIDE = 3, 32
CIFAR10_CLASSES, CIFAR100_CLASSES = 10, 100
IMAGE_BYTES = CHANNELS * SIDE * SIDE


def read_cifar10(folder: Path) -> tuple[Samples, Samples]:
    """Train and test samples of whichever batches are there; images uint8 (n, 32, 32, 3).

    Train: every ``data_batch_*.bin``. Test: ``test_batch.bin``, or else every ``test_batch*.bin``.

    Raises:
        GengapError: there is no batch of the one or the other, or one is malformed.
    """
    train = sorted(folder.glob("data_batch_*.bin")) or [required(folder / "data_batch_1.bin")]
    test = folder / "test_batch.bin"
    tests = [test] if test.is_file() else sorted(folder.glob("test_batch*.bin"))
    return (
        read_batches(train, label_bytes=1, classes=CIFAR10_CLASSES),
        read_batches(tests or [required(test)], label_bytes=1, classes=CIFAR10_CLASSES),
    )


def read_cifar100(folder: Path) -> tuple[Samples, Samples]:
    """Train and test samples with their fine labels; images uint8 (n, 32, 32, 3).

    Raises:
        GengapError: a file is missing or malformed.
    """
    return (
        read_batches([required(folder / "train.bin")], label_bytes=2, classes=CIFAR100_CLASSES),
        read_batches([required(folder / "test.bin")], label_bytes=2, classes=CIFAR100_CLASSES),
    )


def read_batches(paths: Sequence[Path], label_bytes: int, classes: int) -> Samples:
    """The samples of several files, in their order; the last of the label bytes is the label.

    Raises:
        GengapError: a file's length is no multiple of a record's, or a label is out of range.
    """
    record = label_bytes + IMAGE_BYTES
    parts = []
    for path in paths:
        content = np.fromfile(path, dtype=np.uint8)
        if content.size == 0 or content.size % record:
            raise GengapError(
                f"{path} has {content.size} bytes, no multiple of a record's {record}: "
                "it is truncated or of another format, so fetch the official binary version again."
            )
        records = content.reshape(-1, record)
        if records[:, label_bytes - 1].max() >= classes:
            raise GengapError(
                f"{path} holds a label above {classes - 1}: "
                "it is damaged or of another format, so fetch the official binary version again."
            )
        parts.append(records)
    records = np.concatenate(parts)
    planes = records[:, label_bytes:].reshape(-1, CHANNELS, SIDE, SIDE)
    return Samples(planes.transpose(0, 2, 3, 1), records[:, label_bytes - 1].astype(np.int64))
