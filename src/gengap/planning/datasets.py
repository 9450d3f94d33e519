"""What can be known of a user's own data before they are read: their kind, keys, files and digest.

:mod:`gengap.datasets` asks the same questions, so that both sides answer in the same sentences.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NoReturn

from gengap.errors import GengapError
from gengap.names import (
    DATASET_KEYS,
    DATASETS,
    OWN_DATASET_KEYS,
    OWN_SUFFIXES,
    ROW_GROUPS,
    TRANSFORMS,
)
from gengap.planning.factories import factory_parameters
from gengap.planning.sources import own_code_version

CODE_SUFFIX = ".py"


def data_format(source: str, folder: Path = Path()) -> str:
    """Return what a user's own data are in.

    Args:
        source: the entry ``from`` (or ``test``) of a dataset.
        folder: what a relative path is relative to.

    Returns:
        ``folder`` for a folder and for a path without suffix, ``arrays`` or ``table`` by the
        file's suffix, ``function`` for ``file.py:function``.

    Raises:
        GengapError: no reader knows the suffix, or a Python file comes without its function.
    """
    if (folder / source).is_dir():
        return "folder"
    path, name = function_of(source)
    if path.endswith(CODE_SUFFIX):
        if not name.isidentifier():
            raise GengapError(
                f"The data '{source}' name no function of the file: write 'file.py:function'."
            )
        return "function"
    suffix = Path(source).suffix.lower()
    if suffix in OWN_SUFFIXES:
        return OWN_SUFFIXES[suffix]
    if suffix:
        raise GengapError(
            f"The data '{source}' are in a file that no reader knows: give a folder of class "
            f"folders, a file {', '.join(OWN_SUFFIXES)}, or 'file.py:function'."
        )
    return "folder"


def function_of(source: str) -> tuple[str, str]:
    """Return the file and the name in ``file.py:function``; the name is empty without a colon."""
    path, _, name = source.rpartition(":")
    return (path, name) if path else (name, "")


def check_dataset(dataset: Mapping[str, Any], origin: str, folder: Path = Path()) -> None:
    """Refuse a dataset of a user's own with a fault that can be known before it is read.

    Args:
        dataset: entries that the schema allows; a dataset by name passes if it has no others.
        origin: where they stand, the beginning of a sentence.
        folder: what relative paths are relative to.

    Raises:
        GengapError: a key that such data do not have, a key that they lack, a value of another
            type, a file that does not exist, a Python file without the function, or keywords that
            the function does not have.
    """
    if "from" not in dataset:
        name = dataset["name"]
        known = ("name", *DATASET_KEYS, *DATASETS.get(name, ()))
        _check_keys(dataset, known, f"{origin} names the dataset '{name}'")
        return
    if "name" in dataset:
        raise GengapError(
            f"{origin} gives both 'name' and 'from' for its data: keep 'name' for a dataset of the "
            "library, or 'from' for your own."
        )
    if not isinstance(dataset["from"], str):
        _refuse(origin, "from", dataset["from"], "a text")
    source = dataset["from"]
    form = data_format(source, folder)
    known = ("from", *OWN_DATASET_KEYS[form], *DATASET_KEYS)
    _check_keys(dataset, known, f"{origin} takes its data from the {form} '{source}'")
    _check_values(dataset, origin)
    if form == "table" and "label" not in dataset:
        raise GengapError(
            f"{origin} takes its data from the table '{source}' without 'label': name the column "
            "that holds the labels."
        )
    if isinstance(dataset.get("groups"), str) and form not in ROW_GROUPS:
        raise GengapError(
            f"{origin} gives the name '{dataset['groups']}' as 'groups' of the {form} '{source}': "
            "give lists of labels, since only tables and files of arrays name groups of rows."
        )
    for key in ("from", "test"):
        if key in dataset:
            _check_source(dataset[key], form, f"{origin} names '{dataset[key]}' as '{key}'", folder)
    if form == "function":
        _check_keywords(dataset, origin, folder)


def check_unlabelled(unlabelled: Mapping[str, Any], origin: str) -> None:
    """Refuse unlabelled inputs with a fault that can be known before they are read.

    Args:
        unlabelled: entries that the schema allows.
        origin: where they stand, the beginning of a sentence.

    Raises:
        GengapError: the file is no file of arrays, or does not exist.
    """
    source = unlabelled["from"]
    sentence = f"{origin} takes its unlabelled inputs from '{source}'"
    if OWN_SUFFIXES.get(Path(source).suffix.lower()) != "arrays":
        raise GengapError(f"{sentence}, which is no file of arrays: give one .npz or .safetensors.")
    _check_source(source, "arrays", sentence, Path())


def data_version(dataset: Mapping[str, Any], folder: Path = Path()) -> list[str]:
    """Return digests of the files that a user's own data are in.

    Args:
        dataset: entries that :func:`check_dataset` has passed.
        folder: what relative paths are relative to.

    Returns:
        One digest for ``from`` and one for ``test``, where there are such keys: the SHA-256 of a
        file; of a folder, that of the names and contents below it, hidden ones left out; of a
        function, the digest of its file and of what that imports from its own folder.
    """
    return [_digest(dataset[key], folder) for key in ("from", "test") if key in dataset]


def _digest(source: str, folder: Path) -> str:
    if data_format(source, folder) == "function":
        return own_code_version(folder / function_of(source)[0])
    path = folder / source
    if not path.is_dir():
        return _sha256(path)
    digest = hashlib.sha256()
    for file in visible_files(path):
        name, size = file.relative_to(path).as_posix(), file.stat().st_size
        digest.update(f"{len(name)}:{name},{size},{_sha256(file)};".encode())
    return digest.hexdigest()


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in the order of their names, without hidden ones."""
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent, name)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_keys(dataset: Mapping[str, Any], known: tuple[str, ...], sentence: str) -> None:
    unknown = next((key for key in dataset if key not in known), None)
    if unknown is not None:
        raise GengapError(
            f"{sentence}, which has no key '{unknown}' (it has {', '.join(known)}): correct it, or "
            "leave it out."
        )


