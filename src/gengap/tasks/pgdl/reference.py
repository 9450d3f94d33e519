"""What the reference file of a PGDL task, ``model_configs.json``, says of its networks."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.files import read_json
from gengap.pgdl_layout import FETCH_AGAIN, PARTS
from gengap.tasks.pgdl.published import TASKS

log = logging.getLogger(__name__)


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
