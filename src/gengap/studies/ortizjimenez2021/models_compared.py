"""What is compared: a network, and its linearisation, trained alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import Network, build, dense, initialise
from gengap.seeding import derive, torch_generator
from gengap.studies import Context
from gengap.tangent import HeldOut, train_linearised
from gengap.training import Recipe, loss_and_accuracy, train

Floats = NDArray[np.float64]

ARCHITECTURES = ("mlp", "lenet", "resnet18")
MLP_WIDTH, MLP_DEPTH = 100, 2

COLUMNS = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
"""Of a curve, (epochs, 4)."""
LOSS, TEST_ACCURACY = COLUMNS.index("train_loss"), COLUMNS.index("test_accuracy")

ARMS = ("network", "linear")


@dataclass(frozen=True)
class Training:
    """The settings that both arms share.

    The learning rate falls to zero along half a cosine; the published one falls linearly.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    initialisation: str

    def recipe(self, seed: int, purpose: str) -> Recipe:
        """Batches come in an order of their own for each purpose, the same for both arms."""
        return Recipe(
            loss="cross_entropy",
            learning_rate=self.learning_rate,
            momentum=0.9,
            batch_size=self.batch_size,
            epochs=self.epochs,
            schedule={"name": "cosine"},
            initialisation=self.initialisation,
            seed=derive(seed, purpose),
        )


def initial_network(
    context: Context,
    architecture: str,
    width: int | None,
    input_shape: tuple[int, ...],
    initialisation: str,
) -> Network:
    """A network with one output and its initial weights, which the context's seed decides.

    Args:
        context: seed and device.
        architecture: ``mlp`` (two hidden layers of ``width`` units, 100 if None), ``lenet`` or
            ``resnet18`` (of ``width`` channels, 64 if None).
        width: see above; None for ``lenet``.
        input_shape: of the inputs.
        initialisation: see :func:`gengap.networks.initialise`.

    Raises:
        GengapError: an unknown architecture, or a width that it does not take.
    """
    if architecture not in ARCHITECTURES or (architecture == "lenet" and width is not None):
        raise GengapError(
            f"architecture '{architecture}' with width {width} is not known: choose mlp, lenet "
            "(without width) or resnet18."
        )
    if architecture == "mlp":
        spec = dense(input_shape, 1, width=width or MLP_WIDTH, depth=MLP_DEPTH)
    else:
        named: dict[str, Any] = {"architecture": architecture, "input_shape": input_shape}
        spec = named | {"classes": 1} | ({} if width is None else {"width": width})
    network = build(spec)
    initialise(network, initialisation, torch_generator(context.seed, "initial weights"))
    return network.to(context.device)


def train_network(
    network: Network,
    train_split: Split,
    test_split: Split,
    recipe: Recipe,
    start: Mapping[str, Tensor],
) -> Floats:
    """Train a network from its initial weights, in place; its curve (epochs, 4)."""
    curve: list[list[float]] = []

    def remember(row: dict[str, Any]) -> None:
        loss, accuracy = loss_and_accuracy(network, test_split, recipe.loss)
        curve.append([row["train_loss"], row["train_accuracy"], loss, accuracy])

    train(network, train_split, recipe, start=start, on_epoch=remember)
    return np.array(curve)


def train_linear(
    kernel: np.ndarray,
    outputs: Floats,
    train_labels: NDArray[np.int64],
    test_labels: NDArray[np.int64],
    recipe: Recipe,
) -> Floats:
    """Train a linearisation; its curve (epochs, 4).

    Args:
        kernel: (n, n) or more columns: of the n training and m test inputs, in this order, with the
            training inputs, (n + m, n).
        outputs: f0 at all inputs, (n + m,).
        train_labels: (n,).
        test_labels: (m,).
        recipe: of the training.
    """
    count = len(train_labels)
    held = HeldOut(kernel[count:, :count], outputs[count:], test_labels)
    result = train_linearised(
        kernel[:count, :count], outputs[:count], train_labels, recipe, held=held
    )
    return np.array([[row[column] for column in COLUMNS] for row in result.history])
