"""The recipe of a training, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from gengap.errors import GengapError
from gengap.names import (
    AUGMENTATIONS,
    FULL_BATCH,
    INITIALISATIONS,
    LOSSES,
    OPTIMISERS,
    SCHEDULES,
)

_WHOLE = ("every", "patience")


@dataclass(frozen=True)
class Recipe:
    """A recipe for training a network.

    Attributes:
        loss: ``cross_entropy`` (of the logits, also of a network that ends in softmax), ``mse``
            (outputs against one-hot targets, mean over classes), ``hinge`` (multi-class, of the
            logits: sum over wrong classes of max(0, 1 - f_y + f_j), divided by the number of
            classes) or ``nll`` (minus the log of the probability, for a network that ends in
            softmax or a sigmoid). A network with one output takes two classes, as targets -1 and +1
            (0 and 1 for ``mse`` of a sigmoid); or numbers, with ``mse`` alone.
        optimiser: ``sgd``, ``adam`` or ``adamw``.
        learning_rate: the first one; the schedule may lower it.
        momentum: momentum of ``sgd``; the Adams keep their usual 0.9 and 0.999.
        nesterov: whether the momentum of ``sgd`` is Nesterov's.
        weight_decay: for ``sgd`` and ``adam`` the gradient of weight_decay/2 * |theta|^2 is added
            to that of the mean loss; for ``adamw`` theta shrinks by learning_rate * weight_decay a
            step. It acts on every parameter, biases included.
        batch_size: inputs per step, or ``full`` for all inputs. Every epoch passes over the whole
            training set in a new random order. The last batch takes the rest; a rest of one
            input joins the batch before it, since batch normalisation cannot work on one.
        epochs: maximum number of epochs.
        schedule: ``None`` for a constant learning rate, or a mapping with a name: ``{"name":
            "step", "every": 30, "factor": 0.1}`` multiplies it by ``factor`` each ``every`` epochs.
            ``{"name": "cosine", "lowest": 0.0}`` falls to ``lowest`` at the last epoch, and
            ``{"name": "linear", "lowest": 0.0}`` does so in equal steps. ``{"name": "cyclic",
            "peak": 0.4}`` rises from 0 for this fraction of the epochs, and falls to 0 again.
            ``{"name": "plateau", "factor": 0.1, "patience": 10}`` multiplies it after more than
            ``patience`` epochs without a *training* loss lower by a ten-thousandth.
            ``{"name": "multistep", "milestones": [30, 60, 90], "factor": 0.1}`` multiplies it after
            each of these epochs.
        stop_at_loss: training ends after the epoch at whose end the mean loss over the training set
            (eval mode, no augmentation, the labels trained on) is at most this; ``None`` trains for
            all epochs.
        stop_at_accuracy: the same for the accuracy over the training set, which is to be at least
            this, such as 1.0. With both, training ends where both are reached. For classes only.
        augmentation: any of ``crop`` (pad by an eighth of the side with zeros, then crop at random)
            and ``flip`` (left to right with probability one half); for images only.
        label_corruption: fraction f of the n training labels that are replaced, each by another
            class, uniformly: exactly round(f*n) of them. With one seed, those of a smaller fraction
            are among those of a larger one. For classes only.
        initialisation: ``torch``, ``glorot`` (Keras' default), ``lecun``, ``he``, or ``own`` for
            the weights that the network has; see :func:`gengap.networks.initialise`. Frozen
            parameters keep the values that they have.
        seed: seed of the initial weights, the order of inputs, dropout, augmentation and
            corruption, each from its own generator.

    Raises:
        GengapError: a value makes no sense; the sentence names the key.
    """

    loss: str = "cross_entropy"
    optimiser: str = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    batch_size: int | str = 128
    epochs: int = 100
    schedule: Mapping[str, Any] | None = None
    stop_at_loss: float | None = None
    stop_at_accuracy: float | None = None
    augmentation: tuple[str, ...] = ()
    label_corruption: float = 0.0
    initialisation: str = "glorot"
    seed: int = 0

    def __post_init__(self) -> None:
        _one_of("loss", self.loss, LOSSES)
        _one_of("optimiser", self.optimiser, OPTIMISERS)
        _one_of("initialisation", self.initialisation, INITIALISATIONS)
        _number("learning_rate", self.learning_rate, above=0.0)
        _number("momentum", self.momentum, low=0.0, below=1.0)
        _number("weight_decay", self.weight_decay, low=0.0)
        _number("label_corruption", self.label_corruption, low=0.0, high=1.0)
        if self.stop_at_loss is not None:
            _number("stop_at_loss", self.stop_at_loss, low=0.0)
        if self.stop_at_accuracy is not None:
            _number("stop_at_accuracy", self.stop_at_accuracy, above=0.0, high=1.0)
        if self.batch_size != FULL_BATCH:
            _integer("batch_size", self.batch_size, low=1, other=FULL_BATCH)
        _integer("epochs", self.epochs, low=1)
        _integer("seed", self.seed, low=0)
        if not isinstance(self.nesterov, bool):
            raise GengapError(f"The recipe's nesterov is {self.nesterov!r}: give true or false.")
        if self.nesterov and self.momentum == 0:
            raise GengapError("The recipe's nesterov needs momentum: give a momentum above 0.")
        _check_augmentation(self.augmentation)
        object.__setattr__(self, "augmentation", tuple(self.augmentation))
        if self.schedule is not None:
            object.__setattr__(self, "schedule", _full_schedule(self.schedule))

    def inputs_per_step(self, samples: int) -> int:
        """Return the inputs of a step of training on so many samples."""
        return samples if isinstance(self.batch_size, str) else min(self.batch_size, samples)

    def is_reached(self, loss: float, accuracy: float) -> bool:
        """Return whether a training loss and accuracy reach every target, and there is one."""
        if self.stop_at_loss is self.stop_at_accuracy is None:
            return False
        return (self.stop_at_loss is None or loss <= self.stop_at_loss) and (
            self.stop_at_accuracy is None or accuracy >= self.stop_at_accuracy
        )

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Recipe:
        """Make a recipe from a config's mapping; keys that are left out have their defaults.

        Args:
            mapping: values by the names of the attributes.

        Returns:
            The recipe.

        Raises:
            GengapError: a key is unknown or a value makes no sense.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(mapping) - set(known))
        if unknown:
            raise GengapError(
                f"Unknown key {unknown[0]!r} in a recipe: the known ones are {', '.join(known)}."
            )
        return cls(**mapping)


