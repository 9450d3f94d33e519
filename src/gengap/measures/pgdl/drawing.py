"""Which training inputs a measure looks at, and the range of their values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import tensor_of

INPUTS = 2000
"""The most training inputs that a measure of this family looks at."""


def draw(
    train: Split, count: int, rng: np.random.Generator, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Inputs (n, *input_shape) and labels (n,), n at most ``count``, without replacement."""
    return _of(train, rng.permutation(len(train.labels))[:count], device)


def draw_balanced(
    train: Split, per_class: int, rng: np.random.Generator, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The same, at most ``per_class`` of each class, in the order of the classes.

    Raises:
        GengapError: the training data are a single input.
    """
    if len(train.labels) < 2:
        raise GengapError(
            "The training data are a single input, so nothing can be compared: give more of them."
        )
    chosen = [
        rng.permutation(np.flatnonzero(train.labels == label))[:per_class]
        for label in range(train.classes)
    ]
    return _of(train, np.concatenate(chosen), device)


def _of(train: Split, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    return tensor_of(train.inputs[rows], device), tensor_of(train.labels[rows], device)


@dataclass(frozen=True)
class ValueRange:
    """Of each channel of the training images or each feature of the vectors: (channels,).

    Augmentations are written for values in [0, 1]; normalised inputs are brought there and back.
    """

    low: Tensor
    span: Tensor

    @classmethod
    def of(cls, inputs: np.ndarray, device: torch.device) -> ValueRange:
        """The range of inputs (n, ..., channels); images within [0, 1] are taken as they are."""
        axes = tuple(range(inputs.ndim - 1))
        low, high = inputs.min(axis=axes), inputs.max(axis=axes)
        if inputs.ndim == 4 and low.min() >= 0 and high.max() <= 1:
            low, high = np.zeros_like(low), np.ones_like(high)
        span = np.where(high > low, high - low, np.float32(1))
        return cls(tensor_of(low, device), tensor_of(span, device))

    def to_unit(self, values: Tensor) -> Tensor:
        """Training inputs to [0, 1]."""
        return (values - self.low) / self.span

    def from_unit(self, values: Tensor) -> Tensor:
        """Back to the training inputs' own range."""
        return values * self.span + self.low
