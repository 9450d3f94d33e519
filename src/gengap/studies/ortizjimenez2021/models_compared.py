"""The two models that are compared: a network, and its linearisation, trained alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gengap.datasets import Dataset, Split
from gengap.errors import GengapError
from gengap.networks import (
    Network,
    build,
    device_of,
    initialise,
    input_batches,
    tensor_of,
    weights_of,
)
from gengap.studies.context import Context
from gengap.studies.ortizjimenez2021.reuse import passing_kernel
from gengap.studies.outcomes import Floats, Integers, RunT, group_runs, setting, varying_settings
from gengap.studies.solving import recipe_for, solve
from gengap.tangent import (
    HeldOut,
    LinearisedNetwork,
    scalar_outputs,
    train_linearised,
)
from gengap.training import loss_and_accuracy, loss_inputs, sample_losses, train

MLP_WIDTH, MLP_DEPTH = 100, 2
ARCHITECTURE_NAMES = {
    "mlp": "MLP",
    "lenet": "LeNet",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "resnet152": "ResNet-152",
}
Architecture = Literal["mlp", "lenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]

SCHEDULES: dict[str, dict[str, Any] | None] = {
    "cosine": {"name": "cosine"},
    "linear": {"name": "linear"},
    "cyclic": {"name": "cyclic"},
    "fixed": None,
}
"""The recipe's schedules by the names of the published configurations, and ``cosine``."""

GRADIENT_BATCH = 256
"""Inputs of one backward pass of the whole gradient."""

COLUMNS = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
"""Of a curve, (epochs, 4)."""
NORMS = ("weight_norm", "distance", "gradient_norm")
"""Of the norms along training, (epochs, 3): of the weights, of their difference from the initial
ones, and of the gradient of the mean training loss in eval mode, after each epoch."""
LOSS, TEST_ACCURACY = COLUMNS.index("train_loss"), COLUMNS.index("test_accuracy")

MODELS = ("network", "linear")
"""Of the curves of a task, (2 models, epochs, 4)."""


@dataclass(frozen=True)
class NetworkSettings:
    """A network with one output.

    Attributes:
        architecture: ``mlp``, ``lenet``, or a residual network, ``resnet18`` to ``resnet152``.
        width: units of each of the two hidden layers of ``mlp`` (100 if None), or channels of a
            residual network (64 if None); None for ``lenet``.
        features: units of each hidden layer of ``mlp``, instead of ``width``.
        activation: of all layers but the last.
    """

    architecture: Architecture
    width: int | None = None
    features: Sequence[int] | None = None
    activation: Literal["relu", "gelu", "sigmoid", "tanh", "softplus"] = "relu"


LENET = NetworkSettings("lenet")


