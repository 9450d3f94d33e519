"""Datasets of a user's own: read, labelled by class, divided and transformed like the others."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.arrays import read_arrays
from gengap.datasets.folders import read_images
from gengap.datasets.functions import call
from gengap.datasets.grouped import grouped_rows
from gengap.datasets.loading import as_floats, load, load_training
from gengap.datasets.part import PIXELS, Part, listed
from gengap.datasets.samples import (
    TEST_FRACTION,
    Samples,
    check_size,
    seeded_order,
    subset,
    train_test_split,
)
from gengap.datasets.split import Dataset, Split
from gengap.datasets.tables import read_rows
from gengap.datasets.targets import (
    Selection,
    are_numbers,
    as_targets,
    classes_of,
    tidied,
)
from gengap.datasets.transforms import apply
from gengap.errors import GengapError
from gengap.planning.datasets import check_dataset, data_format, data_version, function_of
from gengap.seeding import generator

log = logging.getLogger(__name__)

Rows = NDArray[np.intp]

NO_TEST = 0
"""The ``test_size`` of a dataset without test data."""
OF_TWO_PARTS = ("test", "test_inputs", "test_labels", "train_size", "test_size", "balanced")
"""Keys of a dataset that choose training or test data."""


def load_own(mapping: Mapping[str, Any], *, seed: int = 0, folder: str | Path = ".") -> Dataset:
    """Load a dataset of a user's own, with its test data.

    Args:
        mapping: what a config says under ``dataset``. ``from`` is a folder of class folders with
            images, a file of arrays (.npz, .safetensors), a table (.csv, .parquet, .arrow,
            .feather), or ``file.py:function``. ``test`` is the like for the test data; without it
            and without test arrays, ``test_size`` samples (a count, a fraction below 1, or a fifth)
            are split off. Further keys are described in the schema of configs.
        seed: chooses the samples and their order.
        folder: what relative paths are relative to.

    Returns:
        Two splits: inputs float32, channels last, or int64 tokens; labels int64 with the names of
        classes, or float32 numbers; the groups of rows where ``groups`` names them.

    Raises:
        GengapError: a key, a file or a value that makes no dataset, in one sentence.
    """
    train, test, source = _splits(mapping, seed, Path(folder))
    if test is None:
        raise GengapError(
            f"The dataset {mapping['from']} has no test data, since test_size is 0: leave it out, "
            "or load the training data alone."
        )
    data = Dataset(str(mapping["from"]), train, test, source=source)
    _report(data)
    return data


def load_own_training(
    mapping: Mapping[str, Any], *, seed: int = 0, folder: str | Path = "."
) -> tuple[Split, str]:
    """Load a dataset of a user's own without test data: all samples, or ``train_size`` of them.

    Args:
        mapping: see :func:`load_own`; test data that it names are left aside.
        seed: chooses the samples and their order.
        folder: what relative paths are relative to.

    Returns:
        The training split, and the SHA-256 of what the samples were selected from.

    Raises:
        GengapError: as :func:`load_own`.
    """
    train, _, source = _splits({**mapping, "test_size": NO_TEST}, seed, Path(folder))
    return train, source


def load_described(
    mapping: Mapping[str, Any], *, data_dir: str | Path | None = None, seed: int = 0
) -> tuple[Split, Split | None, str]:
    """Load the dataset that a config describes: a named one, or one of a user's own.

    Args:
        mapping: what the config says under ``dataset``, with ``name`` or ``from``.
        data_dir: folder of official files, see :func:`gengap.datasets.load`.
        seed: chooses the samples and their order.

    Returns:
        The training split; the test split, or None where ``test_size`` is 0; and the SHA-256 of
        what the samples were selected from.

    Raises:
        GengapError: as :func:`gengap.datasets.load` and :func:`load_own`.
    """
    keys = dict(mapping)
    if keys.get("test_size") == NO_TEST:
        del keys["test_size"]
        if "from" in keys:
            train, source = load_own_training(keys, seed=seed)
        else:
            train, source = load_training(keys.pop("name"), data_dir=data_dir, seed=seed, **keys)
        return train, None, source
    if "from" in keys:
        data = load_own(keys, seed=seed)
    else:
        data = load(keys.pop("name"), data_dir=data_dir, seed=seed, **keys)
    return data.train, data.test, data.source


def _splits(mapping: Mapping[str, Any], seed: int, folder: Path) -> tuple[Split, Split | None, str]:
    """Read the training and the test split, and digest what they were selected from."""
    keys: dict[str, Any] = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in mapping.items()
        if value is not None
    }
    if "from" not in keys:
        raise GengapError(
            "The dataset has no key 'from': give a folder, a file or a function there, or load a "
            "dataset of the library by its name."
        )
    check_dataset(keys, "The dataset", folder)
    train, test = _read(keys, folder, seed)
    source: str = keys["from"]
    parts = [part for part in (train, test) if part is not None]
    _check_alike(*parts)
    parts, classes, class_names = _labelled(parts, keys)
    if classes == 1:
        raise GengapError(
            f"All samples of {source} are of one class: give samples of two classes or more."
        )
    parts = _numbered_groups(parts)
    selected = _selected(parts, classes, class_names, keys, seed)
    floats = [as_floats(part.inputs) for part in selected]
    inputs = apply(keys.get("transforms", ()), floats[0], floats[-1])
    splits = [
        Split(array, part.labels, classes, class_names=class_names, groups=part.groups)
        for array, part in zip(inputs, selected, strict=False)  # test data may be absent
    ]
    versions = " ".join(data_version(keys, folder))
    digest = hashlib.sha256(versions.encode()).hexdigest()
    return splits[0], splits[1] if len(splits) > 1 else None, digest


def read_data(path: str | Path, **keys: Any) -> Split:
    """Read one file, or one folder of class folders, of a user's own as one split.

    Args:
        path: a file .npz, .safetensors (one that ``write_split`` wrote among them), .csv, .parquet,
            .arrow or .feather; or a folder of class folders with images.
        keys: those of a config's dataset that say what the file holds: ``inputs``, ``labels``,
            ``layout``, ``kind``, ``target``; ``label`` and ``features`` of a table; ``classes`` and
            ``groups``; ``transforms``, of which ``normalise`` uses the data themselves.

    Returns:
        All samples, in the order of the file.

    Raises:
        GengapError: as :func:`load_own`.
    """
    keys = {key: value for key, value in keys.items() if value is not None} | {"from": str(path)}
    check_dataset(keys, "The call of read_data")
    if data_format(str(path)) == "function":
        raise GengapError(f"{path} names a function, not a file: load it as a dataset.")
    for key in OF_TWO_PARTS:
        if key in keys:
            raise GengapError(
                f"read_data reads {path} whole, as one split, so it has no use for '{key}': leave "
                "it out, or call load_own."
            )
    train, _ = _read(keys, Path(), seed=0)
    (part,), classes, class_names = _labelled([train], keys)
    (part,) = _numbered_groups([part])
    inputs, _ = apply(keys.get("transforms", ()), *2 * [as_floats(part.inputs)])
    return Split(inputs, part.labels, classes, class_names=class_names, groups=part.groups)


def _read(keys: Mapping[str, Any], folder: Path, seed: int) -> tuple[Part, Part | None]:
    """Read the training data, or a pool, and the test data where there are any."""
    source: str = keys["from"]
    form = data_format(source, folder)
    if form == "function":
        path, name = function_of(source)
        return call(folder / path, name, keys, seed)
    if form == "arrays":
        train, test = read_arrays(folder / source, source, keys)
        if "test" not in keys:
            return train, test
        if test is not None:
            raise GengapError(
                f"{source} holds test data, and 'test' names {keys['test']} as well: leave one out."
            )
        return train, read_arrays(folder / keys["test"], keys["test"], keys)[0]

    if form == "folder":
        transforms = keys.get("transforms", ())
        images = [read_images(folder / keys[key], keys[key], transforms)
                  for key in ("from", "test") if key in keys]  # fmt: skip
        return images[0], images[1] if len(images) > 1 else None
    train = read_rows(folder / source, source, keys)
    if "test" not in keys:
        return train, None
    # Columns of the test table are taken by name, whatever their order.
    features = {"features": list(train.features)}
    return train, read_rows(folder / keys["test"], keys["test"], {**keys, **features})


def _check_alike(train: Part, test: Part | None = None) -> None:
    """Refuse test data whose inputs mean something else than those of the training data."""
    if test is None:
        return
    if train.features != test.features and train.features and test.features:
        raise GengapError(
            f"The columns of {train.where} are {listed(map(repr, train.features))} but those of "
            f"{test.where} are {listed(map(repr, test.features))}: give both the same, in one "
            "order."
        )
    for pixels, other in ((train, test), (test, train)):
        inputs = other.inputs
        if pixels.inputs.dtype not in PIXELS or inputs.dtype in PIXELS:
            continue
        if inputs.min() < 0 or inputs.max() > 1:
            raise GengapError(
                f"The pixels of {pixels.where} are {pixels.inputs.dtype} and become numbers in "
                f"[0, 1], but those of {other.where} are {inputs.dtype} from {inputs.min()} to "
                f"{inputs.max()}: give both in one type and one scale."
            )


def _labelled(
    parts: Sequence[Part], keys: Mapping[str, Any]
) -> tuple[list[Part], int, tuple[str, ...]]:
    """Return parts with labels of a split, the number of classes and their names."""
    target = keys.get("target")
    parts = [tidied(part, target) for part in parts]
    train = parts[0]
    is_number = _is_number(train, target)
    for part in parts[1:]:
        if part.classes is not None and (part.classes == 0) != is_number:
            kinds = ("numbers", "classes") if is_number else ("classes", "numbers")
            raise GengapError(
                f"The labels of {train.where} are {kinds[0]} but those of {part.where} are "
                f"{kinds[1]}: give both alike."
            )
    if is_number:
        for key in ("classes", "groups", "balanced"):
            if keys.get(key) and not isinstance(keys[key], str):
                raise GengapError(
                    f"The labels of {train.where} are numbers, so there are no classes to select "
                    f"or to balance: leave '{key}' out."
                )
        return [replace(part, labels=as_targets(part.labels, part.where)) for part in parts], 0, ()
    classes = classes_of(train, _selection(keys))
    numbered = [replace(part, labels=classes.number(part)) for part in parts]
    remaining = [part.take(np.flatnonzero(part.labels >= 0)) for part in numbered]
    return remaining, len(classes.values), classes.names


def _is_number(part: Part, target: str | None) -> bool:
    """Tell whether tidy labels are numbers to predict, not classes."""
    if part.classes is not None:
        return part.classes == 0
    return are_numbers(part.labels, target, part.where)


def _selection(keys: Mapping[str, Any]) -> Selection | None:
    """Return the labels that make up each class, where the user says so."""
    classes, groups = keys.get("classes"), keys.get("groups")
    groups = None if isinstance(groups, str) else groups
    if classes is not None and groups is not None:
        raise GengapError(
            f"Dataset {keys['from']} is given both classes and groups of labels: give one of them, "
            "since groups of one label each are classes."
        )
    selection = groups if classes is None else [[label] for label in classes]
    if selection is None:
        return None
    labels = [label for group in selection for label in group]
    if len(selection) < 2 or len(set(labels)) < len(labels) or not all(map(len, selection)):
        raise GengapError(
            f"The classes or groups {listed(selection)} of dataset {keys['from']} do not make two "
            "classes or more: name different labels, each once."
        )
    return selection


def _numbered_groups(parts: Sequence[Part]) -> list[Part]:
    """Number the groups of rows from 0, alike in all parts, of which no two may share a group."""
    values = [part.groups for part in parts if part.groups is not None]
    if not values:
        return list(parts)
    if len(values) < len(parts):
        with_groups, without = sorted(parts, key=lambda part: part.groups is None)
        raise GengapError(
            f"{with_groups.where} tells the groups of its rows but {without.where} does not: give "
            "those of both, or leave 'groups' out."
        )
    distinct, numbers = np.unique(np.concatenate(values), return_inverse=True)
    if len(values) > 1:
        shared = np.intersect1d(values[0], values[1])
        if shared.size:
            raise GengapError(
                f"{parts[0].where} and {parts[1].where} share {shared.size} of {len(distinct)} "
                f"groups ({listed(shared)}): divide the rows by group, or leave 'groups' out."
            )
    ends = np.cumsum([len(groups) for groups in values])
    pieces = np.split(numbers.astype(np.int64), ends[:-1])
    return [replace(part, groups=piece) for part, piece in zip(parts, pieces, strict=True)]


def _selected(
    parts: Sequence[Part],
    classes: int,
    class_names: Sequence[str],
    keys: Mapping[str, Any],
    seed: int,
) -> list[Part]:
    """Return the training and the test data: what the sizes leave of the parts.

    A part of which nothing is to be selected keeps its order, so that what else a user has of its
    rows, such as the labels that a network was trained on, belongs to them. All else is in seeded
    order.
    """
    name: str = keys["from"]
    balanced = bool(keys.get("balanced"))
    train_size: int | None = keys.get("train_size")
    check_size(name, "train_size", train_size)

    def order(part: Part, purpose: str) -> Rows:
        rng = generator(seed, "datasets", "own", purpose)
        absent = _absent(part.labels, classes, class_names) if balanced else []
        if absent:
            raise GengapError(
                f"{part.where} has no sample of class {listed(map(repr, absent))}, so classes "
                "cannot be balanced: leave 'balanced' out, or choose others by 'classes'."
            )
        return seeded_order(part.labels, classes, balanced, rng)

    def chosen(part: Part, key: str, size: int | None, purpose: str) -> Part:
        if size is None and not balanced:
            return part
        return part.take(subset(name, key, _row_numbers(part), size, order(part, purpose)).inputs)

    if keys.get("test_size") == NO_TEST:
        return [chosen(parts[0], "train_size", train_size, "train")]
    if len(parts) == 1 and parts[0].groups is None:
        (pool,) = parts
        rows = order(pool, "split")
        test_size = _count(name, keys, len(rows))
        _check_division(keys, len(rows), test_size)
        sides = train_test_split(name, _row_numbers(pool), train_size, test_size, rows)
        return [pool.take(sides[0].inputs), pool.take(sides[1].inputs)]
    if len(parts) == 1:
        train, test = _divided_by_group(parts[0], keys, seed)
        test_size = None
    else:
        train, test = parts
        test_size = _count(name, keys, len(test.labels))
    return [
        chosen(train, "train_size", train_size, "train"),
        chosen(test, "test_size", test_size, "test"),
    ]


def _absent(labels: np.ndarray, classes: int, class_names: Sequence[str]) -> list[str]:
    """Return the names, or else the numbers, of classes without samples."""
    absent = np.setdiff1d(np.arange(classes), labels).tolist()
    return [class_names[k] if class_names else str(k) for k in absent]


def _check_division(keys: Mapping[str, Any], available: int, test_size: int | None) -> None:
    """Refuse a size of one side of a pool that leaves nothing for the other.

    Raises:
        GengapError: the size leaves nothing, or there are too few samples for a division.
    """
    name, train_size = keys["from"], keys.get("train_size")
    if train_size is None and test_size is None and round(TEST_FRACTION * available) < 1:
        fault = "of which a fifth is none: give more samples, or 'test_size'"
    elif train_size is None and test_size is not None and test_size >= available:
        fault = f"of which test_size={keys['test_size']} leaves none for training: ask for fewer"
    elif test_size is None and train_size is not None and train_size >= available:
        fault = f"of which train_size={train_size} leaves none for the test data: ask for fewer"
    else:
        return
    raise GengapError(f"Dataset {name} has {available} samples, {fault}.")


def _divided_by_group(pool: Part, keys: Mapping[str, Any], seed: int) -> tuple[Part, Part]:
    """Divide a pool so that rows of one group stay on one side."""
    assert pool.groups is not None
    available = len(pool.labels)
    train_size: int | None = keys.get("train_size")
    wanted = _count(keys["from"], keys, available)
    _check_division(keys, available, wanted)
    if wanted is None:
        wanted = available - train_size if train_size else round(TEST_FRACTION * available)
    most = available - (train_size or 1)
    if not 1 <= wanted <= available - 1 or most < 1:
        raise GengapError(
            f"Dataset {keys['from']} has {available} samples, which do not make "
            f"train_size={train_size} and test_size={wanted}: ask for at least one each and "
            f"{available} in all at most."
        )
    rng = generator(seed, "datasets", "own", "groups")
    is_test = grouped_rows(pool.groups, wanted, most, rng)
    if is_test.sum() != wanted:
        log.warning(
            "%s: whole groups make a test set of %d, where %d were wanted",
            pool.where, is_test.sum(), wanted,
        )  # fmt: skip
    return pool.take(np.flatnonzero(~is_test)), pool.take(np.flatnonzero(is_test))


def _row_numbers(part: Part) -> Samples:
    """Return the rows' numbers in the place of inputs, so that images are copied once only."""
    return Samples(np.arange(len(part.labels)), part.labels)


def _count(name: str, keys: Mapping[str, Any], available: int) -> int | None:
    """Return ``test_size`` as a number of samples."""
    size = keys.get("test_size")
    if isinstance(size, float) and 0 < size < 1:
        return max(1, round(size * available))
    if isinstance(size, float) and size == 1:
        raise GengapError(
            f"test_size=1.0 of dataset {name} may be one sample or all: write 1 for one, or a "
            "fraction below 1."
        )
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    check_size(name, "test_size", size)
    count: int | None = size
    return count


def _report(data: Dataset) -> None:
    """Say what was read, and which classes have no samples on one side."""
    train, test = data.train, data.test
    targets = "numbers" if train.has_numbers else f"{train.classes} classes"
    log.info(
        "%s: %d training and %d test samples, %s %s, %s",
        data.name, len(train.labels), len(test.labels), train.kind, data.input_shape, targets,
    )  # fmt: skip
    for split, side in ((train, "training"), (test, "test")):
        absent = _absent(split.labels, train.classes, train.class_names)
        if absent:
            log.warning("%s: no %s sample of class %s", data.name, side, listed(absent))
