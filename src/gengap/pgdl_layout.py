"""Where the files of a PGDL task are, and which networks its reference file names.

Every accepted layout holds a folder of networks and data and one reference file::

    input_data/<task>/model_<id>/{config.json, weights.hdf5, weights_init.hdf5}
    input_data/<task>/dataset_1/{train, test}/shard_<k>.tfrecord
    reference_data/<task>/model_configs.json

Some copies have all of it under ``public_data/``, ``phase_one_data/`` or ``phase_two_data/``. The
organisers' toy task is flat: ``model_<id>``, ``dataset_1`` and ``model_configs.json`` lie in one
folder. Planning uses this module to count the networks of a local source, so it imports no package.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.files import read_json
from gengap.names import PGDL_ARCHIVES

PREFIXES = ("", "public_data", "phase_one_data", "phase_two_data")
REFERENCE = "model_configs.json"
CONFIG, WEIGHTS, INITIAL = "config.json", "weights.hdf5", "weights_init.hdf5"
MODEL_FILES = (CONFIG, WEIGHTS, INITIAL)
PARTS = ("train", "test")
FETCH_AGAIN = "download the task again"
SHARD = re.compile(r"shard_(\d+)\.tfrecord")


@dataclass(frozen=True)
class Tree:
    """The files of one task.

    Attributes:
        task: the task's name.
        models: the folder that holds ``model_<id>`` and ``dataset_1``.
        reference: the task's ``model_configs.json``.
    """

    task: str
    models: Path
    reference: Path

    def model(self, id_: str) -> Path:
        """Return the folder of one network."""
        return self.models / f"model_{id_}"

    def shards(self, part: str) -> list[Path]:
        """Return the TFRecord files of one part of the dataset.

        Args:
            part: ``"train"`` or ``"test"``.

        Returns:
            The files, in the order of their numbers.

        Raises:
            GengapError: there is no shard, or a number between two others is missing.
        """
        folder = self.models / "dataset_1" / part
        paths = {
            int(match[1]): path
            for path in (folder.iterdir() if folder.is_dir() else ())
            if (match := SHARD.fullmatch(path.name))
        }
        missing = missing_shard(paths)
        if missing is not None:
            raise GengapError(
                f"{folder / f'shard_{missing}.tfrecord'} is missing: download the task again."
            )
        return [paths[number] for number in sorted(paths)]


def missing_shard(numbers: Collection[int]) -> int | None:
    """Find the smallest number without a shard.

    Args:
        numbers: numbers of the shards that exist.

    Returns:
        The smallest missing number below the last shard's, 0 where there is no shard at all, or
        None if none is missing. Shards missing after the last one cannot be known.
    """
    missing = min(set(range(len(numbers) + 1)) - set(numbers))
    return missing if missing < len(numbers) or not numbers else None


def is_url(source: str) -> bool:
    """Tell whether a source is on a server."""
    return re.match(r"[a-z][a-z0-9+.-]+://", source) is not None


def archive_in(folder: str | Path, task: str) -> Path:
    """Return the path at which a folder of archives would hold the archive of a task."""
    return Path(folder) / PGDL_ARCHIVES.get(task, f"{task}.zip")


def is_unpacked(source: str | Path, task: str) -> bool:
    """Tell whether a source is a local folder in which the task's files lie unpacked.

    Args:
        source: URL, archive or folder, see :func:`gengap.tasks.pgdl.download`.
        task: the task's name.

    Returns:
        False for a URL, an archive, and a folder that holds the task's archive. True for any
        other folder; :func:`locate` then says whether the task is there.
    """
    if is_url(str(source)):
        return False
    return Path(source).is_dir() and not archive_in(source, task).is_file()


def locate(folder: str | Path, task: str) -> Tree:
    """Find a task in an unpacked folder, in any of the accepted layouts.

    Args:
        folder: what was unpacked, or the flat folder of one task.
        task: the task's name, e.g. ``"task1_v4"``; a flat folder takes any name.

    Returns:
        The paths of the task's files. A flat layout is tried first, then each prefix in order.

    Raises:
        GengapError: the task or its reference file is not there.
    """
    folder = Path(folder)
    flat = Tree(task, folder, folder / REFERENCE)
    if flat.reference.is_file() and any(folder.glob("model_*/")):
        return flat
    candidates = [folder / prefix / "input_data" / task for prefix in PREFIXES]
    references = [folder / prefix / "reference_data" / task / REFERENCE for prefix in PREFIXES]
    models = next((path for path in candidates if path.is_dir()), None)
    if models is None:
        raise GengapError(
            f"{folder} holds no input_data/{task}: download the task, or name the folder that "
            "holds input_data and reference_data."
        )
    reference = next((path for path in references if path.is_file()), None)
    if reference is None:
        raise GengapError(
            f"{folder} holds no reference_data/{task}/{REFERENCE}, which states the networks' "
            "hyper-parameters and accuracies: download the task again."
        )
    return Tree(task, models, reference)


def read_entries(path: str | Path) -> dict[str, Any]:
    """Read the entries of a reference file; their number is the number of networks.

    Args:
        path: a ``model_configs.json``.

    Returns:
        Each network's entry by its id, in the numeric order of the ids. That order gives the
        networks' positions, from 0. The entries themselves are not checked.

    Raises:
        GengapError: the file is missing, broken or empty, or a key is not a number.
    """
    path = Path(path)
    content = read_json(path, FETCH_AGAIN)
    try:
        ids = sorted(content, key=int)
    except ValueError as error:
        raise GengapError(
            f"{path}: its keys must be the networks' numbers (without 'model_'): correct the file."
        ) from error
    if not ids:
        raise GengapError(f"{path} names no network: download the task again.")
    return {id_: content[id_] for id_ in ids}