def check_transforms(transforms: Any) -> None:
    """Refuse transforms that are unknown or lack a keyword.

    Args:
        transforms: mappings of ``name`` and the transform's keywords.

    Raises:
        GengapError: something else, an unknown transform or keyword, or a size below 1.
    """
    if not _is_list(transforms) or not all(isinstance(spec, Mapping) for spec in transforms):
        raise GengapError(
            f"The transforms {transforms!r} are no list of mappings: write them like "
            "[{name: resize, size: 8}, {name: grey}]."
        )
    for spec in transforms:
        name = spec.get("name")
        if not isinstance(name, str) or name not in TRANSFORMS:
            raise GengapError(f"Unknown transform {name!r}: choose one of {', '.join(TRANSFORMS)}.")
        known = TRANSFORMS[name]
        for key in spec:
            if key not in ("name", *known):
                takes = " and ".join(known) or "no keyword"
                raise GengapError(f"Unknown keyword {key!r} of transform {name}: it takes {takes}.")
        for key in known:
            if key not in spec:
                raise GengapError(f"Transform {name} lacks its keyword {key}: add it.")
        size = spec.get("size", 1)
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise GengapError(f"size={size!r} of transform {name} must be a whole number above 0.")


def _check_values(dataset: Mapping[str, Any], origin: str) -> None:
    """Refuse values of a type that a key cannot have; from Python no schema has seen them."""
    for key, value in dataset.items():
        words, fits = _VALUES.get(key, _TEXT)
        if value is not None and not fits(value):
            _refuse(origin, key, value, words)
    check_transforms(dataset.get("transforms") or ())


def _refuse(origin: str, key: str, value: Any, words: str) -> NoReturn:
    raise GengapError(f"{origin} gives {value!r} as '{key}': give {words}.")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_label(value: Any) -> bool:
    return isinstance(value, str | Real)


def _are_labels(value: Any) -> bool:
    return _is_list(value) and all(map(_is_label, value))


_Check = Callable[[Any], bool]
_TEXT: tuple[str, _Check] = ("a text", lambda value: isinstance(value, str))
_ANY: tuple[str, _Check] = ("a value", lambda value: True)

_VALUES: dict[str, tuple[str, _Check]] = {
    "features": (
        "a list of different names of columns",
        lambda value: (
            _is_list(value)
            and all(isinstance(name, str) for name in value)
            and len(value) == len(set(value))
        ),
    ),
    "keywords": (
        "a mapping of names to values",
        lambda value: isinstance(value, Mapping) and all(isinstance(name, str) for name in value),
    ),
    "balanced": ("true or false", lambda value: isinstance(value, bool)),
    "classes": ("a list of labels", _are_labels),
    "groups": (
        "a list of lists of labels, or a name",
        lambda value: isinstance(value, str) or (_is_list(value) and all(map(_are_labels, value))),
    ),
    "train_size": _ANY,
    "test_size": _ANY,
    "transforms": _ANY,
}
"""What the values of keys are, in words and as a check; sizes and transforms are checked apart."""


def _check_source(source: str, form: str, sentence: str, folder: Path) -> None:
    if data_format(source, folder) != form:
        raise GengapError(
            f"{sentence}, which is no {form} like the training data: give both alike."
        )
    path = folder / (function_of(source)[0] if form == "function" else source)
    exists = path.is_dir() if form == "folder" else path.is_file()
    if not exists:
        kind, whole = "folder" if form == "folder" else "file", os.path.abspath(path)
        raise GengapError(
            f"{sentence}, but there is no {kind} {whole}: correct the path, which is relative to "
            "the config file that names it (on the command line: to the working directory)."
        )


def _check_keywords(dataset: Mapping[str, Any], origin: str, folder: Path) -> None:
    """Refuse keywords that a function does not have, as far as its source tells them."""
    path, name = function_of(dataset["from"])
    parameters = factory_parameters(folder / path, name)
    if parameters is None or not parameters.are_all:
        return
    given = dataset.get("keywords") or {}
    faults = [
        f"gives '{key}', which it does not have" for key in given if key not in parameters.names
    ]
    faults += [f"lacks '{key}', which it needs" for key in parameters.required if key not in given]
    if faults:
        own = ", ".join(parameters.names) or "none"
        raise GengapError(
            f"{origin} takes its data from {dataset['from']}, but 'keywords' {faults[0]}: its "
            f"keywords are {own}."
        )
