"""The trainer of all networks."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn, optim

from gengap.errors import GengapError
from gengap.networks import (
    device_of,
    initialise,
    read_weights,
    set_weights,
    tensor_of,
    weights_of,
)
from gengap.seeding import derive, generator, torch_generator
from gengap.training.augmentation import augment
from gengap.training.corruption import corrupt_labels
from gengap.training.losses import (
    check_fit,
    final_activation_of,
    loss_and_accuracy_of,
    loss_inputs,
    sample_losses,
)
from gengap.training.optimisers import Schedule, optimiser
from gengap.training.recipe import Recipe
from gengap.training.resumption import read_state, state_file, write_state

if TYPE_CHECKING:
    from gengap.datasets import Split

NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

STATE_SECONDS = 600.0
"""Seconds after which the state of a training is kept again, from which it can be resumed."""

IMAGE_AXES = 4
"""Axes of a batch of images; one of vectors has two."""

Weights = dict[str, Tensor]
OnEpoch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        initial: weights at the start, by name, on the CPU.
        weights: weights at the end.
        history: one row per epoch 1, 2, ...: ``epoch``; ``train_loss`` (the recipe's) and
            ``train_accuracy`` (NaN where the targets are numbers) at its end, in eval mode, without
            augmentation, on the labels trained on; ``learning_rate`` during it.
        snapshots: weights by epoch, after the epochs that were asked for; epoch 0 is the start.
            Epochs that training did not reach are missing.
        labels: (n,), the labels or numbers trained on (corrupted if the recipe says so).
        epochs: number of epochs trained.
        reached_target: whether the recipe has targets (``stop_at_loss``, ``stop_at_accuracy``) and
            the last epoch reached all of them.
    """

    initial: Weights
    weights: Weights
    history: list[dict[str, Any]]
    snapshots: dict[int, Weights]
    labels: np.ndarray
    epochs: int
    reached_target: bool


def train(
    network: nn.Module,
    data: Split,
    recipe: Recipe,
    *,
    start: Mapping[str, Tensor] | str | Path | None = None,
    snapshots: Sequence[int] = (),
    on_epoch: OnEpoch | None = None,
    resume_from: Path | None = None,
) -> TrainingResult:
    """Train a network in place, on the device that it is on.

    The same network, data, recipe and start give the same bytes on the same kind of machine (on one
    thread). Torch's global random state is neither used nor changed. Parameters without
    ``requires_grad`` keep the values that they have before (unless ``start`` gives others), and
    batch normalisation whose parameters are all frozen keeps and uses its running statistics.

    Args:
        network: from :func:`gengap.networks.build`; afterwards it has the final weights and is in
            eval mode.
        data: training inputs (n, *input_shape), and labels or numbers (n,).
        recipe: how to train it.
        start: initial weights, by name or as a safetensors file; by default they are drawn by
            ``recipe.initialisation`` and ``recipe.seed``.
        snapshots: epochs after which to keep the weights; 0 is the start.
        on_epoch: called with each new row of the history, e.g. to show progress.
        resume_from: a folder that holds the whole state of training, as it was at the last snapshot
            or up to :data:`STATE_SECONDS` before now. After an interruption the same call resumes
            from there, and returns the same result to the byte; ``on_epoch`` is called for new
            epochs alone. States of other trainings in the folder are left alone. The caller removes
            the folder when the result is safe.

    Returns:
        Weights, history and snapshots.

    Raises:
        GengapError: the network, data, recipe, start and snapshots do not fit, training diverged,
            or a state cannot be read or written.
    """
    check_training(network, data, recipe, snapshots)
    device = device_of(network)
    labels = labels_trained_on(data, recipe)
    set_initial_weights(network, recipe, start)
    initial = weights_of(network)
    resume_file = resume_from and state_file(resume_from, network, data, recipe, snapshots)
    inputs = tensor_of(data.inputs, device)
    with _own_random_state(recipe.seed, device), deterministic_convolutions():
        training = _Training(network, inputs, tensor_of(labels, device), recipe)
        state = resume_file and read_state(resume_file)
        if state:
            training.restore(state, str(resume_file))
        elif 0 in snapshots:
            training.snapshots[0] = initial
        due = time.monotonic() + STATE_SECONDS
        while not training.done:
            row = training.epoch()
            if row["epoch"] in snapshots:
                training.snapshots[row["epoch"]] = weights_of(network)
            if resume_file and (row["epoch"] in snapshots or time.monotonic() >= due):
                write_state(resume_file, training.state())
                due = time.monotonic() + STATE_SECONDS
            if on_epoch is not None:
                on_epoch(dict(row))
    return training.result(initial, labels)


