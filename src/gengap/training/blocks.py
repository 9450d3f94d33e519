"""Steps of an optimiser for many parameters at once, as for one vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn, optim


def over_blocks(
    kind: type[optim.Optimizer], parameters: Iterable[Tensor], **keywords: Any
) -> optim.Optimizer:
    """Return an optimiser of torch that steps many parameters as one vector.

    Torch steps one parameter after another, which takes a small network longer than its forward
    and backward pass. Steps of the vector are the same to the byte.

    Args:
        kind: a class of torch whose steps work element by element.
        parameters: the parameters to train. They stay where they are: a step copies values and
            gradients to the vector, and the values back. As in torch, a parameter without a
            gradient is left alone.
        keywords: of the class.

    Returns:
        The optimiser; its parameter group holds the vectors.
    """
    optimiser: optim.Optimizer = type(kind.__name__, (_OverBlocks, kind), {})(
        parameters, **keywords
    )
    return optimiser


class _Block:
    """Parameters of one type and device that have had gradients at the same steps.

    Attributes:
        numbers: the parameters' positions among all of the optimiser.
        parameters: the parameters themselves.
        vector: their values.
    """

    def __init__(self, numbers: Sequence[int], trained: Sequence[Tensor]) -> None:
        self.numbers = list(numbers)
        self.parameters = [trained[number] for number in numbers]
        size = sum(parameter.numel() for parameter in self.parameters)
        self.vector = nn.Parameter(self.parameters[0].new_zeros(size))
        self._gradient = torch.zeros_like(self.vector)
        self._values, self._gradients = self.parts(self.vector.detach()), self.parts(self._gradient)

    @property
    def with_gradients(self) -> list[int]:
        """Numbers of the parameters that have a gradient now."""
        pairs = zip(self.numbers, self.parameters, strict=True)
        return [number for number, parameter in pairs if parameter.grad is not None]

    def parts(self, vector: Tensor) -> list[Tensor]:
        """Return views of a vector, one in the shape of each parameter."""
        sizes = [parameter.numel() for parameter in self.parameters]
        parts = torch.split(vector, sizes)
        return [part.view(one.shape) for part, one in zip(parts, self.parameters, strict=True)]

    def gather(self) -> None:
        """Copy values and gradients to the vector, if the parameters have gradients."""
        gradients = [one.grad for one in self.parameters if one.grad is not None]
        self.vector.grad = self._gradient if gradients else None
        if gradients:
            torch._foreach_copy_(self._values, self.parameters)
            torch._foreach_copy_(self._gradients, gradients)

    def scatter(self) -> None:
        """Copy the vector's values back, if it was stepped."""
        if self.vector.grad is not None:
            torch._foreach_copy_(self.parameters, self._values)


class _OverBlocks(optim.Optimizer):
    """The methods that :func:`over_blocks` puts before those of a class of torch."""

    def __init__(self, parameters: Iterable[Tensor], **keywords: Any) -> None:
        self._trained = list(parameters)
        alike: dict[Any, list[int]] = {}
        for number, parameter in enumerate(self._trained):
            alike.setdefault((parameter.dtype, parameter.device), []).append(number)
        self._blocks = [_Block(numbers, self._trained) for numbers in alike.values()]
        super().__init__([block.vector for block in self._blocks], **keywords)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Remove the parameters' gradients."""
        for parameter in self._trained:
            parameter.grad = None

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Step all parameters that have a gradient."""
        for block in list(self._blocks):
            if len(block.with_gradients) not in (0, len(block.numbers)):
                self._divide(block)
        for block in self._blocks:
            block.gather()
        super().step(closure)
        for block in self._blocks:
            block.scatter()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the vectors, and which parameters they hold."""
        return {**super().state_dict(), "blocks": [block.numbers for block in self._blocks]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a state of an optimiser of the same parameters."""
        self._set_blocks([_Block(numbers, self._trained) for numbers in state_dict["blocks"]])
        super().load_state_dict(state_dict)

    def _set_blocks(self, blocks: list[_Block]) -> None:
        self._blocks = blocks
        (group,) = self.param_groups
        group["params"] = [block.vector for block in blocks]

    def _divide(self, block: _Block) -> None:
        """Divide a block into its parameters with and without a gradient, and its state too."""
        state, position = self.state.pop(block.vector, {}), self._blocks.index(block)
        there = block.with_gradients
        absent = [number for number in block.numbers if number not in there]
        parts = [_Block(numbers, self._trained) for numbers in (there, absent)]
        for part in parts:
            for name, value in state.items():
                self.state[part.vector][name] = value.clone()
                if value.ndim:  # not the count of steps
                    values = dict(zip(block.numbers, block.parts(value), strict=True))
                    self.state[part.vector][name] = torch.zeros_like(part.vector)
                    torch._foreach_copy_(
                        part.parts(self.state[part.vector][name]),
                        [values[number] for number in part.numbers],
                    )
        self._set_blocks([*self._blocks[:position], *parts, *self._blocks[position + 1 :]])


# Torch would wrap each step for its profiler, which takes longer than the step of a small network.
_OverBlocks.step.hooked = True  # type: ignore[attr-defined]
