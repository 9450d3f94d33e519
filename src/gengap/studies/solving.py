"""Training one network of a run: the only way in which the studies do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gengap.datasets import Dataset, Split
from gengap.errors import GengapError
from gengap.networks import Network, build, set_weights
from gengap.networks.building import FOREIGN_KINDS
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats
from gengap.tasks.zoo import network_spec
from gengap.training import Recipe, TrainingResult, loss_and_accuracy, set_initial_weights, train
from gengap.training.trainer import OnEpoch

TRAINING = "training"
"""The purpose for which a network's recipe takes its seed, unless an experiment names another."""


@dataclass(frozen=True)
class Solution:
    """A trained network, and what it was trained on.

    Attributes:
        network: in eval mode, with its final weights until others are set.
        train: the training inputs with the labels that it was trained on.
        test: the test split, to measure the generalisation that an experiment explains.
        recipe: of the training.
        result: the weights at the start, at checkpoints and at the end, and the history.
    """

    network: Network
    train: Split
    test: Split
    recipe: Recipe
    result: TrainingResult

    @property
    def loss(self) -> str:
        """The name of the training loss."""
        return self.recipe.loss

    @property
    def final_loss(self) -> float:
        """The mean training loss after the last epoch."""
        return float(self.result.history[-1]["train_loss"])

    @property
    def final_accuracy(self) -> float:
        """The training accuracy after the last epoch, in [0, 1]."""
        return float(self.result.history[-1]["train_accuracy"])

    @property
    def loss_curve(self) -> Floats:
        """The mean training loss after each epoch, (epochs,)."""
        return np.array([row["train_loss"] for row in self.result.history])

    def set_checkpoint(self, epoch: int) -> None:
        """Give the network the weights that it had after an epoch, one of the checkpoints."""
        set_weights(self.network, self.result.snapshots[epoch], source="the checkpoint")

    def on_train(self) -> tuple[float, float]:
        """Return loss and accuracy of the present weights on the labels trained on."""
        return loss_and_accuracy(self.network, self.train, self.loss)

    def on_test(self) -> tuple[float, float]:
        """Return loss and accuracy of the present weights on the test split."""
        return loss_and_accuracy(self.network, self.test, self.loss)


def solve(
    context: Context,
    data: Dataset,
    network: Mapping[str, Any] | Network,
    training: Mapping[str, Any],
    *,
    purpose: str = TRAINING,
    start: Mapping[str, Tensor] | str | Path | None = None,
    checkpoints: Sequence[int] = (),
    on_epoch: OnEpoch | None = None,
    name: str | None = None,
) -> Solution:
    """Train one network of a run.

    Networks of one run that are trained for one purpose start from equal weights, see the inputs in
    an equal order and have equal wrong labels. A run that was interrupted goes on with its
    last state (``context.resume_from``), which is kept at checkpoints and every ten minutes.

    Args:
        context: seed and device.
        data: training and test split.
        network: keywords of :func:`gengap.tasks.zoo.network_spec`, or a network, trained in place.
        training: entries of a :class:`gengap.training.Recipe` without its seed.
        purpose: for which the recipe takes its seed from the context's.
        start: weights by name, or a safetensors file; None draws them by the recipe.
        checkpoints: epochs whose weights are kept, ascending from 0; none, or at least two.
        on_epoch: called with each new row of the history. Training that is watched so, without
            checkpoints, starts again after an interruption, since whoever watches needs every row.
        name: of the network among those of the run, for its files; None takes the purpose.

    Returns:
        The trained network.

    Raises:
        GengapError: the checkpoints are not so, training may end before the last of them, the
            network cannot be built or trained, or training diverged.
    """
    if checkpoints:
        check_checkpoints(training, checkpoints)
    module = network if isinstance(network, Network) else build_network(context, data, network)
    recipe = recipe_for(context, training, purpose)
    result = train(
        module,
        data.train,
        recipe,
        start=start,
        snapshots=checkpoints,
        on_epoch=on_epoch,
        resume_from=context.resume_from if checkpoints or on_epoch is None else None,
    )
    trained_on = data.train.with_labels(result.labels)
    if context.files is not None:
        epochs = {f"epoch_{epoch}": weights for epoch, weights in result.snapshots.items()}
        context.files.write_network(
            name or purpose,
            module,
            trained_on,
            history=result.history,
            others={"initial": result.initial, **epochs},
        )
    return Solution(module, trained_on, data.test, recipe, result)


def recipe_for(context: Context, training: Mapping[str, Any], purpose: str = TRAINING) -> Recipe:
    """Return the recipe of a network of a run, whose seed is the context's for a purpose.

    Raises:
        GengapError: an unknown key, or a value that makes no sense.
    """
    return Recipe.from_mapping({**training, "seed": context.seed_for(purpose)})


def build_network(context: Context, data: Dataset, network: Mapping[str, Any]) -> Network:
    """Build a network for the data, on the context's device, before any weights are drawn.

    Besides the keywords of :func:`gengap.tasks.zoo.network_spec` there may be those of a network
    that is made elsewhere, such as ``{"hub": "torchvision:resnet18", "keywords": {"num_classes":
    10}}``, see :func:`gengap.networks.build`.

    Returns:
        The network.

    Raises:
        GengapError: unknown keywords, or layers that do not fit together.
    """
    if any(kind in network for kind in FOREIGN_KINDS):
        return build(network, example=data.train).to(context.device)
    return build(network_spec(network, data.input_shape, data.classes)).to(context.device)


def untrained_network(
    context: Context, data: Dataset, network: Mapping[str, Any], training: Mapping[str, Any]
) -> Network:
    """Return the network of :func:`solve` as it is before training, in eval mode."""
    module = build_network(context, data, network)
    set_initial_weights(module, recipe_for(context, training))
    return module.eval()


def check_checkpoints(training: Mapping[str, Any], checkpoints: Sequence[int]) -> None:
    """Refuse checkpoints that are not ascending from 0, or that training may not reach.

    Raises:
        GengapError: they are so.
    """
    if len(checkpoints) < 2 or list(checkpoints) != sorted({0, *checkpoints}):
        raise GengapError(
            f"The setting 'checkpoints' is {list(checkpoints)}: give ascending epochs, 0 first."
        )
    if training.get("stop_at_loss") is not None:
        raise GengapError(
            "The setting 'training' has stop_at_loss, which may end it before the last checkpoint: "
            "leave it out."
        )
