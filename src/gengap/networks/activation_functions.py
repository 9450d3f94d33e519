"""Activation functions by Keras' names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from gengap.networks.keywords import choice

CHANNEL_AXIS = 1
"""The axis of channels or features inside a network: (n, C, H, W) or (n, d)."""

KERAS_LEAKY_RELU_SLOPE = 0.2
"""The slope of Keras' *function* leaky_relu; its layer LeakyReLU has 0.3."""

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": partial(nn.LeakyReLU, KERAS_LEAKY_RELU_SLOPE),
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softmax": partial(nn.Softmax, dim=CHANNEL_AXIS),
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
}


def activation(name: str | None) -> nn.Module:
    """Return the module of an activation function.

    Args:
        name: one of :data:`gengap.names.ACTIVATIONS`; ``None`` is the identity, as in Keras.

    Returns:
        A new module.

    Raises:
        KeywordError: the name is not known.
    """
    return ACTIVATIONS[choice("linear" if name is None else name, "activation", ACTIVATIONS)]()


class KerasReLU(nn.Module):
    """Keras' ReLU layer with all of its keywords.

    f(x) = max_value for x >= max_value, x for threshold <= x < max_value, and
    negative_slope * (x - threshold) below the threshold.
    """

    def __init__(self, max_value: float | None, negative_slope: float, threshold: float) -> None:
        super().__init__()
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the function to each entry of a tensor of any shape."""
        below = self.negative_slope * (inputs - self.threshold)
        outputs = torch.where(inputs >= self.threshold, inputs, below)
        return outputs if self.max_value is None else outputs.clamp(max=self.max_value)
