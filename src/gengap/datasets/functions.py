"""Data from a function of a user's own file, which returns the training and the test data."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import logging
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gengap.datasets.layouts import channels_last
from gengap.datasets.part import PIXELS, Part
from gengap.datasets.split import Split
from gengap.errors import GengapError
from gengap.seeding import derive

log = logging.getLogger(__name__)

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
        seed: seeds Python's, NumPy's and PyTorch's global generators while the function runs. What
            it changes in the process is restored afterwards.

    Returns:
        The training and the test data.

    Raises:
        GengapError: the file has no such function, which fails, takes other keywords, or returns
            something else. The traceback of a failure is logged.
    """
    where, keywords = f"{path}:{name}", keys.get("keywords") or {}
    with (
        _unchanged_process(),
        _importable(path.parent),
        _seeded(derive(seed, "datasets", "own", "function")),
    ):
        function = _function(path, name)
        _check_keywords(function, keywords, where)
        with _explained(where):
            parts = function(**keywords)
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
    features: tuple[str, ...] = ()
    if isinstance(data, Split):
        for array in (data.inputs, data.labels):
            _array(array, where)
        return Part.of_split(data, where)
    if isinstance(data, tuple | list) and len(data) == 2:
        inputs, labels = (_array(entry, where) for entry in data)
        features = tuple(map(str, getattr(data[0], "columns", ())))
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__") and not _is_array(data):
        inputs, labels = _items(data, where)
    else:
        raise GengapError(
            f"{where} are {_described(data)}: return a pair (inputs, labels) of arrays, a split, "
            "or a torch dataset with a length and items (input, label)."
        )
    ordered = channels_last(inputs, where, layout=keys.get("layout"), kind=keys.get("kind"))
    return Part(where, ordered, labels, features=features)


def _items(data: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Collect the items of a torch dataset."""
    inputs: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    with _explained(f"The length of {where}"):
        count = len(data)
    for row in range(count):
        with _explained(f"Item {row} of {where}"):
            item = data[row]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise GengapError(
                f"Item {row} of {where} is {_described(item)}: give pairs (input, label)."
            )
        inputs.append(_array(item[0], f"item {row} of {where}"))
        labels.append(_array(item[1], f"item {row} of {where}"))
    if not inputs:
        raise GengapError(f"{where} hold no samples: give at least one.")
    return _stacked(inputs, f"Inputs of {where}"), _stacked(labels, f"Labels of {where}")


def _stacked(arrays: Sequence[np.ndarray], subject: str) -> np.ndarray:
    """Stack arrays that belong together: all pixels of 8 or 16 bits, or none."""
    first = arrays[0]
    for row, array in enumerate(arrays):
        if array.shape != first.shape:
            raise GengapError(
                f"{subject} differ in shape ({first.shape} of item 0, {array.shape} of item {row}):"
                " bring them to one shape."
            )
        if array.dtype != first.dtype and (array.dtype in PIXELS or first.dtype in PIXELS):
            raise GengapError(
                f"{subject} differ in type ({first.dtype} of item 0, {array.dtype} of item {row}): "
                "bring them to one type and one scale."
            )
    return np.stack(arrays)


def _array(value: Any, where: str) -> np.ndarray:
    """Return a tensor, an array, a number, or a list of these as an array."""
    if isinstance(value, tuple | list) and any(hasattr(entry, "dtype") for entry in value):
        return _stacked([_array(entry, where) for entry in value], f"The entries of {where}")
    if np.ma.is_masked(value):
        raise GengapError(
            f"{where} holds masked values: leave these samples out, or fill in the values."
        )
    if hasattr(value, "detach"):
        try:
            value = value.detach().cpu()
            if not value.is_floating_point() or value.element_size() > 2:
                return np.asarray(value.numpy())
            return np.asarray(value.float().numpy())  # NumPy has no bfloat16
        except (TypeError, RuntimeError) as error:
            raise GengapError(
                f"{where} holds a tensor that NumPy cannot hold ({value.layout}, {value.dtype}): "
                "make it dense, of plain numbers and of one shape."
            ) from error
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
    with _explained(f"The import of {path}"):
        spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise GengapError(f"{path} defines no function '{name}': name one of its functions.")
    result: Callable[..., Any] = function
    return result


def _check_keywords(function: Callable[..., Any], keywords: Mapping[str, Any], where: str) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # of a function that is not written in Python
        return
    try:
        signature.bind(**keywords)
    except TypeError as error:
        own = ", ".join(signature.parameters) or "none"
        raise GengapError(
            f"{where} cannot be called ({error}): give 'keywords' that it has ({own})."
        ) from error


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn a failure of the user's code into one sentence, and log its traceback."""
    try:
        yield
    except MemoryError:  # a machine with more may succeed
        raise
    except (Exception, SystemExit) as error:
        cause = f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}"
        log.error("%s failed", what, exc_info=error)
        raise GengapError(
            f"{what} failed ({cause}): mend it; the log has the traceback."
        ) from error


@contextlib.contextmanager
def _unchanged_process() -> Iterator[None]:
    """Restore what a user's code may set for the whole process and what changes later results."""
    import torch  # slow to import

    settings: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
        (np.geterr, lambda errors: np.seterr(**errors)),
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.get_default_device, torch.set_default_device),
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.get_num_threads, torch.set_num_threads),
        (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    ]
    folder, environment = os.getcwd(), dict(os.environ)
    before = [current() for current, _ in settings]
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for (current, restore), value in zip(settings, before, strict=True):
            if current() != value:
                restore(value)


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let what lies in a folder be imported by its name, and forget it afterwards.

    Another user's file may have neighbours of the same names.
    """
    before, paths, place = set(sys.modules), list(sys.path), str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path[:] = paths
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
