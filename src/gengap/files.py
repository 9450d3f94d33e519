"""Writing without a half-written file under its final name; reading of JSON and npz files."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.errors import GengapError, MachineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_ROOM = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    The temporary file keeps the suffix of ``path``, since many writers choose their format by it.
    Missing parent folders are made. If the block raises, the temporary file is removed and an
    existing ``path`` is left as it was.

    Raises:
        MachineError: the folder cannot be made or written to, or the disk or the quota is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
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
        # Not every writer raises an OSError, but each repeats what the system said.
        said = next((full for full in NO_ROOM if full in str(error)), None)
        if said is None:
            raise
        raise MachineError(f"Cannot write {path} ({said}): make room, then start again.") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: str | Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: of the file.
        remedy: what to do if it is missing or broken, the end of the sentence that says so.

    Returns:
        The object.

    Raises:
        GengapError: missing, not JSON, or not an object.
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


def read_npz(path: str | Path, remedy: str) -> dict[str, NDArray[Any]]:
    """Read all arrays of an npz file, none of them pickled.

    Args:
        path: of the file.
        remedy: what to do if it is missing, or was broken and is deleted; the end of the sentence.

    Returns:
        The arrays by name.

    Raises:
        GengapError: the file is missing, damaged, or not an npz file without pickles.
    """
    # Here, since planning writes and reads files without arrays.
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except FileNotFoundError as error:
        raise GengapError(f"{path} does not exist: {remedy}.") from error
    # A TypeError is that of a single array, which is no context manager.
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise GengapError(f"{path} is not a valid npz file: delete it and {remedy}.") from error
