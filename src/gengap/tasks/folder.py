"""The folder of a task: its files, reading them, and writing ``task.json``.

::

    task.json                        name, grid, what the gap is of, and one entry a network
    dataset/{train,test}.safetensors inputs (n, *input_shape) and labels (n,)
    code/<digest>/                   a user's own factory of networks, and what it imports
    networks/<i>/config.json         the network's spec
    networks/<i>/weights.safetensors final weights; weights_init.safetensors: initial ones
    networks/<i>/labels.npy          (n,), the training labels this network was trained on
    networks/<i>/rows.npy            (n,), its rows of the training data, where it has its own draw
    networks/<i>/history.csv         epoch, train_loss, train_accuracy, learning_rate
    networks/<i>/metrics.json        hyper-parameters, train and test accuracy, loss and error

Only networks that were trained here have a history. Initial weights are there where they are known.
Where each replicate has its own draw of the training data, ``dataset/train.safetensors`` is the
pool that they are drawn from; a network saw nothing of it but its rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gengap.datasets import Split, count_samples, read_split
from gengap.errors import GengapError
from gengap.files import read_json, writing

if TYPE_CHECKING:
    from gengap.networks import Network

TASK_FILE = "task.json"
HISTORY = "history.csv"
LABELS = "labels.npy"
ROWS = "rows.npy"
ACCURACY = "accuracy"
"""What the gap of a task is of whose ``task.json`` does not say so."""
_OPTIONAL = ("train_error", "test_error", "reached_target")
"""Metrics that are written only where they are known."""
LEAVE_OUT = "leave_out"
"""What becomes of unfit networks in an evaluation, unless the config keeps them."""
STANDARD_ERRORS = 2
"""Standard errors by which a training accuracy must exceed the share of the largest class, or the
network counts as one that guesses."""
MAKE_AGAIN = "remove what is left of it and run the workflow"


@dataclass(frozen=True)
class Metrics:
    """Hyper-parameters and performance of one trained network.

    Accuracies are fractions, and losses are means over inputs. Errors are root-mean-square ones.
    What is not known, or has no meaning for the task's targets, is None.

    Attributes:
        hyper_parameters: the network's point of the grid.
        replicate: its number among the networks with these hyper-parameters.
        train_accuracy: on the labels that it was trained on.
        train_loss: on the same labels.
        test_accuracy: on the test data.
        test_loss: on the test data.
        epochs: number of epochs trained; None if unknown.
        source_id: its name at the source, if that is not its position.
        train_error: on the labels that it was trained on, where these are numbers.
        test_error: on the test data, likewise.
        reached_target: whether the training loss fell to ``stop_at_loss``; None if none was set.
    """

    hyper_parameters: dict[str, Any]
    train_accuracy: float | None
    test_accuracy: float | None
    train_loss: float | None = None
    test_loss: float | None = None
    epochs: int | None = None
    replicate: int = 0
    source_id: str | None = None
    train_error: float | None = None
    test_error: float | None = None
    reached_target: bool | None = None

    def gap(self, of: str) -> float:
        """Return how much worse the network is on the test data than on its training data.

        Args:
            of: one of :data:`gengap.names.GAPS`.

        Returns:
            Train minus test accuracy, or test minus train loss or error; NaN where one is unknown.
        """
        train, test = self.training(of), getattr(self, f"test_{of}")
        if test is None:
            return math.nan
        return float(train - test if of == ACCURACY else test - train)

    def training(self, of: str) -> float:
        """Return the training accuracy, loss or error; NaN where it is unknown."""
        value = getattr(self, f"train_{of}")
        return math.nan if value is None else float(value)

    def content(self) -> dict[str, Any]:
        """Return the values by the names of the attributes, ready for JSON."""
        values = asdict(self)
        return {
            name: value
            for name, value in values.items()
            if name not in _OPTIONAL or value is not None
        }

    def write(self, path: str | Path) -> None:
        """Write as JSON."""
        with writing(path) as part:
            part.write_text(json.dumps(self.content(), indent=1) + "\n")

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
        metrics: hyper-parameters, accuracies, losses and errors.
        gap_of: what the task's gap is of, one of :data:`gengap.names.GAPS`.
    """

    id: str
    folder: Path
    metrics: Metrics
    gap_of: str = ACCURACY

    @property
    def gap(self) -> float:
        """Train minus test accuracy, or test minus train loss or error; NaN if not known."""
        return self.metrics.gap(self.gap_of)

    def unfit(self) -> str | None:
        """Say why the network says nothing about measures of its gap.

        It guesses if its training accuracy is not above the share of the largest class among the n
        labels that it was trained on, m, by :data:`STANDARD_ERRORS` binomial standard errors,
        sqrt(m (1 - m) / n). Accuracies, losses and targets that are not known are not held against
        it.

        Returns:
            The reason: a gap or a loss that is not finite, a target loss that was not reached, or a
            training accuracy that is that of guessing. None for a network that is fit.
        """
        metrics = self.metrics
        if not math.isfinite(self.gap):
            return f"its gap is not finite ({self.gap})"
        for part, loss in (("training", metrics.train_loss), ("test", metrics.test_loss)):
            if loss is not None and not math.isfinite(loss):
                return f"its {part} loss is not finite ({loss})"
        if metrics.reached_target is False:
            return (
                f"it did not reach its target loss in {metrics.epochs} epochs (its training loss "
                f"is {metrics.train_loss:.3g})"
            )
        if metrics.train_accuracy is None:
            return None
        labels = _read_array(self.folder / LABELS)
        largest = np.unique(labels, return_counts=True)[1].max() / len(labels)
        margin = STANDARD_ERRORS * math.sqrt(largest * (1 - largest) / len(labels))
        if metrics.train_accuracy > largest + margin:
            return None
        return (
            f"its training accuracy of {metrics.train_accuracy:.3g} is that of guessing (the "
            f"largest class has a share of {largest:.3g})"
        )

    def network(self) -> Network:
        """Read the trained network, in eval mode."""
        return read_network(self.folder / "config.json", self.folder / "weights.safetensors")

    def initial(self) -> Network:
        """Read the network as it was before training.

        Returns:
            The network in eval mode.

        Raises:
            GengapError: its initial weights are not known.
        """
        path = self.folder / "weights_init.safetensors"
        if not path.is_file():
            raise GengapError(
                f"The initial weights of network {self.id} are not known: add the column 'initial' "
                "to the task's table."
            )
        return read_network(self.folder / "config.json", path)

    @property
    def has_own_draw(self) -> bool:
        """Whether its training data were drawn for its replicate, out of a pool."""
        return (self.folder / ROWS).is_file()

    def rows(self) -> NDArray[np.int64] | None:
        """Read its rows of the pool (n,); None where it was trained on all of the task's data."""
        return _read_array(self.folder / ROWS) if self.has_own_draw else None

    def train(self, data: Split) -> Split:
        """Return what this network was trained on.

        Args:
            data: the task's training data, or its pool.

        Returns:
            The network's rows, with the labels that it was trained on.
        """
        rows = self.folder / ROWS if self.has_own_draw else None
        return trained_on(data, self.folder / LABELS, rows)

    def history(self) -> pd.DataFrame:
        """Read the history of the training.

        Returns:
            One row per epoch: epoch, train_loss, train_accuracy and learning_rate.

        Raises:
            GengapError: the training was not recorded, since it did not take place here.
        """
        path = self.folder / HISTORY
        if not path.is_file():
            raise GengapError(
                f"The history of network {self.id} is not known ({path} does not exist): only "
                "networks that were trained here have one."
            )
        return read_history(path)


