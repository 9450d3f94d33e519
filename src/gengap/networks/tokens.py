"""What a Vision Transformer adds to the tokens of an image: a class token and positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClassToken(nn.Module):
    """A learned token before all others, whose final value is classified."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (n, tokens + 1, width) for (n, tokens, width)."""
        return torch.cat([self.token.expand(len(inputs), -1, -1), inputs], dim=1)


class Positions(nn.Module):
    """A learned vector for each position of a token, which is added to it."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, tokens, width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a tensor of the same shape (n, tokens, width)."""
        return inputs + self.positions
