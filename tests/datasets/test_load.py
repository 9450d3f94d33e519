"""Which samples ``load`` gives, of the datasets that need no files."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from gengap import names
from gengap.datasets import NAMES, load, load_training
from gengap.datasets.catalogue import DATASETS
from gengap.datasets.transforms import FUNCTIONS
from gengap.errors import GengapError


def rows(inputs: np.ndarray, labels: np.ndarray) -> list[tuple[float, ...]]:
    """Samples as sortable tuples that end in the label."""
    flat = np.column_stack([inputs.reshape(len(inputs), -1), labels])
    return sorted(map(tuple, flat.tolist()))


def test_digits_are_scikit_learns_each_once() -> None:
    data = load("digits")
    assert data.input_shape == (8, 8, 1)
    assert (len(data.train.labels), len(data.test.labels)) == (1797 - 359, 359)
    images, labels = load_digits(return_X_y=True)
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    joined = np.concatenate([data.train.labels, data.test.labels])
    assert rows(inputs, joined) == rows(images.astype(np.float32) / 16, labels)
    assert not np.array_equal(joined, labels)


@pytest.mark.parametrize(
    ("name", "original", "features"),
    [
        ("iris", load_iris, 4),
        ("wine", load_wine, 13),
        ("breast_cancer", load_breast_cancer, 30),
    ],
)
def test_tables_are_scikit_learns_each_row_once(
    name: str, original: Callable[..., Any], features: int
) -> None:
    data = load(name, train_size=100)
    assert data.input_shape == (features,)
    assert len(data.train.labels) == 100
    inputs, labels = original(return_X_y=True)
    assert data.train.classes == len(np.unique(labels))
    whole = load(name, test_size=50)
    joined = np.concatenate([whole.train.inputs, whole.test.inputs])
    all_labels = np.concatenate([whole.train.labels, whole.test.labels])
    assert rows(joined, all_labels) == rows(inputs.astype(np.float32), labels)


@pytest.mark.parametrize("name", ["digits", "iris", "moons"])
def test_the_seed_alone_decides(name: str) -> None:
    one, same, other = (load(name, seed=seed, train_size=40) for seed in (3, 3, 4))
    for part in ("train", "test"):
        assert np.array_equal(getattr(one, part).inputs, getattr(same, part).inputs)
        assert np.array_equal(getattr(one, part).labels, getattr(same, part).labels)
    assert not np.array_equal(one.train.inputs, other.train.inputs)


def test_a_smaller_subset_is_the_beginning_of_a_larger_one() -> None:
    for balanced in (False, True):
        small = load("digits", train_size=30, test_size=200, balanced=balanced)
        large = load("digits", train_size=900, test_size=200, balanced=balanced)
        assert np.array_equal(small.train.inputs, large.train.inputs[:30])
        assert np.array_equal(small.test.inputs, large.test.inputs)


@pytest.mark.parametrize(("train_size", "test_size"), [(600, 400), (603, 397), (7, 13)])
def test_balanced_counts_differ_by_one_at_most(train_size: int, test_size: int) -> None:
    data = load("digits", train_size=train_size, test_size=test_size, balanced=True, seed=1)
    for split, size in ((data.train, train_size), (data.test, test_size)):
        counts = np.bincount(split.labels, minlength=10)
        assert counts.sum() == size
        assert counts.max() - counts.min() == (1 if size % 10 else 0)
    both = rows(data.train.inputs, data.train.labels) + rows(data.test.inputs, data.test.labels)
    assert len(set(both)) == train_size + test_size


def test_balanced_subsets_of_two_seeds_hold_other_samples() -> None:
    one, other = (load("digits", train_size=50, balanced=True, seed=s).train for s in (0, 1))
    shared = set(rows(one.inputs, one.labels)) & set(rows(other.inputs, other.labels))
    assert len(shared) < 10  # 50 * 50 / 1797 = 1.4 are expected


def test_balanced_all_takes_as_many_as_the_rarest_class_has() -> None:
    rarest = np.bincount(load_digits().target).min()
    data = load("digits", balanced=True)
    assert len(data.train.labels) + len(data.test.labels) == 10 * rarest


@pytest.mark.slow
def test_unbalanced_subsets_are_a_fair_draw() -> None:
    """Over seeds, the share of a class in a small subset has the mean and spread of a draw."""
    share = np.mean(load_digits().target == 0)
    counts = [
        int(np.sum(load("digits", seed=s, train_size=60).train.labels == 0)) for s in range(80)
    ]
    spread = np.sqrt(60 * share * (1 - share))
    assert abs(np.mean(counts) - 60 * share) < 4 * spread / np.sqrt(80)
    assert np.std(counts) > 0.5 * spread


def test_classes_are_kept_and_relabelled_by_position() -> None:
    data = load("digits", classes=(7, 2), test_size=100)
    images, labels = load_digits(return_X_y=True)
    selected = np.isin(labels, (2, 7))
    relabelled = np.where(labels[selected] == 7, 0, 1)
    expected = rows(images[selected].astype(np.float32) / 16, relabelled)
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    assert rows(inputs, np.concatenate([data.train.labels, data.test.labels])) == expected
    assert (data.classes, data.test.classes) == (2, 2)


def test_groups_of_labels_become_classes() -> None:
    data = load("digits", groups=[[1, 8], [3], [0, 9]], test_size=100)
    images, labels = load_digits(return_X_y=True)
    group = np.array([2, 0, -1, 1, -1, -1, -1, -1, 0, 2])[labels]
    expected = rows(images[group >= 0].astype(np.float32) / 16, group[group >= 0])
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    assert rows(inputs, np.concatenate([data.train.labels, data.test.labels])) == expected
    assert (data.classes, data.test.classes) == (3, 3)


def test_balanced_groups_have_equal_counts() -> None:
    rest = [label for label in range(10) if label != 4]
    data = load("digits", groups=[[4], rest], train_size=200, test_size=40, balanced=True)
    assert np.bincount(data.train.labels).tolist() == [100, 100]


def test_groups_of_one_label_are_classes() -> None:
    one, other = load("digits", groups=[[7], [2]]), load("digits", classes=[7, 2])
    assert np.array_equal(one.train.inputs, other.train.inputs)
    assert np.array_equal(one.train.labels, other.train.labels)


@pytest.mark.parametrize(
    ("name", "keywords", "sentence"),
    [
        ("digit", {}, "Unknown dataset 'digit': choose one of digits, mnist,"),
        ("digits", {"train_size": 1500, "test_size": 400}, "digits has 1797 samples.*1500.*400"),
        ("digits", {"train_size": 1797}, "digits has 1797 samples.*test_size=0"),
        ("digits", {"train_size": 2000}, "digits has 1797 samples"),
        ("digits", {"train_size": 1740, "balanced": True, "test_size": 1}, "digits has 1740"),
        ("iris", {"test_size": 60, "classes": (0, 1), "train_size": 60}, "iris has 100 samples"),
        ("digits", {"train_size": 0}, "train_size=0 of dataset digits must be"),
        ("digits", {"test_size": 10.0}, r"test_size=10\.0 of dataset digits must be"),
        ("digits", {"test_size": True}, "test_size=True of dataset digits must be"),
        ("digits", {"classes": (3, 10)}, r"classes=\[3, 10\] does not fit dataset digits.*0\.\.9"),
        ("digits", {"classes": (3, 3)}, r"classes=\[3, 3\]"),
        ("digits", {"classes": ("3", "4")}, r"classes=\['3', '4'\]"),
        ("digits", {"classes": (3,)}, "two or more"),
        ("digits", {"classes": ()}, "two or more"),
        ("digits", {"groups": [[0, 1]]}, r"groups=\[\[0, 1\]\] does not fit dataset digits"),
        ("digits", {"groups": [[0, 1], []]}, "none empty"),
        ("digits", {"groups": [[0, 1], [1, 2]]}, "no label in two"),
        ("digits", {"groups": [[0], [10]]}, r"labels of 0\.\.9"),
        ("digits", {"groups": [[0], [1]], "classes": (0, 1)}, "both classes and groups"),
    ],
)
def test_what_cannot_be_given_is_refused(
    name: str, keywords: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        load(name, **keywords)


NEED_FILES = ("mnist", "fashion_mnist", "cifar10", "cifar100", "svhn", "stl10", "tiny_imagenet")


@pytest.fixture
def dataset_schema(root: Path) -> dict[str, Any]:
    """What the config may say of a dataset."""
    path = root / "workflow" / "schemas" / "config.schema.yaml"
    properties: dict[str, Any] = yaml.safe_load(path.read_text())["$defs"]["dataset"]["properties"]
    return properties


def test_datasets_are_those_of_the_names_and_of_the_config(dataset_schema: dict[str, Any]) -> None:
    assert set(DATASETS) == set(names.DATASETS)
    assert tuple(dataset_schema["name"]["enum"]) == NAMES == tuple(names.DATASETS)
    keywords = set(inspect.signature(load).parameters) - {"name", "data_dir", "seed"}
    own = {key for keys in names.DATASETS.values() for key in keys}
    mine = {key for keys in names.OWN_DATASET_KEYS.values() for key in keys}
    of_load = set(dataset_schema) - {"name", "from", "resample"} - mine
    assert of_load == keywords == {*names.DATASET_KEYS, *own}
    enums = {"layout": names.LAYOUTS, "kind": names.INPUT_KINDS, "target": names.TARGETS}
    for key, listed in enums.items():
        assert tuple(dataset_schema[key]["enum"]) == listed


def test_transforms_are_those_of_the_names_and_of_the_config(
    dataset_schema: dict[str, Any],
) -> None:
    known = {
        name: tuple(inspect.signature(function).parameters)[2:]
        for name, function in FUNCTIONS.items()
    }
    assert known == names.TRANSFORMS
    properties = dataset_schema["transforms"]["items"]["properties"]
    assert properties["name"]["enum"] == list(names.TRANSFORMS)
    assert set(properties) - {"name"} == {key for keys in known.values() for key in keys}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_leads_to_samples_or_to_the_folder_for_its_files(
    name: str, tmp_path: Path
) -> None:
    if name in NEED_FILES:
        with pytest.raises(GengapError, match=f"{tmp_path / name} is no folder: put .* there"):
            load(name, data_dir=tmp_path)
    else:
        sizes = (4, 6) if name == "intro1d" else (10, 20)
        data = load(name, data_dir=tmp_path, train_size=sizes[0], test_size=sizes[1])
        assert (len(data.train.inputs), len(data.test.inputs)) == sizes


def test_without_test_data_all_samples_are_for_training() -> None:
    split, source = load_training("digits", classes=[0, 1])
    whole = load("digits", classes=[0, 1])
    assert source == whole.source
    both = np.concatenate([whole.train.inputs, whole.test.inputs])
    assert sorted(map(bytes, split.inputs)) == sorted(map(bytes, both))
    some, _ = load_training("digits", train_size=50, balanced=True, seed=1)
    assert np.bincount(some.labels).tolist() == [5] * 10