@dataclass(frozen=True)
class TrainingSettings:
    """The training that both models share, on the cross-entropy.

    The linearisation learns in dual form with ``sgd``, and by its weights with ``adam``, which
    takes a derivative through the network in each step.

    Attributes:
        initialisation: of the network, see :func:`gengap.networks.initialise`.
        optimiser: ``sgd`` or ``adam``.
        momentum: of ``sgd``.
        schedule: of the learning rate: half a ``cosine`` to zero, or as published: ``linear`` to
            zero, ``cyclic`` (up for 0.4 of the epochs, then down to zero) or ``fixed``.
    """

    epochs: int = 100
    learning_rate: float = 0.05
    batch_size: int = 128
    initialisation: str = "lecun"
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.9
    schedule: Literal["cosine", "linear", "cyclic", "fixed"] = "cosine"

    def recipe(self) -> dict[str, Any]:
        """Return the entries of the recipe without its seed."""
        return {
            "loss": "cross_entropy",
            "learning_rate": self.learning_rate,
            "optimiser": self.optimiser,
            "momentum": self.momentum,
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "schedule": SCHEDULES[self.schedule],
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
    """Return the runs that differ by seed alone, by the settings that tell the groups apart.

    Returns:
        The groups in the order of their first runs, by names such as ``LeNet, parity``; a single
        group has the name of its architecture.
    """
    names: list[str] = []
    for name in varying_settings(runs):
        # Where each architecture has one width, the architecture says all.
        if _groups(runs, [*names, name]) > _groups(runs, names):
            names.append(name)
    names = names or ["network.architecture"]
    settings = {name: [setting(run.settings, name) for run in runs] for name in names}

    def words(run: RunT) -> str:
        return ", ".join(
            described(name, setting(run.settings, name), values)
            for name, values in settings.items()
        )

    return group_runs(runs, words)


def _groups(runs: Sequence[RunT], names: Sequence[str]) -> int:
    """Into how many groups some settings part the runs."""
    return len({tuple(repr(setting(run.settings, name)) for name in names) for run in runs})


def described(setting_name: str, value: Any, others: Sequence[Any]) -> str:
    """Return a setting in words that tell it from the values of other runs.

    Of a mapping, such as the keywords of a dataset, these are its name and the entries that differ
    between mappings of that name.
    """
    if isinstance(value, str):
        return ARCHITECTURE_NAMES.get(value, value)
    if not isinstance(value, Mapping):
        last = setting_name.rpartition(".")[2].replace("_", " ")
        return f"default {last}" if value is None else f"{last} {value}"
    name = value.get("name", "")
    alike = [
        other for other in others if isinstance(other, Mapping) and other.get("name", "") == name
    ]
    keys = dict.fromkeys(key for other in alike for key in other)
    differing = [key for key in keys if len({repr(other.get(key)) for other in alike}) > 1]
    words = [str(name)] if name else []
    return ", ".join(words + [f"{key} {value.get(key)}" for key in differing])


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
    architecture, width, features = network.architecture, network.width, network.features
    if architecture == "lenet" and width is not None:
        raise GengapError(
            f"The setting 'network.width' is {width}, but lenet has no width: leave it out, or "
            "choose mlp or a residual network."
        )
    if features is not None and (architecture != "mlp" or width is not None):
        raise GengapError(
            f"The setting 'network.features' is {list(features)}: give it to mlp alone, and no "
            "width beside it."
        )
    if architecture == "mlp":
        spec = _mlp(input_shape, features or [width or MLP_WIDTH] * MLP_DEPTH, network.activation)
    else:
        spec = {
            "architecture": architecture,
            "input_shape": input_shape,
            "classes": 1,
            "activation": network.activation,
        }
        spec |= {} if width is None else {"width": width}
    module = build(spec)
    initialise(module, initialisation, context.torch_generator("initial weights"))
    return module.to(context.device)


def _mlp(input_shape: tuple[int, ...], features: Sequence[int], activation: str) -> dict[str, Any]:
    """The spec of a fully connected network with one output and hidden layers of these units."""
    hidden = [
        {"layer_name": "Dense", "units": units, "activation": activation} for units in features
    ]
    layers = [{"layer_name": "Flatten"}, *hidden, {"layer_name": "Dense", "units": 1}]
    return {"model_config": layers, "input_shape": list(input_shape)}


def binary_task(data: Dataset, labels: Integers) -> Dataset:
    """Return a dataset with labels 0 or 1 of its training and then its test inputs, (n + m,)."""
    count = len(data.train.labels)
    return Dataset(
        data.name,
        Split(data.train.inputs, labels[:count], 2),
        Split(data.test.inputs, labels[count:], 2),
    )


@dataclass(frozen=True)
class Learnt:
    """What a network learnt, epoch by epoch.

    Attributes:
        curve: (epochs, 4), with the columns :data:`COLUMNS`.
        norms: (epochs, 3), with the columns :data:`NORMS`.
    """

    curve: Floats
    norms: Floats


def train_network(
    context: Context,
    network: Network,
    data: Dataset,
    training: TrainingSettings,
    purpose: str,
    start: Mapping[str, Tensor],
) -> Learnt:
    """Train a network in place on two classes, from its initial weights.

    The context's seed decides the order of batches, for each purpose another one.

    Returns:
        The curve and the norms.
    """
    curve: list[list[float]] = []
    norms: list[list[float]] = []
    recipe = training.recipe()
    first = [start[name].to(device_of(network)) for name, _ in network.named_parameters()]

    def remember(row: dict[str, Any]) -> None:
        loss, accuracy = loss_and_accuracy(network, data.test, recipe["loss"])
        curve.append([row["train_loss"], row["train_accuracy"], loss, accuracy])
        weights = [parameter.detach() for parameter in network.parameters()]
        moved = [now - before for now, before in zip(weights, first, strict=True)]
        gradient = loss_gradient(network, data.train, recipe["loss"])
        norms.append([_norm(weights), _norm(moved), _norm(gradient)])

    solve(context, data, network, recipe, purpose=purpose, start=start, on_epoch=remember)
    return Learnt(np.array(curve), np.array(norms))


def loss_gradient(network: Network, data: Split, loss: str) -> list[Tensor]:
    """Return the gradient of the mean loss in eval mode, a tensor for each parameter."""
    mode = network.training
    network.eval()
    parameters = list(network.parameters())
    total = [torch.zeros_like(parameter) for parameter in parameters]
    labels = tensor_of(data.labels, device_of(network))
    for rows, inputs in input_batches(network, data.inputs, GRADIENT_BATCH):
        losses = sample_losses(loss_inputs(network, inputs, loss), labels[rows], loss)
        for part, more in zip(total, torch.autograd.grad(losses.sum(), parameters), strict=True):
            part += more / len(labels)
    network.train(mode)
    return total


def _norm(tensors: Sequence[Tensor]) -> float:
    return float(sum(float((tensor.double() ** 2).sum()) for tensor in tensors) ** 0.5)


def train_linearisation(
    context: Context,
    kernel: NDArray[np.floating],
    outputs: Floats,
    data: Dataset,
    training: TrainingSettings,
    purpose: str,
    *,
    network: Network,
    scale: float = 1.0,
) -> Floats:
    """Train a linearisation, which sees the batches that :func:`train_network` sees.

    The kernel is that of the n training and m test inputs, in this order, with the training inputs:
    (n + m, n), or more columns. The outputs are those at all inputs before training, (n + m,): the
    network's, or zeros. The network has the weights at which it is linearised, for an optimiser
    without a dual form. The linearisation is that of ``scale`` times the network, whose kernel is
    ``scale**2`` times the given one.

    Returns:
        The curve (epochs, 4) with the columns :data:`COLUMNS`.
    """
    count = len(data.train.labels)
    recipe = recipe_for(context, training.recipe(), purpose)
    if training.optimiser == "sgd":
        # A kernel times a factor is trained on as the kernel itself at as many times the rate, up
        # to the factor of the coefficients, and need not be copied.
        result = train_linearised(
            kernel[:count, :count],
            outputs[:count],
            data.train.labels,
            dataclasses.replace(recipe, learning_rate=recipe.learning_rate * scale**2),
            held=HeldOut(kernel[count:, :count], outputs[count:], data.test.labels),
        )
        return np.array([[row[column] for column in COLUMNS] for row in result.history])
    linear = LinearisedNetwork(network, scale=scale, from_zero=not outputs.any())
    curve: list[list[float]] = []

    def remember(row: dict[str, Any]) -> None:
        loss, accuracy = loss_and_accuracy(linear, data.test, recipe.loss)
        curve.append([row["train_loss"], row["train_accuracy"], loss, accuracy])

    train(linear, data.train, recipe, start=weights_of(linear), on_epoch=remember)
    return np.array(curve)


@contextmanager
def both_trained(
    context: Context,
    network: Network,
    data: Dataset,
    training: TrainingSettings,
    purpose: str,
    *,
    memory_budget: int,
) -> Iterator[tuple[Learnt, Floats, NDArray[np.floating]]]:
    """Train a network in place on two classes, and its linearisation at the initial weights.

    Yields:
        What the network learnt; the curve (epochs, 4) of the linearisation; and the initial kernel
        of the n training and m test inputs with the training inputs, (n + m, n), which is there
        while the block lasts.
    """
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    with passing_kernel(
        context, network, inputs, data.train.inputs, memory_budget=memory_budget
    ) as kernel:
        outputs = scalar_outputs(network, inputs)
        linear = train_linearisation(
            context, kernel, outputs, data, training, purpose, network=network
        )
        start = weights_of(network)
        yield train_network(context, network, data, training, purpose, start), linear, kernel
