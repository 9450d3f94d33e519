"""The datasets by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.catalogue import cifar, fake_images, mnist, svhn, synthetic, tiny_imagenet
from gengap.datasets.official import folder_of
from gengap.datasets.samples import (
    Samples,
    check_classes,
    check_groups,
    check_size,
    keep_groups,
    seeded_order,
    subset,
    train_test_split,
)
from gengap.datasets.split import Dataset, Split
from gengap.datasets.transforms import apply
from gengap.errors import GengapError
from gengap.seeding import generator

DIGITS_WHITE = 16
BYTE_WHITE = 255
# So many points of a synthetic dataset are drawn, from which train and test split are taken.
SYNTHETIC_SAMPLES = 10_000


def _digits() -> Samples:
    """scikit-learn's 1797 handwritten digits, (8, 8, 1), in [0, 1]."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    scaled = (images / DIGITS_WHITE).astype(np.float32)
    return Samples(scaled.reshape(-1, 8, 8, 1), labels.astype(np.int64))


def _iris() -> Samples:
    """Fisher's 150 irises, (4,), in centimetres."""
    from sklearn.datasets import load_iris

    inputs, labels = load_iris(return_X_y=True)
    return Samples(inputs.astype(np.float32), labels.astype(np.int64))


def _intro1d() -> tuple[Samples, Samples]:
    """Six points on a line in three stretches, (1,): the introduction of Sabanayagam et al. (2023).

    The test split is the same six.
    """
    inputs = np.array([[0.5], [1.0], [1.1], [1.3], [1.4], [1.45]], dtype=np.float32)
    samples = Samples(inputs, np.array([0, 1, 1, 1, 0, 0]))
    return samples, samples


EMBEDDED: dict[str, Callable[[], Samples]] = {"digits": _digits, "iris": _iris}
WITH_TEST: dict[str, Callable[[], tuple[Samples, Samples]]] = {"intro1d": _intro1d}
OFFICIAL: dict[str, Callable[[Path], tuple[Samples, Samples]]] = {
    "mnist": mnist.read_folder,
    "fashion_mnist": mnist.read_folder,
    "cifar10": cifar.read_cifar10,
    "cifar100": cifar.read_cifar100,
    "svhn": svhn.read_folder,
}
LOCAL: dict[str, Callable[[Path], tuple[Samples, Samples]]] = {
    "tiny_imagenet": tiny_imagenet.read_folder,
}
SYNTHETIC: dict[str, Callable[[int, np.random.Generator], Samples]] = {
    "gaussians": synthetic.gaussians,
    "two_spirals": synthetic.two_spirals,
    "circles": synthetic.circles,
    "moons": synthetic.moons,
    "checkerboard": synthetic.checkerboard,
    "gauss_mixture": synthetic.gauss_mixture,
    "hierarchical": synthetic.hierarchical,
    "checkerboard_linear": synthetic.checkerboard_linear,
    "checkerboard_noisy": synthetic.checkerboard_noisy,
    "fake_images": fake_images.fake_images,
}
CLASSES = {
    "digits": 10,
    "mnist": mnist.CLASSES,
    "fashion_mnist": mnist.CLASSES,
    "cifar10": cifar.CIFAR10_CLASSES,
    "cifar100": cifar.CIFAR100_CLASSES,
    "svhn": svhn.CLASSES,
    "tiny_imagenet": tiny_imagenet.CLASSES,
    "iris": 3,
    "gaussians": synthetic.GAUSSIAN_CLASSES,
    "two_spirals": 2,
    "circles": 2,
    "moons": 2,
    "checkerboard": 2,
    "intro1d": 2,
    "gauss_mixture": len(synthetic.MIXTURE_CENTRES),
    "hierarchical": len(synthetic.HIERARCHICAL_CENTRES),
    "checkerboard_linear": 2,
    "checkerboard_noisy": 2,
    "fake_images": fake_images.FAKE_CLASSES,
}
NAMES: tuple[str, ...] = tuple(CLASSES)


