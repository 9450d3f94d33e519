"""Where the files of a PGDL task lie, and what its reference file says.

::

    input_data/<task>/model_<id>/{config.json, weights.hdf5, weights_init.hdf5}
    input_data/<task>/dataset_1/{train, test}/shard_<k>.tfrecord
    reference_data/<task>/model_configs.json

Some copies have all of it under ``public_data/``, ``phase_one_data/`` or ``phase_two_data/``; the
organisers' toy task is flat: ``model_<id>``, ``dataset_1`` and ``model_configs.json`` in one
folder.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.files import read_json
from gengap.tasks.pgdl.published import TASKS

log = logging.getLogger(__name__)

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


@dataclass(frozen=True)
class StatedNetwork:
    """What the reference file says of one network.

    Attributes:
        hyper_parameters: its point of the grid.
        replicate: how many networks with smaller ids have the same hyper-parameters.
        train_accuracy, test_accuracy: fractions.
        train_loss, test_loss: None where it does not say.
    """

    hyper_parameters: dict[str, Any]
    replicate: int
    train_accuracy: float
    test_accuracy: float
    train_loss: float | None
    test_loss: float | None


@dataclass(frozen=True)
class Reference:
    """A task's reference file, read.

    Attributes:
        path: the file.
        grid: possible values of each hyper-parameter, of all networks together.
        networks: by id, in the numeric order of the ids: that order is the networks' positions.
    """

    path: Path
    grid: dict[str, list[Any]]
    networks: dict[str, StatedNetwork]

    @property
    def ids(self) -> list[str]:
        """Id of the network at each position."""
        return list(self.networks)

    def id_at(self, position: int) -> str:
        """Id of the network at a position.

        Raises:
            GengapError: the task has no such position.
        """
        if not 0 <= position < len(self.networks):
            raise GengapError(
                f"{self.path} has {len(self.networks)} networks, so none at position {position}: "
                f"choose networks between 0 and {len(self.networks) - 1}."
            )
        return self.ids[position]


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


def read_reference(path: str | Path, task: str | None = None) -> Reference:
    """Read a ``model_configs.json``.

    Args:
        path: the file.
        task: the task's name; if it is a published one with another number of networks, that is
            logged as a warning.

    Raises:
        GengapError: missing or broken file; a network without accuracies, with a value that is not
            among the possible ones, or with other hyper-parameters than the first.
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
    if task in TASKS and len(ids) != TASKS[task].networks:
        log.warning("%s has %d networks, published: %d", path, len(ids), TASKS[task].networks)
    grid: dict[str, list[Any]] = {}
    networks: dict[str, StatedNetwork] = {}
    seen: list[dict[str, Any]] = []
    for id_ in ids:
        stated, values = _stated(content[id_], path, id_, seen)
        if networks and set(values) != set(grid):
            raise GengapError(
                f"{path}: network {id_} has other hyper-parameters than network {ids[0]}: "
                "correct the file."
            )
        for name, possible in values.items():
            known = grid.setdefault(name, [])
            known += [value for value in possible if value not in known]
        networks[id_] = stated
        seen.append(stated.hyper_parameters)
    return Reference(path, grid, networks)


def _stated(
    entry: Any, path: Path, id_: str, seen: list[dict[str, Any]]
) -> tuple[StatedNetwork, dict[str, list[Any]]]:
    """What one entry of the file says, and the possible values of its hyper-parameters."""
    try:
        parameters: Mapping[str, Any] = entry["hparams"]
        values = {name: list(value["possible_values"]) for name, value in parameters.items()}
        point = {name: value["current_value"] for name, value in parameters.items()}
        metrics: Mapping[str, Any] = entry["metrics"]
        accuracies = [float(metrics[f"{part}_acc"]) for part in PARTS]
        losses = [metrics.get(f"{part}_loss") for part in PARTS]
        losses = [None if loss is None else float(loss) for loss in losses]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GengapError(
            f"{path}: network {id_} lacks hparams with possible_values and current_value, or "
            "metrics with train_acc and test_acc as numbers: correct the file."
        ) from error
    if not all(math.isfinite(accuracy) for accuracy in accuracies):
        raise GengapError(f"{path}: an accuracy of network {id_} is not finite: correct the file.")
    for name, value in point.items():
        if value not in values[name]:
            raise GengapError(
                f"{path}: network {id_} has {name} = {value!r}, which is not among its possible "
                f"values {values[name]}: correct the file."
            )
    return StatedNetwork(point, seen.count(point), *accuracies, *losses), values