def check_training(
    network: nn.Module, data: Split, recipe: Recipe, snapshots: Sequence[int] = ()
) -> None:
    """Refuse a training that cannot work.

    Args:
        network: what is to be trained.
        data: training inputs (n, *input_shape), and labels or numbers (n,).
        recipe: how it is to be trained.
        snapshots: epochs after which the weights are to be kept.

    Raises:
        GengapError: they do not fit each other.
    """
    check_fit(network, data, recipe.loss)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise GengapError(
            "No parameter of the network is trainable: set requires_grad of those to train (in a "
            "spec, leave out 'trainable: false')."
        )
    if data.has_numbers and recipe.stop_at_accuracy is not None:
        raise GengapError(
            f"The recipe's stop_at_accuracy is {recipe.stop_at_accuracy}, but the targets are "
            "numbers, which have no accuracy: give stop_at_loss."
        )
    if data.has_numbers and recipe.label_corruption:
        raise GengapError(
            f"The recipe's label_corruption is {recipe.label_corruption}, but the targets are "
            "numbers, which have no other class: leave it out."
        )
    if recipe.inputs_per_step(len(data.labels)) == 1 and _normalises(network):
        raise GengapError(
            "The network has batch normalisation, which cannot work on one input at a time: "
            "use a larger batch_size (and training set)."
        )
    if recipe.augmentation and data.inputs.ndim != IMAGE_AXES:
        raise GengapError(
            f"The recipe's augmentation ({', '.join(recipe.augmentation)}) is for images, but the "
            f"inputs have the shape {list(data.inputs.shape[1:])}: leave it out."
        )
    for epoch in snapshots:
        if not 0 <= epoch <= recipe.epochs:
            raise GengapError(
                f"A snapshot is asked for at epoch {epoch}, but the recipe trains for "
                f"{recipe.epochs} epochs: choose epochs from 0 to {recipe.epochs}."
            )


def labels_trained_on(data: Split, recipe: Recipe) -> np.ndarray:
    """Return the labels (n,) as the recipe corrupts them; numbers stay as they are."""
    if data.has_numbers:
        return data.labels
    chance = generator(recipe.seed, "label corruption")
    return corrupt_labels(data.labels, data.classes, recipe.label_corruption, chance)


def _normalises(network: nn.Module) -> bool:
    frozen = _frozen_normalisations(network)
    return any(
        isinstance(module, NORMALISATIONS) and module not in frozen for module in network.modules()
    )


def _frozen_normalisations(network: nn.Module) -> list[nn.Module]:
    """Return the batch normalisations that have parameters, all of them frozen."""
    return [
        module
        for module in network.modules()
        if isinstance(module, NORMALISATIONS)
        and any(True for _ in module.parameters())
        and not any(parameter.requires_grad for parameter in module.parameters())
    ]


def set_initial_weights(
    network: nn.Module, recipe: Recipe, start: Mapping[str, Tensor] | str | Path | None = None
) -> None:
    """Give a network the weights that :func:`train` starts from, in place.

    Args:
        network: from :func:`gengap.networks.build`; without ``start``, its frozen parameters stay.
        recipe: its initialisation and seed draw the weights.
        start: weights instead, by name or as a safetensors file.

    Raises:
        GengapError: the weights do not fit the network, or cannot be read.
    """
    if start is None:
        with _frozen_values(network):
            chance = torch_generator(recipe.seed, "initialisation")
            initialise(network, recipe.initialisation, chance)
    elif isinstance(start, str | Path):
        read_weights(network, start)
    else:
        set_weights(network, start, source="the given start weights")


@contextlib.contextmanager
def _frozen_values(network: nn.Module) -> Iterator[None]:
    """Give frozen parameters, and statistics of frozen normalisations, their values back.

    They are drawn all the same, so that the other parameters do not depend on what is frozen.
    """
    frozen: list[Tensor] = [value for value in network.parameters() if not value.requires_grad]
    frozen += [value for module in _frozen_normalisations(network) for value in module.buffers()]
    values = [value.detach().clone() for value in frozen]
    yield
    with torch.no_grad():
        for tensor, value in zip(frozen, values, strict=True):
            tensor.copy_(value)


@contextlib.contextmanager
def _own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Give dropout, which draws from the global state of its device, a state of its own."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(derive(seed, "dropout"))
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(derive(seed, "dropout"))
        yield


def deterministic_convolutions() -> contextlib.AbstractContextManager[None]:
    """Restrict cuDNN to deterministic algorithms; this has no effect on a CPU."""
    cudnn = torch.backends.cudnn
    return cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=cudnn.allow_tf32)


