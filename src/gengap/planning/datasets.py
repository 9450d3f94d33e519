"""What can be known of a user's own data before they are read: their kind, keys, files and digest.

:mod:`gengap.datasets` asks the same questions, so that both sides answer in the same sentences.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.names import DATASET_KEYS, OWN_DATASET_KEYS, OWN_SUFFIXES, ROW_GROUPS
from gengap.planning.sources import own_code_version

CODE_SUFFIX = ".py"


def data_format(source: str, folder: Path = Path()) -> str:
    """Return what a user's own data are in.

    Args:
        source: the entry ``from`` (or ``test``) of a dataset.
        folder: what a relative path is relative to.

    Returns:
        ``arrays`` or ``table`` by the file's suffix, ``function`` for ``file.py:function``,
        ``folder`` for a path without suffix.

    Raises:
        GengapError: no reader knows the suffix, or a Python file comes without its function.
    """
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
    if suffix and not (folder / source).is_dir():
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
        GengapError: a key that such data do not have, a key that they lack, a file that does not
            exist, or a Python file without the function.
    """
    if "from" not in dataset:
        _check_keys(dataset, ("name", *DATASET_KEYS), f"{origin} names a dataset")
        return
    if "name" in dataset:
        raise GengapError(
            f"{origin} gives both 'name' and 'from' for its data: keep 'name' for a dataset of the "
            "library, or 'from' for your own."
        )
    source = dataset["from"]
    form = data_format(source, folder)
    known = ("from", *OWN_DATASET_KEYS[form], *DATASET_KEYS)
    _check_keys(dataset, known, f"{origin} takes its data from the {form} '{source}'")
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
            f"{sentence}, which has no key '{unknown}' (it has {', '.join(known)}): leave it out."
        )


def _check_source(source: str, form: str, sentence: str, folder: Path) -> None:
    if data_format(source, folder) != form:
        raise GengapError(
            f"{sentence}, which is no {form} like the training data: give both alike."
        )
    name = function_of(source)[1] if form == "function" else ""
    path = folder / (function_of(source)[0] if name else source)
    exists = path.is_dir() if form == "folder" else path.is_file()
    if not exists:
        kind = "folder" if form == "folder" else "file"
        raise GengapError(
            f"{sentence}, but there is no {kind} {path.absolute()}: correct the path, which is "
            "relative to the config file that names it (on the command line: to the working "
            "directory)."
        )
    if name and not _defines(path, name):
        raise GengapError(f"{sentence}, but {path} defines no '{name}': name a function of it.")


def _defines(path: Path, name: str) -> bool:
    """Whether a Python file binds a name, by a definition, an assignment or an import."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise GengapError(f"{path} is no Python that can be read ({error}): mend it.") from error
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            bound.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
    return not bound.isdisjoint({name, "*"})
