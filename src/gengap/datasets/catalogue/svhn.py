"""Street View House Numbers, cropped digits.

Format: http://ufldl.stanford.edu/housenumbers/, "Format 2": MATLAB files with ``X`` uint8
(32, 32, 3, n) and ``y`` (n, 1), labels 1..10 where 10 stands for the digit 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gengap.datasets.official import required
from gengap.datasets.registry import Official, TrainAndTest, dataset
from gengap.datasets.samples import Samples
from gengap.datasets.sources import from_mirrors
from gengap.errors import GengapError

CLASSES = 10
IMAGE_SHAPE = (32, 32, 3)

PUBLISHED_IN = ("http://ufldl.stanford.edu/housenumbers/",)
SVHN = (
    from_mirrors(
        PUBLISHED_IN,
        "train_32x32.mat",
        182_040_794,
        "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    ),
    from_mirrors(
        PUBLISHED_IN,
        "test_32x32.mat",
        64_275_384,
        "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
    ),
)


@dataset("svhn", Official, classes=CLASSES, source=SVHN)
def read_folder(folder: Path) -> TrainAndTest:
    """Read both files of SVHN.

    Args:
        folder: the folder of the files.

    Returns:
        Train and test samples; images uint8 (n, 32, 32, 3), labels are the digits.

    Raises:
        GengapError: a file is missing or malformed.
    """
    return (
        read_mat(required(folder / "train_32x32.mat")),
        read_mat(required(folder / "test_32x32.mat")),
    )


def read_mat(path: Path) -> Samples:
    """Read one MATLAB file.

    Args:
        path: the file.

    Returns:
        Samples; images uint8 (n, 32, 32, 3), labels are the digits.

    Raises:
        GengapError: it is damaged or does not hold cropped digits.
    """
    from scipy.io import loadmat  # slow to import, and only this dataset needs it

    remedy = "it is damaged or of another format, so fetch the official file again."
    try:
        content = loadmat(path, variable_names=["X", "y"])
        images, labels = content["X"], content["y"].ravel()
    # loadmat passes on the errors of the libraries it uses: zlib.error, struct.error, ...
    except Exception as error:
        raise GengapError(f"{path} cannot be read as SVHN's MATLAB file: {remedy}") from error
    if images.shape != (*IMAGE_SHAPE, len(labels)) or images.dtype != np.uint8:
        raise GengapError(f"{path} does not hold one label for each 32x32x3 image: {remedy}")
    if not np.isin(labels, np.arange(1, CLASSES + 1)).all():
        raise GengapError(f"{path} holds labels outside 1..{CLASSES}: {remedy}")
    return Samples(images.transpose(3, 0, 1, 2), labels.astype(np.int64) % CLASSES)