class Course:
    """The course of one network's training: its schedule, its random numbers and its history.

    Attributes:
        network: what is trained.
        recipe: how it is trained.
        steps: the optimiser, whose learning rate the schedule sets.
        schedule: the recipe's.
        order: draws the order of the inputs of each epoch.
        chance: draws the augmentation.
        history: a row for each epoch so far, see :class:`TrainingResult`.
        snapshots: weights by epoch.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, steps: optim.Optimizer) -> None:
        self.network, self.recipe, self.steps = network, recipe, steps
        self.schedule = Schedule(steps, recipe)
        self.order = torch_generator(recipe.seed, "order")
        self.chance = torch_generator(recipe.seed, "augmentation")
        self.history: list[dict[str, Any]] = []
        self.snapshots: dict[int, Weights] = {}

    @property
    def rate(self) -> float:
        """The learning rate of the next epoch."""
        return float(self.steps.param_groups[0]["lr"])

    @property
    def reached(self) -> bool:
        """Whether the last epoch reached every target that the recipe has, and there is one."""
        if not self.history:
            return False
        row = self.history[-1]
        return self.recipe.is_reached(row["train_loss"], row["train_accuracy"])

    @property
    def done(self) -> bool:
        """Whether the targets are reached, or the last epoch is over."""
        return self.reached or len(self.history) == self.recipe.epochs

    def end_of_epoch(self, loss: float, accuracy: float) -> dict[str, Any]:
        """Add an epoch to the history, and set the learning rate of the next one.

        Args:
            loss: mean training loss after the epoch.
            accuracy: training accuracy after it; NaN where the targets are numbers.

        Returns:
            The row of the history.

        Raises:
            GengapError: the loss is NaN or infinite, so training diverged.
        """
        epoch = len(self.history) + 1
        if not math.isfinite(loss):
            raise GengapError(
                f"Training diverged (the training loss is {loss} after epoch {epoch}): "
                f"lower the recipe's learning_rate, now {self.recipe.learning_rate}."
            )
        row = {
            "epoch": epoch,
            "train_loss": loss,
            "train_accuracy": accuracy,
            "learning_rate": self.rate,
        }
        self.history.append(row)
        self.schedule.end_of_epoch(loss)
        return row

    def result(self, initial: Weights, labels: np.ndarray) -> TrainingResult:
        """Put the network into eval mode, and return the result of its training.

        Args:
            initial: weights at the start.
            labels: (n,), the labels or numbers trained on.

        Returns:
            The result after the epochs so far.
        """
        self.network.eval()
        return TrainingResult(
            initial=initial,
            weights=weights_of(self.network),
            history=self.history,
            snapshots=self.snapshots,
            labels=labels,
            epochs=len(self.history),
            reached_target=self.reached,
        )


class _Training(Course):
    """The whole state of the training of one network alone."""

    def __init__(self, network: nn.Module, inputs: Tensor, labels: Tensor, recipe: Recipe) -> None:
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        super().__init__(network, recipe, optimiser(parameters, recipe))
        self.inputs, self.labels = inputs, labels
        self.frozen = _frozen_normalisations(network)

    def epoch(self) -> dict[str, Any]:
        """Train for one more epoch, and return its row of the history."""
        self.network.train()
        for module in self.frozen:
            module.eval()
        shuffled = torch.randperm(len(self.labels), generator=self.order).to(self.inputs.device)
        for batch in batches(shuffled, self.recipe.inputs_per_step(len(shuffled))):
            inputs = self.inputs[batch]
            if self.recipe.augmentation:
                inputs = augment(inputs, self.recipe.augmentation, self.chance)
            outputs = loss_inputs(self.network, inputs, self.recipe.loss)
            losses = sample_losses(
                outputs,
                self.labels[batch],
                self.recipe.loss,
                final_activation=final_activation_of(self.network),
            )
            loss = losses.mean()
            self.steps.zero_grad()
            torch.autograd.backward(loss)
            self.steps.step()
        mean, accuracy = loss_and_accuracy_of(
            self.network, self.inputs, self.labels, self.recipe.loss
        )
        return self.end_of_epoch(mean, accuracy)

    def state(self) -> dict[str, Any]:
        """Return everything that the next epochs depend on, and the results of those before."""
        device = self.inputs.device
        on_gpu = device.type == "cuda"
        return {
            "weights": weights_of(self.network),
            "optimiser": self.steps.state_dict(),
            "schedule": self.schedule.state(),
            "order": self.order.get_state(),
            "augmentation": self.chance.get_state(),
            "dropout": torch.get_rng_state(),
            "dropout on the GPU": torch.cuda.get_rng_state(device) if on_gpu else None,
            "history": self.history,
            "snapshots": self.snapshots,
        }

    def restore(self, state: Mapping[str, Any], source: str) -> None:
        """Restore a state of the same training."""
        set_weights(self.network, state["weights"], source=source)
        self.steps.load_state_dict(state["optimiser"])
        self.schedule.restore(state["schedule"])
        self.order.set_state(state["order"])
        self.chance.set_state(state["augmentation"])
        torch.set_rng_state(state["dropout"])
        if state["dropout on the GPU"] is not None:
            torch.cuda.set_rng_state(state["dropout on the GPU"], self.inputs.device)
        self.history, self.snapshots = state["history"], state["snapshots"]


def batches(indices: Tensor, size: int) -> list[Tensor]:
    """Split indices (n,) into batches; a last batch of one joins the batch before it."""
    parts = list(torch.split(indices, size))
    if size > 1 and len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
