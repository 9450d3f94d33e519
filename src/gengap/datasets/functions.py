"""Data from a function of a user's own file, which returns the training and the test data."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gengap.datasets.layouts import channels_last
from gengap.datasets.part import Part
from gengap.datasets.split import Split
from gengap.errors import GengapError
from gengap.seeding import derive

PARTS = ("training", "test")
MODULE_NAME = "gengap_own_{stem}"

INSTALLED = "site-packages"
"""The folder of installed packages; they stay imported where an environment lies beside a file."""


def call(path: Path, name: str, keys: Mapping[str, Any], seed: int) -> tuple[Part, Part]:
    """Call a function of a user's file for the training and the test data.

    Args:
        path: the file. What lies beside it can be imported by its name.
        name: of the function, which returns two torch datasets of pairs (input, label), two pairs
            of arrays (inputs, labels), or two splits.
        keys: of the dataset: ``keywords`` of the function, ``layout`` and ``kind`` of inputs.
        seed: seeds Python's, NumPy's and PyTorch's global generators while the function runs.

    Returns:
        The training and the test data.

    Raises:
        GengapError: the file has no such function, or it returns something else.
    """
    where = f"{path}:{name}"
    with _importable(path.parent), _seeded(derive(seed, "datasets", "own", "function")):
        function = _function(path, name)
        parts = function(**(keys.get("keywords") or {}))
        if not isinstance(parts, tuple | list) or len(parts) != len(PARTS):
            raise GengapError(
                f"{where} returns {_described(parts)}: let it return the training and the test "
                "data as a pair."
            )
        train, test = (
            _part(data, f"{where} ({which} data)", keys)
            for data, which in zip(parts, PARTS, strict=True)
        )
    return train, test


def _part(data: Any, where: str, keys: Mapping[str, Any]) -> Part:
    if isinstance(data, Split):
        return Part.of_split(data, where)
    if isinstance(data, tuple | list) and len(data) == 2:
        inputs, labels = (_array(entry, where) for entry in data)
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__") and not _is_array(data):
        inputs, labels = _items(data, where)
    else:
        raise GengapError(
            f"{where} are {_described(data)}: return a pair (inputs, labels) of arrays, a split, "
            "or a torch dataset with a length and items (input, label)."
        )
    ordered = channels_last(inputs, where, layout=keys.get("layout"), kind=keys.get("kind"))
    return Part(where, ordered, labels)


def _items(data: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Collect the items of a torch dataset."""
    inputs: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for row in range(len(data)):
        item = data[row]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise GengapError(
                f"Item {row} of {where} is {_described(item)}: give pairs (input, label)."
            )
        inputs.append(_array(item[0], f"item {row} of {where}"))
        labels.append(np.asarray(_array(item[1], f"item {row} of {where}")))
        if inputs[row].shape != inputs[0].shape:
            raise GengapError(
                f"Inputs of {where} differ in shape ({inputs[0].shape} of item 0, "
                f"{inputs[row].shape} of item {row}): bring them to one shape."
            )
    if not inputs:
        raise GengapError(f"{where} hold no samples: give at least one.")
    return np.stack(inputs), np.stack(labels)


def _array(value: Any, where: str) -> np.ndarray:
    """Return a tensor, an array, a number or a list of numbers as an array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if not value.is_floating_point() or value.element_size() > 2:
            return np.asarray(value.numpy())
        return np.asarray(value.float().numpy())  # NumPy has no bfloat16
    if type(value).__module__.startswith("PIL."):
        raise GengapError(
            f"{where} holds an image of Pillow: turn it into a tensor, for instance by "
            "torchvision's ToTensor()."
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise GengapError(
            f"{where} makes no array ({error}): bring inputs to one shape."
        ) from error
    if array.dtype == object:
        raise GengapError(
            f"{where} holds {_described(value)}: give tensors or arrays of numbers, and labels as "
            "numbers or texts."
        )
    return array


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") or isinstance(value, str | bytes | Mapping)


def _described(value: Any) -> str:
    size = f" of {len(value)}" if isinstance(value, tuple | list) else ""
    return f"a {type(value).__name__}{size}"


def _function(path: Path, name: str) -> Callable[..., Any]:
    module_name = MODULE_NAME.format(stem=path.stem)
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise GengapError(f"{path} cannot be imported: give the path of a Python file.")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and others look their module up while they are made.
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise GengapError(f"{path} defines no function '{name}': name one of its functions.")
    result: Callable[..., Any] = function
    return result


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let what lies in a folder be imported by its name, and forget it afterwards.

    Another user's file may have neighbours of the same names.
    """
    before, place = set(sys.modules), str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        for name in set(sys.modules) - before:
            file = Path(getattr(sys.modules[name], "__file__", None) or os.sep).resolve()
            if file.is_relative_to(place) and INSTALLED not in file.parts:
                del sys.modules[name]


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global generators that a user's function may draw from, and restore them."""
    import torch  # slow to import

    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
