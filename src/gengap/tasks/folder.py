"""The folder of a task: its files, reading them, and writing ``task.json``.

::

    task.json                        name, grid, and one entry a network
    dataset/{train,test}.safetensors inputs (n, *input_shape) float32 and labels (n,) int64
    networks/<i>/config.json         the network's spec
    networks/<i>/weights.safetensors final weights; weights_init.safetensors: initial ones
    networks/<i>/labels.npy          (n,) int64, the training labels this network was trained on
    networks/<i>/history.csv         epoch, train_loss, train_accuracy, learning_rate
    networks/<i>/metrics.json        hyper-parameters, train and test accuracy and loss
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gengap.datasets import Split, read_split
from gengap.errors import GengapError
from gengap.files import read_json, writing

if TYPE_CHECKING:
    from gengap.networks import Network

TASK_FILE = "task.json"
MAKE_AGAIN = "remove what is left of it and run the workflow"


@dataclass(frozen=True)
class Metrics:
    """Hyper-parameters, accuracies (fractions) and losses (means) of one trained network.

    Attributes:
        hyper_parameters: the network's point of the grid.
        replicate: its number among the networks with these hyper-parameters.
        train_accuracy: on the labels that it was trained on.
        train_loss: on the same labels; None if unknown.
        test_accuracy: on the test data.
        test_loss: on the test data; None if unknown.
        epochs: number of epochs trained; None if unknown.
        source_id: its name at the source, if that is not its position.
    """

    hyper_parameters: dict[str, Any]
    train_accuracy: float
    test_accuracy: float
    train_loss: float | None = None
    test_loss: float | None = None
    epochs: int | None = None
    replicate: int = 0
    source_id: str | None = None

    def write(self, path: str | Path) -> None:
        """Write as JSON."""
        with writing(path) as part:
            part.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> Metrics:
        """Read what :meth:`write` wrote.

        Args:
            path: the file.

        Returns:
            The metrics.

        Raises:
            GengapError: the file is not JSON, or has other keys than a network's metrics.
        """
        return cls.from_mapping(read_json(path, MAKE_AGAIN), path)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any], path: str | Path) -> Metrics:
        """Make metrics from a JSON object that was read from ``path``.

        Args:
            content: values by the names of the attributes.
            path: the file, for error messages.

        Returns:
            The metrics.

        Raises:
            GengapError: a key is missing or unknown.
        """
        known = {field.name for field in fields(cls)}
        required = {"hyper_parameters", "train_accuracy", "test_accuracy"}
        wrong = sorted((set(content) - known) | (required - set(content)))
        if wrong:
            raise GengapError(
                f"{path}: key '{wrong[0]}' is missing or unknown in a network's metrics; "
                "remove the file and run again."
            )
        return cls(**content)


@dataclass(frozen=True)
class TrainedNetwork:
    """One network of a task.

    Attributes:
        id: its position in the task: "0", "1", ...
        folder: the network's folder.
        metrics: hyper-parameters, accuracies and losses.
    """

    id: str
    folder: Path
    metrics: Metrics

    @property
    def gap(self) -> float:
        """Train accuracy minus test accuracy."""
        return self.metrics.train_accuracy - self.metrics.test_accuracy

    def network(self) -> Network:
        """Read the trained network, in eval mode."""
        return read_network(self.folder / "config.json", self.folder / "weights.safetensors")

    def initial(self) -> Network:
        """Read the network as it was before training, in eval mode."""
        return read_network(self.folder / "config.json", self.folder / "weights_init.safetensors")

    def train(self, split: Split) -> Split:
        """Return the training split with the labels that this network was trained on."""
        return with_labels(split, self.folder / "labels.npy")

    def history(self) -> pd.DataFrame:
        """Read epoch, train_loss, train_accuracy and learning_rate, one row per epoch."""
        return pd.read_csv(self.folder / "history.csv")


@dataclass(frozen=True)
class Task:
    """A task folder, read.

    Attributes:
        name: the task's name.
        folder: the task's folder.
        grid: values of each hyper-parameter.
        networks: by id, in the order of their positions; networks that failed are not here.
    """

    name: str
    folder: Path
    grid: dict[str, list[Any]]
    networks: dict[str, TrainedNetwork]

    @cached_property
    def train(self) -> Split:
        """The training data, with the labels of the dataset itself."""
        return read_split(self.folder / "dataset" / "train.safetensors")

    @cached_property
    def test(self) -> Split:
        """The test data, for measuring the gap and never for a measure."""
        return read_split(self.folder / "dataset" / "test.safetensors")

    def gaps(self) -> pd.Series[float]:
        """Return train minus test accuracy of each network, indexed by network id."""
        return self._series({name: network.gap for name, network in self.networks.items()}, "gap")

    def train_accuracies(self) -> pd.Series[float]:
        """Return the training accuracy of each network, indexed by network id."""
        return self._series(
            {name: network.metrics.train_accuracy for name, network in self.networks.items()},
            "train_accuracy",
        )

    def hyper_parameters(self) -> pd.DataFrame:
        """Return a table of one row per network and one column per hyper-parameter of the grid."""
        rows = {name: network.metrics.hyper_parameters for name, network in self.networks.items()}
        table = pd.DataFrame.from_dict(rows, orient="index", columns=list(self.grid))
        return table.rename_axis("network")

    @staticmethod
    def _series(values: dict[str, float], name: str) -> pd.Series[float]:
        return pd.Series(values, name=name, dtype=float).rename_axis("network")


def load(folder: str | Path) -> Task:
    """Read a task folder; data and weights are read only when they are used.

    Args:
        folder: the folder that holds ``task.json``.

    Returns:
        The task.

    Raises:
        GengapError: ``task.json`` is missing or broken.
    """
    folder = Path(folder)
    content = read_json(folder / TASK_FILE, MAKE_AGAIN)
    networks = {
        name: TrainedNetwork(
            name,
            folder / "networks" / name,
            Metrics.from_mapping(entry, folder / TASK_FILE),
        )
        for name, entry in content["networks"].items()
    }
    return Task(content["name"], folder, content["grid"], networks)


def write_task(
    path: str | Path,
    name: str,
    grid: Mapping[str, Sequence[Any]],
    metrics: Mapping[str, Metrics],
) -> None:
    """Write ``task.json`` from the metrics of the task's networks.

    Args:
        path: the file to write.
        name: the task's name.
        grid: values of each hyper-parameter.
        metrics: those of each trained network, by id.

    Raises:
        GengapError: there is no network, or a hyper-parameter is outside the grid.
    """
    if not metrics:
        raise GengapError(
            f"Task '{name}' has no network that was trained: see the logs of its networks."
        )
    for network, entry in metrics.items():
        for key, values in grid.items():
            if entry.hyper_parameters.get(key) not in values:
                raise GengapError(
                    f"Network {network} of task '{name}' has {key} = "
                    f"{entry.hyper_parameters.get(key)!r}, which is not in the grid "
                    f"{list(values)}: complete the grid."
                )
    ordered = sorted(metrics, key=int)
    content = {
        "name": name,
        "grid": {key: list(values) for key, values in grid.items()},
        "networks": {network: asdict(metrics[network]) for network in ordered},
    }
    with writing(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


def read_network(spec: str | Path, weights: str | Path) -> Network:
    """Build a network from the files of its spec and its weights, in eval mode."""
    from gengap.networks import build, read_weights

    network = build(read_json(spec, MAKE_AGAIN))
    read_weights(network, weights)
    return network.eval()


def with_labels(split: Split, labels: str | Path) -> Split:
    """Return a split with the labels of a ``labels.npy``.

    Args:
        split: the split whose labels are replaced.
        labels: the file.

    Returns:
        The same inputs with the other labels.

    Raises:
        GengapError: the file does not hold one label per input.
    """
    try:
        values = np.load(labels, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise GengapError(f"{labels} is not a readable .npy file: make it again.") from error
    if values.shape != split.labels.shape:
        raise GengapError(
            f"{labels} holds {values.shape} labels for {len(split.labels)} training inputs: "
            "make it again from the same dataset."
        )
    return split.with_labels(values.astype(split.labels.dtype))
