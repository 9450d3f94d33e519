"""Writing files so that none is half written under its final name; reading files."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.errors import GengapError, MachineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAPPED_TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
}
"""NumPy's names of the number types of safetensors files."""

LENGTH_BYTES = 8
"""Bytes at the start of a safetensors file that hold the length of its header."""

NO_ROOM = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))
PARTIAL_PREFIX = ".part-"
ABANDONED_AFTER = 3600
"""Seconds since its last change after which no process still writes a partial file.

Every writer of this library writes from the moment its file exists, within seconds of each byte.
"""


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Write a file through a temporary one, which gets its final name if the block succeeds.

    The temporary file keeps the suffix of ``path``, since many writers choose their format by it.
    Missing parent folders are made. If the block raises, the temporary file is removed and an
    existing file is left unchanged. A killed process leaves its temporary file behind, see
    :func:`remove_partial_files`.

    Args:
        path: the final name.

    Yields:
        The path of the temporary file, beside ``path``.

    Raises:
        MachineError: the folder cannot be made or written to, or the disk or the quota is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL_PREFIX, suffix=path.suffix)
    except OSError as error:
        raise MachineError(
            f"Cannot write {path} ({error.strerror}): make room, or its folder writable, or choose "
            "another results folder; then start again."
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; results are as readable as any other file of the user.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except Exception as error:
        # Not every writer raises an OSError, but each repeats the system's message.
        message = next((text for text in NO_ROOM if text in str(error)), None)
        if message is None:
            raise
        raise MachineError(
            f"Cannot write {path} ({message}): make room, then start again."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_partial_files(folder: str | Path) -> int:
    """Remove the temporary files that killed processes have left below a folder.

    A file that changed within the last hour is kept: a job on another machine may still write it.
    Links to folders are not followed. A file that cannot be removed stays.

    Args:
        folder: a results folder; it need not exist.

    Returns:
        The number of files removed.
    """
    newest = time.time() - ABANDONED_AFTER
    removed = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.startswith(PARTIAL_PREFIX):
                # Another process may remove the file first, or own it.
                with contextlib.suppress(OSError):
                    path = os.path.join(parent, name)
                    if os.lstat(path).st_mtime < newest:
                        os.unlink(path)
                        removed += 1
    return removed


def read_json(path: str | Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object from a file.

    Args:
        path: the file.
        remedy: what to do if the file is missing or broken; it ends the message.

    Returns:
        The object.

    Raises:
        GengapError: the file is missing, is not JSON, or holds another value than an object.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GengapError(f"{path} cannot be read ({error.strerror}): {remedy}.") from error
    except ValueError as error:
        raise GengapError(f"{path} is not valid JSON: {remedy}.") from error
    if not isinstance(content, dict):
        raise GengapError(f"{path} is not a JSON object: {remedy}.")
    return content


def read_npz(path: str | Path, remedy: str, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Read the arrays of an npz file, none of them pickled.

    Args:
        path: the file.
        remedy: what to do if the file is missing, or broken and then deleted; it ends the message.
        prefix: only arrays whose names begin with it are read.

    Returns:
        The arrays by name.

    Raises:
        GengapError: the file is missing, damaged, or not an npz file without pickles.
    """
    # Imported here, since planning reads and writes files without arrays.
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if name.startswith(prefix)}
    except FileNotFoundError as error:
        raise GengapError(f"{path} does not exist: {remedy}.") from error
    # A single array, which is no context manager, raises a TypeError; a pickle raises a ValueError.
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise GengapError(f"{path} is not a valid npz file: delete it and {remedy}.") from error


def safetensors_header(path: str | Path) -> tuple[dict[str, Any], int]:
    """Read the header of a safetensors file, with nothing but the standard library.

    Args:
        path: the file.

    Returns:
        What is said of each array, by its name, and ``__metadata__``, if there is any; and the byte
        at which the arrays begin.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the header is no JSON.
    """
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        # A file of another kind may state any length.
        header: dict[str, Any] = json.loads(file.read(min(length, Path(path).stat().st_size)))
    return header, LENGTH_BYTES + length


def mapped_arrays(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Map the arrays of a safetensors file into memory.

    A page of the file is read when a number on it is first used, and what is written to an array
    stays in this process.

    Args:
        path: the file, which must not be written to while its arrays are used.

    Returns:
        The arrays by name, and the metadata.

    Raises:
        OSError: the file is missing or cannot be read.
        SafetensorError: the file is damaged or of another kind.
        ValueError: NumPy has no type of numbers like those of an array.
    """
    # Imported here, since planning reads and writes files without arrays.
    import numpy as np
    from safetensors import safe_open

    with safe_open(path, framework="numpy"):  # checks the header against the file's size
        header, start = safetensors_header(path)
    metadata: dict[str, str] = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        if entry["dtype"] not in MAPPED_TYPES:
            raise ValueError(f"{name} holds numbers of type {entry['dtype']}")
        dtype, shape = np.dtype(MAPPED_TYPES[entry["dtype"]]), tuple(entry["shape"])
        offset = start + entry["data_offsets"][0]
        if 0 in shape:  # there is nothing to map
            arrays[name] = np.empty(shape, dtype)
        else:
            mapped = np.memmap(path, dtype, "c", offset, shape)
            arrays[name] = mapped.view(np.ndarray)
    return arrays, metadata
