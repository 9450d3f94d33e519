"""The recipe's optimiser and learning-rate schedule, from torch."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn, optim
from torch.optim import lr_scheduler

from gengap.training.recipe import Recipe


def optimiser(parameters: Iterable[nn.Parameter], recipe: Recipe) -> optim.Optimizer:
    """The recipe's optimiser of these parameters."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "sgd":
        return optim.SGD(
            parameters,
            lr=rate,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=decay,
        )
    kind = optim.Adam if recipe.optimiser == "adam" else optim.AdamW
    return kind(parameters, lr=rate, weight_decay=decay)


class Schedule:
    """The recipe's schedule: it sets the optimiser's learning rate at the end of each epoch."""

    def __init__(self, steps: optim.Optimizer, recipe: Recipe) -> None:
        self._plateau: lr_scheduler.ReduceLROnPlateau | None = None
        self._by_epoch: lr_scheduler.LRScheduler | None = None
        schedule = recipe.schedule or {"name": None}
        if schedule["name"] == "step":
            self._by_epoch = lr_scheduler.StepLR(steps, schedule["every"], schedule["factor"])
        elif schedule["name"] == "cosine":
            self._by_epoch = lr_scheduler.CosineAnnealingLR(
                steps, recipe.epochs, schedule["lowest"]
            )
        elif schedule["name"] == "plateau":
            self._plateau = lr_scheduler.ReduceLROnPlateau(
                steps, factor=schedule["factor"], patience=schedule["patience"]
            )

    def end_of_epoch(self, loss: float) -> None:
        """Go on to the next epoch's learning rate, given the mean training loss of this one."""
        if self._plateau is not None:
            self._plateau.step(loss)
        elif self._by_epoch is not None:
            self._by_epoch.step()
