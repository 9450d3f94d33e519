"""Training of many small networks at once, in stacks of one shape.

Each network has the initial weights, the order of inputs, the dropout and the augmentation that
:func:`gengap.training.train` gives it. Sums are taken in another order, so results agree with those
of networks trained one at a time up to rounding, which training amplifies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gengap.errors import GengapError
from gengap.limits import GRAPH_BYTES, PART_BYTES
from gengap.names import TOGETHER_KEYS
from gengap.networks import (
    Network,
    batch_size_for,
    device_of,
    predictions,
    set_weights,
    tensor_of,
    weights_of,
)
from gengap.networks.inference import BATCH
from gengap.networks.stacks import Stack, stackable
from gengap.seeding import derive
from gengap.training.augmentation import augment
from gengap.training.losses import sample_losses
from gengap.training.optimisers import optimiser
from gengap.training.recipe import Recipe
from gengap.training.stacked_steps import StackedSteps
from gengap.training.trainer import (
    Course,
    TrainingResult,
    batches,
    check_training,
    deterministic_convolutions,
    labels_trained_on,
    set_initial_weights,
    train,
)

if TYPE_CHECKING:
    from gengap.datasets import Split

Bounds = list[tuple[int, int]]
"""Of successive parts of the data, the first place of each and the one after its last."""

COPIES = 6
"""Vectors as long as all parameters that a training holds: weights, gradients, two moments, rates
and weight decays."""


@dataclass(frozen=True)
class Training:
    """A network that is to be trained.

    Attributes:
        network: afterwards it has the final weights and is in eval mode.
        data: training inputs (n, *input_shape), and labels or numbers (n,).
        recipe: how to train it.
    """

    network: Network
    data: Split
    recipe: Recipe


def train_together(
    trainings: Sequence[Training],
) -> Iterator[tuple[int, TrainingResult | GengapError]]:
    """Train networks in place, those of one shape together.

    In one stack are networks of one spec that :func:`gengap.networks.stacks.stackable` admits,
    whose recipes agree in :data:`gengap.names.TOGETHER_KEYS`, and whose data have the same size.
    Their learning rates, weight decays, schedules, stopping, corruption, initialisation and seeds
    may differ. A network leaves its stack when it has finished. Every other network is trained by
    :func:`gengap.training.train`.

    Args:
        trainings: the networks, with their data and recipes.

    Yields:
        Of each network, as soon as it has finished, its place in ``trainings`` and what
        :func:`gengap.training.train` returns, or the error that it raises.
    """
    alike: dict[str, list[int]] = {}
    for place, training in enumerate(trainings):
        alike.setdefault(_shape(training) or f"alone {place}", []).append(place)
    for places in alike.values():
        size = _largest_stack(trainings[places[0]]) if len(places) > 1 else 1
        for start in range(0, len(places), size):
            part = {place: trainings[place] for place in places[start : start + size]}
            yield from _stacked(part) if len(part) > 1 else _alone(part)


def _shape(training: Training) -> str | None:
    """Return what is equal for all networks of a stack; None for one that cannot be in any."""
    network, data, recipe = training.network, training.data, training.recipe
    if not stackable(network):
        return None
    return json.dumps(
        [
            network.spec,
            str(device_of(network)),
            [data.inputs.shape, str(data.inputs.dtype), data.classes, data.has_numbers],
            [getattr(recipe, key) for key in TOGETHER_KEYS],
        ]
    )


def _largest_stack(training: Training) -> int:
    """Return how many networks fit into the memory of a graph, with all that a step holds."""
    network, data, recipe = training.network, training.data, training.recipe
    batch = recipe.inputs_per_step(len(data.labels))
    limit = GRAPH_BYTES // batch
    outputs = batch_size_for(network, data.inputs, limit, keeps_graph=True) // batch
    size = COPIES * sum(value.numel() * value.itemsize for value in network.parameters())
    return max(1, min(outputs, GRAPH_BYTES // size))


def _alone(
    trainings: Mapping[int, Training],
) -> Iterator[tuple[int, TrainingResult | GengapError]]:
    """Train networks one at a time."""
    for place, training in trainings.items():
        try:
            yield place, train(training.network, training.data, training.recipe)
        except GengapError as error:
            yield place, error


def _stacked(
    trainings: Mapping[int, Training],
) -> Iterator[tuple[int, TrainingResult | GengapError]]:
    """Train networks of one shape; those that cannot be trained leave the others alone."""
    members: list[_Member] = []
    for place, training in trainings.items():
        try:
            check_training(training.network, training.data, training.recipe)
            set_initial_weights(training.network, training.recipe)
        except GengapError as error:
            yield place, error
        else:
            members.append(_Member(place, training))
    stack = _StackInTraining(members) if members else None
    while stack and stack.members:
        with deterministic_convolutions():
            finished = stack.epoch()
        for member, result in finished:
            yield member.place, result


class _Member(Course):
    """The training of a network in a stack."""

    network: Network

    def __init__(self, place: int, training: Training) -> None:
        # The schedule sets the rate of an optimiser; this one has nothing else to change.
        steps = optimiser([torch.zeros(0, device="cpu", requires_grad=True)], training.recipe)
        super().__init__(training.network, training.recipe, steps)
        steps.step()  # or else torch warns that it never does
        self.place, self.data = place, training.data
        self.labels = labels_trained_on(self.data, self.recipe)
        self.initial = weights_of(self.network)
        device, seed = device_of(self.network), derive(self.recipe.seed, "dropout")
        self.dropout = torch.Generator(device).manual_seed(seed)

    def result_with(self, weights: dict[str, Tensor]) -> TrainingResult:
        """Give the network its final weights, and return the result of its training."""
        set_weights(self.network, weights, source="the stack")
        return self.result(self.initial, self.labels)


class _StackInTraining:
    """The state of networks that are trained together.

    Attributes:
        members: those that have not finished yet, in the order of the stack.
    """

    def __init__(self, members: Sequence[_Member]) -> None:
        self.members = list(members)
        network, self.recipe = members[0].network, members[0].recipe
        self.device = device_of(network)
        self.stack = Stack([member.network for member in members])
        self.names = list(self.stack.parameters)
        self.steps = StackedSteps(
            list(self.stack.parameters.values()), [member.recipe for member in members]
        )
        self._hold_parameters()
        # One copy serves networks that are trained on the same inputs.
        distinct: list[np.ndarray] = []
        places = [_place_among(distinct, member.data.inputs) for member in members]
        self.inputs = tensor_of(np.concatenate(distinct), self.device)
        self.count = len(members[0].labels)
        self.first = self.count * torch.tensor(places, device="cpu")
        self.labels = torch.stack([tensor_of(m.labels, self.device) for m in members])
        gathered = PART_BYTES // (self.inputs[0].nbytes * len(members))
        of_batches = _bounds(self.count, self.recipe.inputs_per_step(self.count))
        self.batches = _chunks(of_batches, 0 if self.recipe.augmentation else gathered)
        most = batch_size_for(network, members[0].data.inputs, BATCH * len(members))
        self.passes = _chunks(_bounds(self.count, max(1, most // len(members))), 0)

    def _hold_parameters(self) -> None:
        self.stack.parameters = dict(zip(self.names, self.steps.parameters, strict=True))

    def epoch(self) -> list[tuple[_Member, TrainingResult | GengapError]]:
        """Train all networks for one more epoch, and return those that finished."""
        orders = [torch.randperm(self.count, generator=member.order) for member in self.members]
        chance = [member.dropout for member in self.members]
        for inputs, labels in self._parts(
            torch.stack(orders, 1), self.batches, self.recipe.augmentation
        ):
            logits = self.stack.logits(inputs, len(self.members), chance)
            losses = sample_losses(logits.flatten(0, 1), labels.flatten(), self.recipe.loss)
            each = torch.full_like(losses, 1.0 / labels.shape[1])
            self.steps.step(torch.autograd.grad(losses, self.steps.parameters, each))
        finished: list[tuple[_Member, TrainingResult | GengapError]] = []
        remaining: list[int] = []
        for position, (mean, accuracy) in enumerate(self._means()):
            member = self.members[position]
            try:
                member.end_of_epoch(mean, accuracy)
            except GengapError as error:
                finished.append((member, error))
                continue
            if member.done:
                finished.append((member, member.result_with(self.stack.weights(position))))
            else:
                remaining.append(position)
        self._keep(remaining)
        return finished

    def _parts(
        self, places: Tensor, chunks: Sequence[Bounds], names: Sequence[str] = ()
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield arranged inputs and labels (networks, b) of successive parts of the data.

        Args:
            places: (n, networks), the places of each network's data, in order.
            chunks: of each part the first place and the one after the last; those of a chunk are
                gathered at once.
            names: the augmentations of inputs; then each chunk is one part.
        """
        for chunk in chunks:
            start, stop = chunk[0][0], chunk[-1][1]
            rows = (places[start:stop] + self.first).flatten().to(self.device)
            inputs = self.inputs[rows].view(stop - start, -1, *self.inputs.shape[1:])
            if names:
                parts = zip(inputs.unbind(1), self.members, strict=True)
                inputs = torch.stack([augment(own, names, one.chance) for own, one in parts], 1)
            inputs = self.stack.arrange(inputs)
            labels = self.labels.gather(1, places[start:stop].T.to(self.device))
            for first, last in chunk:
                of_part = inputs.narrow(self.stack.axis, first - start, last - first)
                yield of_part, labels[:, first - start : last - start]

    def _means(self) -> list[tuple[float, float]]:
        """Return the mean loss and the accuracy of each network over its training data."""
        members = len(self.members)
        total = torch.zeros(members, dtype=torch.float64, device=self.device)
        right = torch.zeros(members, dtype=torch.int64, device=self.device)
        places = torch.arange(self.count, device="cpu")[:, None].expand(-1, members)
        with torch.inference_mode():
            for inputs, labels in self._parts(places, self.passes):
                logits = self.stack.logits(inputs, members).flatten(0, 1)
                losses = sample_losses(logits, labels.flatten(), self.recipe.loss)
                total += losses.view(members, -1).sum(1, dtype=torch.float64)
                right += (predictions(logits).view(members, -1) == labels).sum(1)
        accuracies = (right.double() / self.count).tolist()
        if self.labels.is_floating_point():
            accuracies = [math.nan] * members
        return list(zip((total / self.count).tolist(), accuracies, strict=True))

    def _keep(self, positions: Sequence[int]) -> None:
        """Go on with the networks at these positions of the stack."""
        if len(positions) < len(self.members):
            kept = torch.tensor(positions, dtype=torch.int64, device="cpu")
            self.members = [self.members[position] for position in positions]
            self.first, self.labels = self.first[kept], self.labels[kept.to(self.device)]
            self.stack.select(kept.to(self.device))
            self.steps.select(kept.to(self.device))
            self._hold_parameters()
            self.steps.set_rates([member.rate for member in self.members])
        elif self.recipe.schedule:
            self.steps.set_rates([member.rate for member in self.members])


def _place_among(distinct: list[np.ndarray], inputs: np.ndarray) -> int:
    """Return the place of inputs among distinct ones, at whose end they are put if they are new."""
    for place, other in enumerate(distinct):
        if other is inputs or np.array_equal(other, inputs):
            return place
    distinct.append(inputs)
    return len(distinct) - 1


def _bounds(count: int, size: int) -> Bounds:
    """Return the bounds of the batches that :func:`gengap.training.trainer.batches` makes."""
    places = torch.arange(count, device="cpu")
    return [(int(part[0]), int(part[-1]) + 1) for part in batches(places, size)]


def _chunks(bounds: Bounds, most: int) -> list[Bounds]:
    """Join successive parts while they have together at most so many inputs."""
    chunks: list[Bounds] = []
    for first, last in bounds:
        if chunks and last - chunks[-1][0][0] <= most:
            chunks[-1].append((first, last))
        else:
            chunks.append([(first, last)])
    return chunks
