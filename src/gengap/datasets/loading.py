"""Loading a dataset by name: its samples, a selection of them, and their transforms."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap import names
from gengap.datasets.catalogue import DATASETS
from gengap.datasets.part import PIXELS
from gengap.datasets.registry import Drawn, Entry
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

NAMES: tuple[str, ...] = tuple(names.DATASETS)
"""Every dataset's name."""


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
    noise: float | None = None,
) -> Dataset:
    """Load a dataset by name.

    Args:
        name: one of ``NAMES``.
        data_dir: ``data_dir/name`` holds the official files of ``mnist`` and ``fashion_mnist``
            (IDX, gzipped or unpacked), ``cifar10`` (binary batches, as many as there are),
            ``cifar100`` (binary version), ``svhn`` (cropped digits) and ``stl10`` (binary files).
            By default they are downloaded once into the user's cache. ``tiny_imagenet`` (the
            unpacked archive) is not downloaded. The other datasets need no files.
        seed: chooses the samples and their order, and draws the synthetic datasets.
        train_size: number of training samples, from the official train set where there is one. A
            smaller subset is the beginning of a larger one. By default all of them.
        test_size: number of test samples, likewise. By default all of the official test set, or a
            fifth of all samples where there is none.
        balanced: class counts of each split are equal, or differ by one where its size is no
            multiple of the number of classes.
        transforms: see ``gengap.datasets.transforms.apply``; images come in [0, 1].
        classes: labels to keep, each relabelled by its position here.
        groups: groups of labels, each of which becomes one class, relabelled by its position here;
            labels in none are left out. ``[[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]`` makes CIFAR-2 of
            ``cifar10``. Not together with ``classes``, which is the case of one label a group.
        noise: standard deviation of the noise on the points of ``circles`` (0.08 by default),
            ``moons`` (0.15) and ``two_spirals`` (0.02); other datasets have none.

    Returns:
        Two splits: inputs float32, images (n, H, W, C) or vectors (n, d); labels int64 (n,).

    Raises:
        GengapError: an unknown name, transform, class or group, more samples than there are, a
            missing or damaged file, or a download that fails.
    """
    entry = _entry(name, noise)
    label_groups = _label_groups(name, classes, groups)
    check_size(name, "train_size", train_size)
    check_size(name, "test_size", test_size)

    def order(samples: Samples, part: str) -> NDArray[np.intp]:
        rng = generator(seed, "datasets", name, part)
        return seeded_order(samples.labels, len(label_groups), balanced, rng)

    samples = entry.samples(name, data_dir, seed)
    if isinstance(samples, Samples):
        pool = keep_groups(samples, label_groups)
        train, test = train_test_split(name, pool, train_size, test_size, order(pool, "split"))
    else:
        train, test = (keep_groups(part, label_groups) for part in samples)
        train = subset(name, "train_size", train, train_size, order(train, "train"))
        test = subset(name, "test_size", test, test_size, order(test, "test"))
    inputs = apply(transforms, as_floats(train.inputs), as_floats(test.inputs))
    return Dataset(
        name,
        Split(inputs[0], train.labels, len(label_groups)),
        Split(inputs[1], test.labels, len(label_groups)),
        source=_digest([samples] if isinstance(samples, Samples) else samples),
    )


def load_training(
    name: str,
    *,
    data_dir: str | Path | None = None,
    seed: int = 0,
    train_size: int | None = None,
    balanced: bool = False,
    transforms: Sequence[Mapping[str, Any]] = (),
    noise: float | None = None,
    **labels: Any,
) -> tuple[Split, str]:
    """Load a dataset by name without test data: the official train set, or else all samples.

    Args:
        name: one of ``NAMES``.
        data_dir: folder of official files, see :func:`load`.
        seed: chooses the samples and their order.
        train_size: number of samples; by default all of them.
        balanced: whether class counts are equal.
        transforms: see ``gengap.datasets.transforms.apply``.
        noise: see :func:`load`.
        labels: ``classes`` or ``groups`` to keep, see :func:`load`.

    Returns:
        The training split, and the SHA-256 of what the samples were selected from.

    Raises:
        GengapError: as :func:`load`.
    """
    label_groups = _label_groups(name, labels.get("classes"), labels.get("groups"))
    check_size(name, "train_size", train_size)
    samples = _entry(name, noise).samples(name, data_dir, seed)
    train = samples if isinstance(samples, Samples) else samples[0]
    pool = keep_groups(train, label_groups)
    rng = generator(seed, "datasets", name, "train")
    order = seeded_order(pool.labels, len(label_groups), balanced, rng)
    chosen = subset(name, "train_size", pool, train_size, order)
    inputs, _ = apply(transforms, *2 * [as_floats(chosen.inputs)])
    return Split(inputs, chosen.labels, len(label_groups)), _digest([train])


def _entry(name: str, noise: float | None) -> Entry:
    """Return what the registry knows of a dataset, drawn with the noise that is given, if any."""
    if name not in DATASETS:
        raise GengapError(f"Unknown dataset {name!r}: choose one of {', '.join(NAMES)}.")
    entry = DATASETS[name]
    if noise is None:
        return entry
    if "noise" not in names.DATASETS[name] or not isinstance(entry, Drawn):
        noisy = [known for known, keywords in names.DATASETS.items() if "noise" in keywords]
        raise GengapError(
            f"Dataset {name} has no noise to be set, which {', '.join(noisy)} have: leave it out."
        )
    number = isinstance(noise, int | float) and not isinstance(noise, bool)
    if not number or not 0 <= noise < float("inf"):
        raise GengapError(f"The noise of dataset {name} is {noise!r}: give a number from 0 on.")
    return replace(entry, draw=functools.partial(entry.draw, noise=noise))


def _digest(parts: Iterable[Samples]) -> str:
    """Return the SHA-256 of samples as they are stored."""
    digest = hashlib.sha256()
    for array in (array for part in parts for array in part):
        digest.update(f"{array.dtype.str}{array.shape};".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _label_groups(
    name: str, classes: Sequence[int] | None, groups: Sequence[Sequence[int]] | None
) -> list[list[int]]:
    """The labels that make up each class of what is loaded."""
    available = DATASETS[name].classes
    if groups is None:
        labels = range(available) if classes is None else classes
        check_classes(name, labels, available)
        return [[label] for label in labels]
    if classes is not None:
        raise GengapError(
            f"Dataset {name} is given both classes and groups: give one of them, "
            "since groups of one label each are classes."
        )
    check_groups(name, groups, available)
    return [list(group) for group in groups]


def as_floats(inputs: np.ndarray) -> NDArray[Any]:
    """Return inputs of which pixels became numbers in [0, 1]; others stay as they are."""
    if inputs.dtype not in PIXELS:
        return inputs
    scaled = inputs.astype(np.float32)
    scaled /= np.iinfo(inputs.dtype).max
    return scaled
