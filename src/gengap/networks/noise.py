"""Noise in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GaussianNoise(nn.Module):
    """Add normal noise in training; in eval mode the identity.

    Args:
        deviation: standard deviation of the noise.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return inputs + self.deviation * torch.randn_like(inputs) if self.training else inputs