def _one_of(key: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise GengapError(f"The recipe's {key} is {value!r}: choose one of {', '.join(known)}.")


def _number(
    key: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    if isinstance(value, str):
        raise GengapError(
            f"The recipe's {key} is the text {value!r}: give a number (YAML reads 1.0e-3 as one, "
            "1e-3 as text)."
        )
    valid = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not valid or not (low <= value <= high and above < value < below):
        limits = ((low, "at least"), (above, "above"), (high, "at most"), (below, "below"))
        stated = " and ".join(f"{word} {limit}" for limit, word in limits if math.isfinite(limit))
        raise GengapError(f"The recipe's {key} is {value!r}: give a number {stated}.")


def _integer(key: str, value: Any, *, low: int, other: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        besides = other and f", or {other}"
        raise GengapError(
            f"The recipe's {key} is {value!r}: give an integer of at least {low}{besides}."
        )


def _check_augmentation(value: Any) -> None:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise GengapError(
            f"The recipe's augmentation is {value!r}: give a list of {', '.join(AUGMENTATIONS)}."
        )
    for name in value:
        _one_of("augmentation", name, AUGMENTATIONS)


def _full_schedule(schedule: Any) -> dict[str, Any]:
    if not isinstance(schedule, Mapping) or schedule.get("name") not in SCHEDULES:
        raise GengapError(
            f"The recipe's schedule is {schedule!r}: give null or a mapping whose name is one of "
            f"{', '.join(SCHEDULES)}."
        )
    keywords = SCHEDULES[schedule["name"]]
    unknown = sorted(set(schedule) - {"name", *keywords})
    if unknown:
        raise GengapError(
            f"Unknown key {unknown[0]!r} in the recipe's schedule {schedule['name']}: "
            f"the known ones are {', '.join(keywords)}."
        )
    full = {**keywords, **schedule}
    for key in keywords:
        if key == "milestones":
            _check_milestones(full[key])
        elif key in _WHOLE:
            _integer(f"schedule.{key}", full[key], low=1)
        else:
            high = 1.0 if key in ("factor", "peak") else math.inf
            _number(f"schedule.{key}", full[key], low=0.0, high=high)
    return full


def _check_milestones(value: Any) -> None:
    listed = isinstance(value, list | tuple) and len(value) > 0
    if not listed or not all(type(epoch) is int and epoch > 0 for epoch in value):
        raise GengapError(
            f"The recipe's schedule.milestones is {value!r}: give a list of epochs from 1 on."
        )
    if list(value) != sorted(set(value)):
        raise GengapError(
            f"The recipe's schedule.milestones is {list(value)}: give ascending epochs."
        )
