"""Where the files of a PGDL task lie: paths only, so that planning knows them too.

::

    input_data/<task>/model_<id>/{config.json, weights.hdf5, weights_init.hdf5}
    input_data/<task>/dataset_1/{train, test}/shard_<k>.tfrecord
    reference_data/<task>/model_configs.json

Some copies have all of it under ``public_data/``, ``phase_one_data/`` or ``phase_two_data/``; the
organisers' toy task is flat: ``model_<id>``, ``dataset_1`` and ``model_configs.json`` in one
folder.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from gengap.errors import GengapError

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
        models: the folder of ``model_<id>`` and ``dataset_1``.
        reference: the task's ``model_configs.json``.
    """

    task: str
    models: Path
    reference: Path

    def model(self, id_: str) -> Path:
        """The folder of one network."""
        return self.models / f"model_{id_}"

    def shards(self, part: str) -> list[Path]:
        """TFRecord files of ``"train"`` or ``"test"``, in the order of their numbers.

        Raises:
            GengapError: there is none, or a number between two others is missing.
        """
        folder = self.models / "dataset_1" / part
        found = {
            int(match[1]): path
            for path in (folder.iterdir() if folder.is_dir() else ())
            if (match := SHARD.fullmatch(path.name))
        }
        missing = missing_shard(found)
        if missing is not None:
            raise GengapError(
                f"{folder / f'shard_{missing}.tfrecord'} is missing: download the task again."
            )
        return [found[number] for number in sorted(found)]


def missing_shard(numbers: Collection[int]) -> int | None:
    """The least number without a shard before the last shard, None if there is none.

    Without any shard it is 0. Missing shards after the last cannot be known.
    """
    missing = min(set(range(len(numbers) + 1)) - set(numbers))
    return missing if missing < len(numbers) or not numbers else None


def locate(folder: str | Path, task: str) -> Tree:
    """Find a task in an unpacked folder, in any layout named above.

    Args:
        folder: what was unpacked, or the flat folder of one task.
        task: the task's name, e.g. "task1_v4"; of a flat folder any.

    Raises:
        GengapError: the task or its reference file is not there.
    """
    folder = Path(folder)
    flat = Tree(task, folder, folder / REFERENCE)
    if flat.reference.is_file() and any(folder.glob("model_*/")):
        return flat
    models = [folder / prefix / "input_data" / task for prefix in PREFIXES]
    references = [folder / prefix / "reference_data" / task / REFERENCE for prefix in PREFIXES]
    found = next((path for path in models if path.is_dir()), None)
    if found is None:
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
    return Tree(task, found, reference)
