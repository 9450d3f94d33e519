"""CIFAR-10 and CIFAR-100, from their binary files.

Format: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version": records of one label byte
(CIFAR-100: the coarse, then the fine label) and 3072 image bytes, planes R, G, B of 32x32 by rows.
The SHA-256 below are as published beside the authors' own MD5.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gengap.datasets.official import required
from gengap.datasets.registry import Official, TrainAndTest, dataset
from gengap.datasets.samples import Samples
from gengap.datasets.sources import Download, File
from gengap.errors import GengapError

CHANNELS, SIDE = 3, 32
CIFAR10_CLASSES, CIFAR100_CLASSES = 10, 100
IMAGE_BYTES = CHANNELS * SIDE * SIDE

PUBLISHED_IN = "https://www.cs.toronto.edu/~kriz/"
CIFAR10_BATCH_BYTES = 30_730_000
CIFAR10 = (
    Download(
        File(
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
        (PUBLISHED_IN + "cifar-10-binary.tar.gz",),
        member_folder="cifar-10-batches-bin",
        members=(
            File(
                "data_batch_1.bin",
                CIFAR10_BATCH_BYTES,
                "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
            ),
            File(
                "data_batch_2.bin",
                CIFAR10_BATCH_BYTES,
                "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
            ),
            File(
                "data_batch_3.bin",
                CIFAR10_BATCH_BYTES,
                "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
            ),
            File(
                "data_batch_4.bin",
                CIFAR10_BATCH_BYTES,
                "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
            ),
            File(
                "data_batch_5.bin",
                CIFAR10_BATCH_BYTES,
                "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
            ),
            File(
                "test_batch.bin",
                CIFAR10_BATCH_BYTES,
                "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            ),
        ),
    ),
)
CIFAR100 = (
    Download(
        File(
            "cifar-100-binary.tar.gz",
            168_513_733,
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
        (PUBLISHED_IN + "cifar-100-binary.tar.gz",),
        member_folder="cifar-100-binary",
        members=(
            File(
                "train.bin",
                153_700_000,
                "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
            ),
            File(
                "test.bin",
                30_740_000,
                "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
            ),
        ),
    ),
)


@dataset("cifar10", Official, classes=CIFAR10_CLASSES, source=CIFAR10)
def read_cifar10(folder: Path) -> TrainAndTest:
    """Read CIFAR-10 from the batches that are present.

    Train: every ``data_batch_*.bin``. Test: ``test_batch.bin``, or else every ``test_batch*.bin``.

    Args:
        folder: the folder of the batches.

    Returns:
        Train and test samples; images uint8 (n, 32, 32, 3).

    Raises:
        GengapError: there is no training or no test batch, or one is malformed.
    """
    train = sorted(folder.glob("data_batch_*.bin")) or [required(folder / "data_batch_1.bin")]
    test = folder / "test_batch.bin"
    tests = [test] if test.is_file() else sorted(folder.glob("test_batch*.bin"))
    return (
        read_batches(train, label_bytes=1, classes=CIFAR10_CLASSES),
        read_batches(tests or [required(test)], label_bytes=1, classes=CIFAR10_CLASSES),
    )


@dataset("cifar100", Official, classes=CIFAR100_CLASSES, source=CIFAR100)
def read_cifar100(folder: Path) -> TrainAndTest:
    """Read CIFAR-100 with its fine labels.

    Args:
        folder: the folder of ``train.bin`` and ``test.bin``.

    Returns:
        Train and test samples; images uint8 (n, 32, 32, 3).

    Raises:
        GengapError: a file is missing or malformed.
    """
    return (
        read_batches([required(folder / "train.bin")], label_bytes=2, classes=CIFAR100_CLASSES),
        read_batches([required(folder / "test.bin")], label_bytes=2, classes=CIFAR100_CLASSES),
    )


def read_batches(paths: Sequence[Path], label_bytes: int, classes: int) -> Samples:
    """Read the records of several files, in their order.

    Args:
        paths: the files.
        label_bytes: number of bytes in front of each image; the last one is the label.
        classes: number of classes.

    Returns:
        Samples; images uint8 (n, 32, 32, 3).

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