def load(
    name: str,
    *,
    data_dir: str | Path | None = None,
    seed: int = 0,
    train_size: int | None = None,
    test_size: int | None = None,
    balanced: bool = False,
    transforms: Sequence[Mapping[str, Any]] = (),
    classes: Sequence[int] | None = None,
    groups: Sequence[Sequence[int]] | None = None,
) -> Dataset:
    """Load a dataset by name.

    Args:
        name: one of ``NAMES``.
        data_dir: ``data_dir/name`` holds the official files of ``mnist`` and ``fashion_mnist``
            (IDX, gzipped or unpacked), ``cifar10`` (binary batches, as many as there are),
            ``cifar100`` (binary version), ``svhn`` (cropped digits). Left out, they are downloaded
            once into the user's cache. ``tiny_imagenet`` (the unpacked archive) is not downloaded.
            The other datasets need no files.
        seed: chooses the samples and their order, and draws the synthetic datasets.
        train_size, test_size: numbers of samples, from the official train and test sets where there
            are such. A smaller subset is the beginning of a larger one. Left out: all there are;
            of a dataset without official test set, a fifth is for the test.
        balanced: class counts of each split are equal, or differ by one where its size is no
            multiple of the number of classes.
        transforms: see ``gengap.datasets.transforms.apply``; images come in [0, 1].
        classes: labels to keep, each relabelled by its position here.
        groups: groups of labels, each of which becomes one class, relabelled by its position here;
            labels in none are left out. ``[[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]`` makes CIFAR-2 of
            ``cifar10``. Not together with ``classes``, which is the case of one label a group.

    Returns:
        Two splits: inputs float32, images (n, H, W, C) or vectors (n, d); labels int64 (n,).

    Raises:
        GengapError: an unknown name, transform, class or group, more samples than there are, a
            missing or damaged file, or a download that fails.
    """
    if name not in CLASSES:
        raise GengapError(f"Unknown dataset {name!r}: choose one of {', '.join(NAMES)}.")
    kept = _groups(name, classes, groups)
    check_size(name, "train_size", train_size)
    check_size(name, "test_size", test_size)

    def order(samples: Samples, part: str) -> NDArray[np.intp]:
        rng = generator(seed, "datasets", name, part)
        return seeded_order(samples.labels, len(kept), balanced, rng)

    if name in OFFICIAL or name in LOCAL or name in WITH_TEST:
        parts = _parts(name, data_dir)
        train, test = (keep_groups(part, kept) for part in parts)
        train = subset(name, "train_size", train, train_size, order(train, "train"))
        test = subset(name, "test_size", test, test_size, order(test, "test"))
    else:
        pool = keep_groups(_pool(name, seed), kept)
        train, test = train_test_split(name, pool, train_size, test_size, order(pool, "split"))
    inputs = apply(transforms, _as_floats(train.inputs), _as_floats(test.inputs))
    return Dataset(
        name,
        Split(inputs[0], train.labels, len(kept)),
        Split(inputs[1], test.labels, len(kept)),
    )


def _groups(
    name: str, classes: Sequence[int] | None, groups: Sequence[Sequence[int]] | None
) -> list[list[int]]:
    """The labels that make up each class of what is loaded."""
    if groups is None:
        kept = range(CLASSES[name]) if classes is None else classes
        check_classes(name, kept, CLASSES[name])
        return [[label] for label in kept]
    if classes is not None:
        raise GengapError(
            f"Dataset {name} is given both classes and groups: give one of them, "
            "since groups of one label each are classes."
        )
    check_groups(name, groups, CLASSES[name])
    return [list(group) for group in groups]


def _parts(name: str, data_dir: str | Path | None) -> tuple[Samples, Samples]:
    if name in WITH_TEST:
        return WITH_TEST[name]()
    if name in LOCAL:
        return LOCAL[name](tiny_imagenet.local_folder(name, data_dir))
    return OFFICIAL[name](folder_of(name, data_dir))


def _pool(name: str, seed: int) -> Samples:
    if name in EMBEDDED:
        return EMBEDDED[name]()
    return SYNTHETIC[name](SYNTHETIC_SAMPLES, generator(seed, "datasets", name, "points"))


def _as_floats(inputs: np.ndarray) -> NDArray[np.float32]:
    """Bytes become [0, 1]; a float32 array stays as it is."""
    if inputs.dtype != np.uint8:
        return inputs
    scaled = inputs.astype(np.float32)
    scaled /= BYTE_WHITE
    return scaled
