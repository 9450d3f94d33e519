"""Arrays of a user's own in a file: npz, or safetensors."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from gengap.datasets.layouts import channels_last
from gengap.datasets.loading import as_floats
from gengap.datasets.part import Part, listed
from gengap.datasets.split import SPLIT, Split, read_split
from gengap.errors import GengapError

DEFAULT_NAMES = {
    "inputs": "inputs",
    "labels": "labels",
    "test_inputs": "test_inputs",
    "test_labels": "test_labels",
}
"""Names of the arrays in a file, by the keys of a dataset that give others."""

DESCRIPTIONS = ("inputs", "labels", "layout", "kind", "groups", "target")
"""Keys that say what arrays are, which a split that gengap wrote knows by itself."""


def read_arrays(path: Path, where: str, keys: Mapping[str, Any]) -> tuple[Part, Part | None]:
    """Read the arrays of a file.

    Args:
        path: .npz or .safetensors. One that ``gengap.datasets.write_split`` wrote is read as it is.
        where: the file, for messages.
        keys: of the dataset: names of arrays, ``layout``, ``kind``, and ``groups`` where it is the
            name of an array.

    Returns:
        The training data and the test data; None for these where the file holds none.

    Raises:
        GengapError: the file is damaged, lacks an array that is named, or arrays do not fit.
    """
    if _is_split(path) and not any(keys.get(key) is not None for key in DESCRIPTIONS):
        try:
            return Part.of_split(read_split(path), where), None
        except GengapError as error:
            fault = str(error.__cause__ or error).rstrip(".")
            raise GengapError(
                f"{path} states a number of classes, as files of write_split do, but cannot be "
                f"read as one of them ({fault}): write it again, or say 'inputs' and 'labels' to "
                "read it as arrays of your own."
            ) from error
    stated = {key: keys[key] for key in DEFAULT_NAMES if keys.get(key)}
    names = DEFAULT_NAMES | stated
    groups = keys.get("groups")
    with _opened(path) as (available, array):

        def part(inputs: str, labels: str, group: str | None, of: str) -> Part:
            missing = [name for name in (inputs, labels, group) if name and name not in available]
            if missing:
                raise GengapError(
                    f"{path} holds no array {missing[0]!r} (it holds "
                    f"{listed(map(repr, available))}): add it, or name the arrays by the keys "
                    "inputs, labels, test_inputs, test_labels and groups."
                )
            shown = of if inputs == names["inputs"] else f"{of} ({inputs})"
            ordered = channels_last(
                array(inputs), shown, layout=keys.get("layout"), kind=keys.get("kind")
            )
            return Part(shown, ordered, array(labels), array(group) if group else None)

        train = part(names["inputs"], names["labels"], _name(groups), where)
        test_names = names["test_inputs"], names["test_labels"]
        if not any(key in stated for key in ("test_inputs", "test_labels")) and not any(
            name in available for name in test_names
        ):
            return train, None
        test_groups = f"test_{groups}" if isinstance(groups, str) else None
        return train, part(*test_names, test_groups, where)


def read_unlabelled(
    path: str | Path, like: Split, *, inputs: str = "inputs", layout: str | None = None
) -> NDArray[Any]:
    """Read inputs without labels from a file of arrays.

    Args:
        path: .npz or .safetensors; labels in it are not read.
        like: the training data that the inputs resemble. Transforms of theirs are not applied, so
            the file holds inputs as networks take them; bytes become numbers in [0, 1].
        inputs: name of the array.
        layout: order of its axes, one of :data:`gengap.names.LAYOUTS`.

    Returns:
        (m, *input_shape), of the type of the training inputs, channels last.

    Raises:
        GengapError: the file is damaged, lacks the array, or its inputs have another shape or kind.
    """
    path = Path(path)
    with _opened(path) as (available, array):
        if inputs not in available:
            raise GengapError(
                f"{path} holds no array '{inputs}' (it holds {listed(available)}): name its array "
                "of unlabelled inputs by the key 'inputs'."
            )
        kind = "tokens" if like.kind == "tokens" else None
        values = as_floats(channels_last(array(inputs), str(path), layout=layout, kind=kind))
    if values.shape[1:] != like.inputs.shape[1:] or values.dtype != like.inputs.dtype:
        raise GengapError(
            f"The unlabelled inputs of {path} are {values.dtype} of shape "
            f"{list(values.shape[1:])}, but the training inputs are {like.inputs.dtype} of shape "
            f"{list(like.inputs.shape[1:])}: give inputs as the networks take them."
        )
    return values


def _name(groups: Any) -> str | None:
    return groups if isinstance(groups, str) else None


def _is_split(path: Path) -> bool:
    if path.suffix.lower() != ".safetensors":
        return False
    with _opened_safetensors(path) as file:
        names = {"inputs", "labels"}
        return names <= set(file.keys()) and SPLIT in (file.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Callable[[str], np.ndarray]]]:
    """Open a file of arrays: their names, and a function that reads one."""
    if path.suffix.lower() == ".safetensors":
        with _opened_safetensors(path) as file:
            yield sorted(file.keys()), lambda name: _tensor(file, name, path)
        return
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        # NumPy's own words advise to unpickle the file.
        raise GengapError(f"{path} is no npz file: write the arrays by np.savez.") from error
    except (OSError, zipfile.BadZipFile) as error:
        raise GengapError(
            f"{path} is no npz file that can be read ({error}): write it again by np.savez."
        ) from error
    if not isinstance(content, np.lib.npyio.NpzFile):
        raise GengapError(f"{path} is a single array: write inputs and labels by np.savez.")
    with content:
        yield content.files, lambda name: _array(content, name, path)


def _tensor(file: Any, name: str, path: Path) -> np.ndarray:
    try:
        tensor: np.ndarray = file.get_tensor(name)
    except (TypeError, AttributeError) as error:
        raise GengapError(
            f"The tensor '{name}' of {path} is of a type that NumPy lacks ({error}): save it as "
            "float32, or as int64."
        ) from error
    return tensor


def _array(file: Any, name: str, path: Path) -> np.ndarray:
    try:
        array: np.ndarray = file[name]
    except ValueError as error:
        raise GengapError(
            f"The array '{name}' of {path} holds Python objects, which are never unpickled: save "
            "texts with dtype=str, and numbers as numbers of one shape."
        ) from error
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise GengapError(
            f"The array '{name}' of {path} is damaged ({error}): write the file again by np.savez."
        ) from error
    return array


@contextmanager
def _opened_safetensors(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except GengapError:
        raise
    except (OSError, SafetensorError, TypeError) as error:
        raise GengapError(
            f"{path} is no safetensors file that can be read ({error}): write it again, with "
            "tensors of NumPy's types."
        ) from error
