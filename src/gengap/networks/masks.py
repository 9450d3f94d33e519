"""Linear maps in which only some of the weights have an effect."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MaskedLinear(nn.Linear):
    """A linear map whose weights are multiplied by a fixed mask of zeros and ones."""

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, kept: float, draws: torch.Generator) -> None:
        super().__init__(inputs, outputs)
        chance = torch.rand(outputs, inputs, generator=draws, device="cpu")
        self.register_buffer("mask", (chance < kept).to(self.weight))

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the masked map to inputs (n, d)."""
        return functional.linear(inputs, self.weight * self.mask, self.bias)