@dataclass(frozen=True)
class Task:
    """A task folder, read.

    Attributes:
        name: the task's name.
        folder: the task's folder.
        grid: values of each hyper-parameter.
        networks: by id, in the order of their positions; networks that failed are not here.
        gap_of: what the gap is of, one of :data:`gengap.names.GAPS`.
    """

    name: str
    folder: Path
    grid: dict[str, list[Any]]
    networks: dict[str, TrainedNetwork]
    gap_of: str = ACCURACY

    @cached_property
    def train(self) -> Split:
        """The training data or the pool of all draws, with the labels of the dataset itself."""
        return read_split(self.folder / "dataset" / "train.safetensors")

    @cached_property
    def test(self) -> Split:
        """The test data, for measuring the gap and never for a measure."""
        return read_split(self.folder / "dataset" / "test.safetensors")

    def gaps(self) -> pd.Series[float]:
        """Return the generalisation gap of each network, indexed by network id."""
        return self._series({name: network.gap for name, network in self.networks.items()}, "gap")

    def training_outcomes(self) -> pd.Series[float]:
        """Return the training accuracy, loss or error that the gap is of, indexed by network id."""
        values = {
            name: network.metrics.training(self.gap_of) for name, network in self.networks.items()
        }
        return self._series(values, f"train_{self.gap_of}")

    def outcomes(self) -> pd.DataFrame:
        """Return the accuracies, losses or errors that the gap is of.

        Returns:
            Columns ``train_<gap_of>`` and ``test_<gap_of>``, NaN where unknown; index network.
        """
        test = {
            name: getattr(network.metrics, f"test_{self.gap_of}")
            for name, network in self.networks.items()
        }
        training = self.training_outcomes()
        return pd.concat([training, self._series(test, f"test_{self.gap_of}")], axis=1)

    def hyper_parameters(self) -> pd.DataFrame:
        """Return a table of one row per network and one column per hyper-parameter of the grid."""
        rows = {name: network.metrics.hyper_parameters for name, network in self.networks.items()}
        table = pd.DataFrame.from_dict(rows, orient="index", columns=list(self.grid))
        return table.rename_axis("network")

    def gap_errors(self) -> pd.Series[float] | None:
        """Return the standard error of each gap that the finite test set makes.

        It is sqrt(a (1 - a) / n) of a test accuracy a of n inputs. The training accuracy adds
        nothing to it: the gap is that of the network on its own training set, all of which is
        known. Networks share the test set, so the difference of two gaps is known better than these
        errors tell.

        Returns:
            Errors indexed by network id, NaN where an accuracy is unknown; None where the gap is of
            losses or errors.
        """
        if self.gap_of != ACCURACY:
            return None
        tested = count_samples(self.folder / "dataset" / "test.safetensors")
        accuracies = self.outcomes()[f"test_{ACCURACY}"]
        errors: pd.Series[float] = np.sqrt(accuracies * (1 - accuracies) / tested)
        return errors.rename("gap_error")

    def unfit(self) -> dict[str, str]:
        """Return why networks are not fit to judge measures by, see :meth:`TrainedNetwork.unfit`.

        Returns:
            The reason of each such network by its id.
        """
        reasons = {name: network.unfit() for name, network in self.networks.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def left_out(self, unfit: str) -> dict[str, str]:
        """Return why networks are left out of an evaluation.

        Args:
            unfit: what becomes of unfit networks: ``leave_out`` or ``keep``.

        Returns:
            The reason of each such network by its id.
        """
        return self.unfit() if unfit == LEAVE_OUT else {}

    def data_draws(self) -> pd.Series[str] | None:
        """Return which draw of the training data each network was trained on.

        Returns:
            ``replicate 0``, ``replicate 1``, ..., indexed by network id; None where all networks
            were trained on the same data.
        """
        draws = {
            name: f"replicate {network.metrics.replicate}"
            for name, network in self.networks.items()
            if network.has_own_draw
        }
        if len(set(draws.values())) < 2:
            return None
        return pd.Series(draws, name="draw").rename_axis("network")

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
    if not (folder / TASK_FILE).is_file():
        raise GengapError(
            f"{folder} is no folder of a task, for it has no {TASK_FILE}: name one, such as "
            "results/digits, or run the workflow first."
        )
    content = read_json(folder / TASK_FILE, MAKE_AGAIN)
    gap_of = content.get("gap_of", ACCURACY)
    networks = {
        name: TrainedNetwork(
            name,
            folder / "networks" / name,
            Metrics.from_mapping(entry, folder / TASK_FILE),
            gap_of,
        )
        for name, entry in content["networks"].items()
    }
    return Task(content["name"], folder, content["grid"], networks, gap_of)


def write_task(
    path: str | Path,
    name: str,
    grid: Mapping[str, Sequence[Any]],
    metrics: Mapping[str, Metrics],
    *,
    gap_of: str | None = None,
) -> None:
    """Write ``task.json`` from the metrics of the task's networks.

    Args:
        path: the file to write.
        name: the task's name.
        grid: values of each hyper-parameter.
        metrics: those of each trained network, by id.
        gap_of: what the gap is of, one of :data:`gengap.names.GAPS`; None stands for accuracy, or
            for loss where no network has an accuracy.

    Raises:
        GengapError: there is no network, a hyper-parameter is outside the grid, or no network has
            what the gap is of.
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
    gap_of = gap_of or _gap_of(metrics.values())
    if all(math.isnan(entry.training(gap_of)) for entry in metrics.values()):
        raise GengapError(
            f"No network of task '{name}' has a training {gap_of}: set 'gap' to what the networks "
            "have."
        )
    content: dict[str, Any] = {
        "name": name,
        "grid": {key: list(values) for key, values in grid.items()},
    }
    if gap_of != ACCURACY:
        content["gap_of"] = gap_of
    content["networks"] = {network: metrics[network].content() for network in ordered}
    with writing(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


def _gap_of(metrics: Iterable[Metrics]) -> str:
    """Return ``accuracy``, or ``loss`` where no network has an accuracy."""
    known = (entry.train_accuracy is not None for entry in metrics)
    return ACCURACY if any(known) else "loss"


def read_network(spec: str | Path, weights: str | Path) -> Network:
    """Build a network from the files of its spec and its weights.

    Args:
        spec: the file of the spec; paths in it are relative to its folder.
        weights: the file of the weights.

    Returns:
        The network in eval mode.
    """
    from gengap.networks import build, read_weights

    network = build(read_json(spec, MAKE_AGAIN), folder=Path(spec).parent)
    read_weights(network, weights)
    return network.eval()


def read_history(path: str | Path) -> pd.DataFrame:
    """Read a ``history.csv``.

    Args:
        path: the file.

    Returns:
        One row per epoch: epoch, train_loss, train_accuracy and learning_rate.

    Raises:
        GengapError: the file is not such a table.
    """
    try:
        history = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise GengapError(f"{path} is not a readable table: {MAKE_AGAIN}.") from error
    if not {"epoch", "train_loss"} <= set(history.columns) or history.empty:
        raise GengapError(f"{path} does not hold the losses of a training: {MAKE_AGAIN}.")
    return history


def trained_on(data: Split, labels: str | Path, rows: str | Path | None = None) -> Split:
    """Return the part of a task's training data that one network was trained on.

    Args:
        data: the task's training data, or its pool.
        labels: the file ``labels.npy`` of the labels that the network was trained on (n,).
        rows: the file ``rows.npy`` of its rows of the data (n,); None for all of them.

    Returns:
        The inputs of these rows, in their order, with these labels.

    Raises:
        GengapError: a file does not hold such an array, or does not belong to the data.
    """
    if rows is not None:
        chosen = _read_array(rows)
        is_rows = chosen.ndim == 1 and chosen.dtype.kind in "iu" and chosen.size
        if not is_rows or chosen.min() < 0 or chosen.max() >= len(data.labels):
            raise GengapError(
                f"{rows} does not hold rows of the {len(data.labels)} training inputs: make it "
                "again from the same dataset."
            )
        data = data.take(chosen)
    values = _read_array(labels)
    if values.shape != data.labels.shape:
        raise GengapError(
            f"{labels} holds {values.shape} labels for {len(data.labels)} training inputs: make it "
            "again from the same dataset. A network with a draw of its own is named by its folder."
        )
    return data.with_labels(values.astype(data.labels.dtype))


def _read_array(path: str | Path) -> NDArray[Any]:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise GengapError(f"{path} is not a readable .npy file: make it again.") from error
    return np.asarray(values)
