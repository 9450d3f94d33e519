"""Arrays of a user's own in a file: npz, or safetensors."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from gengap.datasets.layouts import channels_last
from gengap.datasets.part import Part, listed
from gengap.datasets.split import read_split
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
        return Part.of_split(read_split(path), where), None
    stated = {key: keys[key] for key in DEFAULT_NAMES if keys.get(key)}
    names = DEFAULT_NAMES | stated
    groups = keys.get("groups")
    with _opened(path) as (available, array):

        def part(inputs: str, labels: str, group: str | None, of: str) -> Part:
            missing = [name for name in (inputs, labels, group) if name and name not in available]
            if missing:
                raise GengapError(
                    f"{path} holds no array '{missing[0]}' (it holds {listed(available)}): name "
                    "its arrays by the keys inputs, labels, test_inputs, test_labels and groups."
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
        test_groups = f"test_{groups}" if f"test_{groups}" in available else None
        return train, part(*test_names, test_groups, where)


def _name(groups: Any) -> str | None:
    return groups if isinstance(groups, str) else None


def _is_split(path: Path) -> bool:
    if path.suffix.lower() != ".safetensors":
        return False
    with _opened_safetensors(path) as file:
        return "classes" in (file.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Callable[[str], np.ndarray]]]:
    """Open a file of arrays: their names, and a function that reads one."""
    if path.suffix.lower() == ".safetensors":
        with _opened_safetensors(path) as file:
            yield sorted(file.keys()), file.get_tensor
        return
    try:
        content = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise GengapError(
            f"{path} is no npz file that can be read ({error}): write it again by np.savez."
        ) from error
    if not isinstance(content, np.lib.npyio.NpzFile):
        raise GengapError(f"{path} is a single array: write inputs and labels by np.savez.")
    with content:
        yield content.files, lambda name: _array(content, name, path)


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
