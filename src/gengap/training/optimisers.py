"""The recipe's optimiser and learning-rate schedule, from torch."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, optim
from torch.optim import lr_scheduler

from gengap.training.blocks import over_blocks
from gengap.training.recipe import Recipe

Kind = TypeVar("Kind", bound=optim.Optimizer)

KINDS: dict[str, type[optim.Optimizer]] = {
    "sgd": optim.SGD,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
}
WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def optimiser(parameters: Iterable[Tensor], recipe: Recipe) -> optim.Optimizer:
    """Return the recipe's optimiser for these parameters."""
    keywords: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    if recipe.optimiser == "sgd":
        keywords |= {"momentum": recipe.momentum, "nesterov": recipe.nesterov}
    return over_blocks(without_compiler(KINDS[recipe.optimiser]), parameters, **keywords)


def without_compiler(kind: type[Kind]) -> type[Kind]:
    """Return an optimiser of torch that does not load torch's compiler.

    Torch wraps these methods so that ``torch.compile`` leaves them alone, and the wrappers import
    the compiler, which costs each process some 1.6 CPU seconds and 70 MB. The methods inside are
    torch's own.

    Args:
        kind: the optimiser's class.

    Returns:
        A subclass with the unwrapped methods.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in WRAPPED}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    unwrapped: type[Kind] = type(kind.__name__, (kind,), methods)
    return unwrapped


class Schedule:
    """The recipe's schedule: it sets the optimiser's learning rate at the end of each epoch."""

    def __init__(self, steps: optim.Optimizer, recipe: Recipe) -> None:
        self._plateau: lr_scheduler.ReduceLROnPlateau | None = None
        self._by_epoch: lr_scheduler.LRScheduler | None = None
        schedule = recipe.schedule or {"name": None}
        if schedule["name"] == "step":
            self._by_epoch = lr_scheduler.StepLR(steps, schedule["every"], schedule["factor"])
        elif schedule["name"] == "multistep":
            self._by_epoch = lr_scheduler.MultiStepLR(
                steps, list(schedule["milestones"]), schedule["factor"]
            )
        elif schedule["name"] == "cosine":
            self._by_epoch = lr_scheduler.CosineAnnealingLR(
                steps, recipe.epochs, schedule["lowest"]
            )
        elif schedule["name"] == "linear":
            lowest = schedule["lowest"] / recipe.learning_rate
            self._by_epoch = lr_scheduler.LambdaLR(
                steps, lambda epoch: 1 - (1 - lowest) * min(epoch / recipe.epochs, 1.0)
            )
        elif schedule["name"] == "cyclic":
            ends = [0.0, schedule["peak"] * recipe.epochs, float(recipe.epochs)]
            # The rate of an epoch is that of a step in its middle.
            self._by_epoch = lr_scheduler.LambdaLR(
                steps, lambda epoch: float(np.interp(epoch + 0.5, ends, [0.0, 1.0, 0.0]))
            )
        elif schedule["name"] == "plateau":
            self._plateau = lr_scheduler.ReduceLROnPlateau(
                steps, factor=schedule["factor"], patience=schedule["patience"]
            )

    def end_of_epoch(self, loss: float) -> None:
        """Set the next epoch's learning rate, given the mean training loss of this one."""
        if self._plateau is not None:
            self._plateau.step(loss)
        elif self._by_epoch is not None:
            self._by_epoch.step()

    def state(self) -> dict[str, Any]:
        """Return what the next learning rates depend on, besides the present one."""
        inner = self._plateau or self._by_epoch
        return {} if inner is None else inner.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state of the same schedule."""
        inner = self._plateau or self._by_epoch
        if inner is not None:
            inner.load_state_dict(state)
