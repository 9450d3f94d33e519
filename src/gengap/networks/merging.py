"""Modules that join the outputs of several layers."""

from __future__ import annotations

from functools import reduce
from operator import add, mul

import torch
from torch import Tensor, nn

from gengap.networks.activation_functions import CHANNEL_AXIS


class Sum(nn.Module):
    """The sum of several tensors, as at the end of a residual block."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Add tensors whose axes are equal or 1."""
        return reduce(add, inputs)


class Product(nn.Module):
    """The product of several tensors, entry by entry, as in a gate."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Multiply tensors whose axes are equal or 1."""
        return reduce(mul, inputs)


class Concatenation(nn.Module):
    """Several tensors in a row along their channels."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Concatenate tensors (n, C, ...) that differ in C alone."""
        return torch.cat(inputs, dim=CHANNEL_AXIS)
