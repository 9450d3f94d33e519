"""The recipe's optimiser for a stack of networks, each with rates of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gengap.training.recipe import Recipe

BETAS = (0.9, 0.999)
EPSILON = 1e-8
"""Constants of Adam (Kingma and Ba 2015, algorithm 1), those of torch."""


class StackedSteps:
    """SGD, Adam or AdamW for networks in step with each other, as torch computes them.

    All numbers of one kind lie in one vector: the first parameter of all networks, then the second,
    and so on. So a step takes a dozen operations, whatever the number of networks and layers.

    Attributes:
        parameters: the parameters, (networks, *shape) each, views of the vector.
    """

    def __init__(self, parameters: Sequence[Tensor], recipes: Sequence[Recipe]) -> None:
        """Copy parameters into a vector.

        Args:
            parameters: of all networks, (networks, *shape) each.
            recipes: one for each network. Their optimiser, momentum and ``nesterov`` are equal;
                learning rates and weight decays may differ.
        """
        self._recipe = recipes[0]
        self._shapes = [tensor.shape[1:] for tensor in parameters]
        decays = [recipe.weight_decay for recipe in recipes]
        self._decays = torch.tensor(decays, dtype=torch.float64, device="cpu")
        self._steps = 0
        self._hold(torch.cat([tensor.reshape(-1) for tensor in parameters]), len(recipes))
        self._moments = [torch.zeros_like(self._values) for _ in range(self._moment_count)]
        self.set_rates([recipe.learning_rate for recipe in recipes])

    @property
    def _moment_count(self) -> int:
        if self._recipe.optimiser == "sgd":
            return int(self._recipe.momentum > 0)
        return len(BETAS)

    def _hold(self, values: Tensor, count: int) -> None:
        self._values, self._count = values, count
        self.parameters = [view.detach().requires_grad_() for view in self._views(values)]
        self._decay = self._spread(self._decays) if self._decays.any() else None

    def _views(self, vector: Tensor) -> list[Tensor]:
        sizes = [self._count * math.prod(shape) for shape in self._shapes]
        parts = torch.split(vector, sizes)
        return [
            part.view(self._count, *shape) for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def _spread(self, numbers: Tensor) -> Tensor:
        """Repeat a number of each network for each of its parameters."""
        numbers = numbers.to(self._values)
        return torch.cat([numbers.repeat_interleave(math.prod(shape)) for shape in self._shapes])

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the learning rate of each network."""
        numbers = torch.tensor(rates, dtype=torch.float64, device="cpu")
        self._rates = self._spread(numbers)
        self._shrinking = None
        if self._decay is not None and self._recipe.optimiser == "adamw":
            self._shrinking = self._spread(1.0 - numbers * self._decays)

    def select(self, positions: Tensor) -> None:
        """Keep some networks, by their positions; rates are to be set again."""

        def kept(vector: Tensor) -> Tensor:
            return torch.cat([view[positions].reshape(-1) for view in self._views(vector)])

        values = kept(self._values)
        self._moments = [kept(moment) for moment in self._moments]
        self._decays = self._decays[positions.cpu()]
        self._hold(values, len(positions))

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Change the parameters by gradients (networks, *shape) of each network's own loss."""
        gradient = torch.cat([part.reshape(-1) for part in gradients])
        if self._shrinking is not None:
            self._values.mul_(self._shrinking)
        elif self._decay is not None:
            gradient.addcmul_(self._values, self._decay)
        self._steps += 1
        if self._recipe.optimiser == "sgd":
            self._descend(gradient)
        else:
            self._adapt(gradient)

    def _descend(self, gradient: Tensor) -> None:
        for velocity in self._moments:
            velocity.mul_(self._recipe.momentum).add_(gradient)
            if self._recipe.nesterov:
                gradient.add_(velocity, alpha=self._recipe.momentum)
            else:
                gradient = velocity
        self._values.addcmul_(gradient, self._rates, value=-1.0)

    def _adapt(self, gradient: Tensor) -> None:
        mean, square = self._moments
        mean.lerp_(gradient, 1.0 - BETAS[0])
        square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1.0 - BETAS[1])
        first, second = (1.0 - beta**self._steps for beta in BETAS)
        # The correction of the second moment is drawn out of the root, which saves an operation.
        correction = math.sqrt(second)
        root = square.sqrt().add_(EPSILON * correction)
        update = torch.mul(mean, self._rates, out=gradient)
        self._values.addcdiv_(update, root, value=-correction / first)
