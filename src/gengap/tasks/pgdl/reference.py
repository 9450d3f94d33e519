"""What the reference file of a PGDL task, ``model_configs.json``, states about its networks."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.pgdl_layout import PARTS, read_entries
from gengap.tasks.pgdl.published import TASKS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StatedNetwork:
    """What the reference file states about one network.

    Attributes:
        hyper_parameters: the network's point of the grid.
        replicate: its number among networks with the same hyper-parameters, as an export states
            it; else how many of them have smaller ids.
        train_accuracy: a fraction.
        test_accuracy: a fraction; None where the file keeps it to itself.
        train_loss, test_loss: mean losses; None where the file states none.
    """

    hyper_parameters: dict[str, Any]
    replicate: int
    train_accuracy: float
    test_accuracy: float | None
    train_loss: float | None
    test_loss: float | None


@dataclass(frozen=True)
class Reference:
    """The content of a task's reference file.

    Attributes:
        path: the file.
        grid: possible values of each hyper-parameter, over all networks.
        networks: by id, in the numeric order of the ids, which is the order of the positions.
    """

    path: Path
    grid: dict[str, list[Any]]
    networks: dict[str, StatedNetwork]

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the data that are read; no test data where no test accuracy is stated."""
        return PARTS[:1] if is_blind(self.networks) else PARTS

    @property
    def ids(self) -> list[str]:
        """Id of the network at each position."""
        return list(self.networks)

    def id_at(self, position: int) -> str:
        """Return the id of the network at a position.

        Args:
            position: position of the network, from 0.

        Returns:
            The id: a number, as text.

        Raises:
            GengapError: the task has no such position.
        """
        if not 0 <= position < len(self.networks):
            raise GengapError(
                f"{self.path} has {len(self.networks)} networks, so none at position {position}: "
                f"choose networks between 0 and {len(self.networks) - 1}."
            )
        return self.ids[position]

    def position_of(self, id_: str) -> int:
        """Return the position of a network.

        Args:
            id_: its id: a number, as text.

        Raises:
            GengapError: the task has no such network.
        """
        if id_ not in self.networks:
            raise GengapError(
                f"{self.path} has no network {id_}: it was not exported, since it was not made."
            )
        return self.ids.index(id_)


def read_reference(path: str | Path, task: str | None = None) -> Reference:
    """Read a ``model_configs.json``.

    Args:
        path: the file.
        task: the task's name. If a published task of this name has another number of networks,
            that is logged as a warning.

    Returns:
        The grid, and what is stated about each network.

    Raises:
        GengapError: the file is missing or broken, or a network lacks its training accuracy, has a
            value that is not among the possible ones, or has other hyper-parameters than the first
            network, or a test accuracy where that has none.
    """
    path = Path(path)
    entries = read_entries(path)
    if task in TASKS and len(entries) != TASKS[task].networks:
        log.warning("%s has %d networks, published: %d", path, len(entries), TASKS[task].networks)
    grid: dict[str, list[Any]] = {}
    networks: dict[str, StatedNetwork] = {}
    points: list[dict[str, Any]] = []
    for id_, entry in entries.items():
        stated, values = _stated(entry, path, id_, points)
        if networks and set(values) != set(grid):
            raise GengapError(
                f"{path}: network {id_} has other hyper-parameters than network "
                f"{next(iter(networks))}: correct the file."
            )
        for name, possible in values.items():
            known = grid.setdefault(name, [])
            known += [value for value in possible if value not in known]
        if networks and (stated.test_accuracy is None) != is_blind(networks):
            raise GengapError(
                f"{path}: some networks have a test_acc and others, such as network {id_} or the "
                "first, have none: give all or none."
            )
        networks[id_] = stated
        points.append(stated.hyper_parameters)
    return Reference(path, grid, networks)


def is_blind(networks: Mapping[str, StatedNetwork]) -> bool:
    """Whether a reference file keeps the test accuracies to itself."""
    return next(iter(networks.values())).test_accuracy is None


def _stated(
    entry: Any, path: Path, id_: str, points: list[dict[str, Any]]
) -> tuple[StatedNetwork, dict[str, list[Any]]]:
    """Check one entry: what it says, and the possible values of its hyper-parameters."""
    try:
        parameters: Mapping[str, Any] = entry["hparams"]
        values = {name: list(value["possible_values"]) for name, value in parameters.items()}
        point = {name: value["current_value"] for name, value in parameters.items()}
        metrics: Mapping[str, Any] = entry["metrics"]
        train, test = float(metrics["train_acc"]), _number(metrics.get("test_acc"))
        losses = [_number(metrics.get(f"{part}_loss")) for part in PARTS]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GengapError(
            f"{path}: network {id_} lacks hparams with possible_values and current_value, or "
            "metrics with train_acc as a number: correct the file."
        ) from error
    if not all(math.isfinite(accuracy) for accuracy in (train, test or 0.0)):
        raise GengapError(f"{path}: an accuracy of network {id_} is not finite: correct the file.")
    for name, value in point.items():
        if value not in values[name]:
            raise GengapError(
                f"{path}: network {id_} has {name} = {value!r}, which is not among its possible "
                f"values {values[name]}: correct the file."
            )
    replicate = entry.get("replicate", points.count(point))
    return StatedNetwork(point, replicate, train, test, *losses), values


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
