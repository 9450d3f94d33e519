"""Drawing the training inputs that a measure uses, and the range of their values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import device_of, input_batches, tensor_of

INPUTS = 2000
"""Most training inputs that a measure of this family uses."""


def draw(
    train: Split, count: int, rng: np.random.Generator, network: nn.Module
) -> tuple[Tensor, Tensor]:
    """Draw inputs (n, *input_shape) and labels (n,) without replacement, n at most ``count``.

    Args:
        train: the training data.
        count: most inputs.
        rng: draws them.
        network: the network that takes them, on its device and in the type of its weights.

    Returns:
        Inputs and labels.
    """
    return _of(train, rng.permutation(len(train.labels))[:count], network)


def draw_balanced(
    train: Split, per_class: int, rng: np.random.Generator, network: nn.Module
) -> tuple[Tensor, Tensor]:
    """Draw inputs without replacement, equally many of each class where there are enough.

    Args:
        train: the training data.
        per_class: most inputs of each class.
        rng: draws them.
        network: the network that takes them.

    Returns:
        Inputs (n, *input_shape) and labels (n,) in the order of the classes.

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
    return _of(train, np.concatenate(chosen), network)


def _of(train: Split, rows: np.ndarray, network: nn.Module) -> tuple[Tensor, Tensor]:
    _, inputs = next(input_batches(network, train.inputs[rows], len(rows)))
    return inputs, tensor_of(train.labels[rows], device_of(network))


@dataclass(frozen=True)
class ValueRange:
    """Lowest value and span (channels,) of each channel of images, or feature of vectors.

    Augmentations are written for values in [0, 1]; normalised inputs are mapped there and back.
    """

    low: Tensor
    span: Tensor

    @classmethod
    def of(cls, inputs: np.ndarray, device: torch.device) -> ValueRange:
        """Find the range of inputs (n, ..., channels); images within [0, 1] keep that range."""
        axes = tuple(range(inputs.ndim - 1))
        low, high = inputs.min(axis=axes), inputs.max(axis=axes)
        if inputs.ndim == 4 and low.min() >= 0 and high.max() <= 1:
            low, high = np.zeros_like(low), np.ones_like(high)
        span = np.where(high > low, high - low, np.float32(1))
        return cls(tensor_of(low, device), tensor_of(span, device))

    def to_unit(self, values: Tensor) -> Tensor:
        """Bring values from the training inputs' range to [0, 1]."""
        return (values - self.low) / self.span

    def from_unit(self, values: Tensor) -> Tensor:
        """Bring values from [0, 1] back to the training inputs' range."""
        return values * self.span + self.low
