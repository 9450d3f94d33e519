"""The two models that are compared: a network, and its linearisation, trained alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gengap.datasets import Dataset, Split
from gengap.errors import GengapError
from gengap.networks import Network, build, dense, initialise
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats, Integers, RunT, group_runs, setting, varying_settings
from gengap.studies.solving import recipe_for, solve
from gengap.tangent import HeldOut, train_linearised
from gengap.training import loss_and_accuracy

MLP_WIDTH, MLP_DEPTH = 100, 2
ARCHITECTURE_NAMES = {"mlp": "MLP", "lenet": "LeNet", "resnet18": "ResNet-18"}
MOMENTUM = 0.9

COLUMNS = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
"""Of a curve, (epochs, 4)."""
LOSS, TEST_ACCURACY = COLUMNS.index("train_loss"), COLUMNS.index("test_accuracy")

MODELS = ("network", "linear")
"""Of the curves of a task, (2 models, epochs, 4)."""


@dataclass(frozen=True)
class NetworkSettings:
    """A network with one output.

    Attributes:
        architecture: ``mlp`` (two hidden layers), ``lenet`` or ``resnet18``.
        width: hidden units of ``mlp`` (100 if None) or channels of ``resnet18`` (64 if None); None
            for ``lenet``.
        activation: of ``mlp`` and ``lenet``; ``resnet18`` has ReLU.
    """

    architecture: Literal["mlp", "lenet", "resnet18"]
    width: int | None = None
    activation: Literal["relu", "gelu", "sigmoid", "tanh", "softplus"] = "relu"


LENET = NetworkSettings("lenet")


@dataclass(frozen=True)
class TrainingSettings:
    """The training that both models share: SGD with momentum 0.9 on the cross-entropy.

    The learning rate falls to zero along half a cosine; the published one falls linearly. The
    initialisation is that of the network, see :func:`gengap.networks.initialise`.
    """

    epochs: int = 100
    learning_rate: float = 0.05
    batch_size: int = 128
    initialisation: str = "lecun"

    def recipe(self) -> dict[str, Any]:
        """Return the entries of the recipe without its seed."""
        return {
            "loss": "cross_entropy",
            "learning_rate": self.learning_rate,
            "momentum": MOMENTUM,
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "schedule": {"name": "cosine"},
            "initialisation": self.initialisation,
        }


TRAINING = TrainingSettings()
"""The training unless the YAML file changes it."""


class HasCurves(Protocol):
    """A result with the curves of both models on one or more tasks."""

    @property
    def curves(self) -> Floats:
        """The curves (tasks, 2 models, epochs, 4) with the columns :data:`COLUMNS`."""
        ...


def final_accuracies(result: HasCurves, model: str) -> Floats:
    """Return the test accuracy (tasks,) of one of :data:`MODELS` after the last epoch."""
    accuracies: Floats = result.curves[:, MODELS.index(model), -1, TEST_ACCURACY]
    return accuracies


def grouped(runs: Sequence[RunT]) -> dict[str, list[RunT]]:
    """Return the runs that differ by seed alone, by the settings that vary between the groups.

    Returns:
        The groups in the order of their first runs, by names such as ``LeNet, parity``; a single
        group has the name of its architecture.
    """
    names = varying_settings(runs) or ["network.architecture"]

    def words(run: RunT) -> str:
        values = [str(setting(run.settings, name)) for name in names]
        return ", ".join(ARCHITECTURE_NAMES.get(value, value) for value in values)

    return group_runs(runs, words)


def initial_network(
    context: Context, network: NetworkSettings, input_shape: tuple[int, ...], initialisation: str
) -> Network:
    """Build a network with one output and its initial weights, which the context's seed decides.

    Returns:
        The network, on the context's device.

    Raises:
        GengapError: a width or activation that the architecture does not take, or layers that do
            not fit.
    """
    architecture, width, activation = network.architecture, network.width, network.activation
    if architecture == "lenet" and width is not None:
        raise GengapError(
            f"The setting 'network.width' is {width}, but lenet has no width: leave it out, or "
            "choose mlp or resnet18."
        )
    if architecture == "resnet18" and activation != "relu":
        raise GengapError(
            f"The setting 'network.activation' is {activation}, but resnet18 has ReLU: leave it "
            "out, or choose mlp or lenet."
        )
    if architecture == "mlp":
        spec = dense(
            input_shape, 1, width=width or MLP_WIDTH, depth=MLP_DEPTH, activation=activation
        )
    else:
        named: dict[str, Any] = {"architecture": architecture, "input_shape": input_shape}
        spec = named | {"classes": 1}
        if architecture == "lenet":
            spec |= {"activation": activation}
        elif width is not None:
            spec |= {"width": width}
    module = build(spec)
    initialise(module, initialisation, context.torch_generator("initial weights"))
    return module.to(context.device)


def binary_task(data: Dataset, labels: Integers) -> Dataset:
    """Return a dataset with labels 0 or 1 of its training and then its test inputs, (n + m,)."""
    count = len(data.train.labels)
    return Dataset(
        data.name,
        Split(data.train.inputs, labels[:count], 2),
        Split(data.test.inputs, labels[count:], 2),
    )


def train_network(
    context: Context,
    network: Network,
    data: Dataset,
    training: TrainingSettings,
    purpose: str,
    start: Mapping[str, Tensor],
) -> Floats:
    """Train a network in place on two classes, from its initial weights.

    The context's seed decides the order of batches, for each purpose another one.

    Returns:
        The curve (epochs, 4) with the columns :data:`COLUMNS`.
    """
    curve: list[list[float]] = []
    recipe = training.recipe()

    def remember(row: dict[str, Any]) -> None:
        loss, accuracy = loss_and_accuracy(network, data.test, recipe["loss"])
        curve.append([row["train_loss"], row["train_accuracy"], loss, accuracy])

    solve(context, data, network, recipe, purpose=purpose, start=start, on_epoch=remember)
    return np.array(curve)


def train_linearisation(
    context: Context,
    kernel: NDArray[np.floating],
    outputs: Floats,
    data: Dataset,
    training: TrainingSettings,
    purpose: str,
) -> Floats:
    """Train a linearisation, which sees the batches that :func:`train_network` sees.

    The kernel is that of the n training and m test inputs, in this order, with the training inputs:
    (n + m, n), or more columns. The outputs are those at all inputs before training, (n + m,).

    Returns:
        The curve (epochs, 4) with the columns :data:`COLUMNS`.
    """
    count = len(data.train.labels)
    result = train_linearised(
        kernel[:count, :count],
        outputs[:count],
        data.train.labels,
        recipe_for(context, training.recipe(), purpose),
        held=HeldOut(kernel[count:, :count], outputs[count:], data.test.labels),
    )
    return np.array([[row[column] for column in COLUMNS] for row in result.history])
