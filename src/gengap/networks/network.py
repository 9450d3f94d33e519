"""The base class of the library's networks: modules that take channels-last inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from gengap.errors import GengapError


class Network(nn.Module):
    """A classifier of inputs (n, *input_shape), with outputs (n, outputs).

    A subclass defines :meth:`logits`. It registers its modules in the order in which the input
    passes them, and fills :attr:`observed`.

    Attributes:
        spec: the spec that it was built from.
        input_shape: (d,) for vectors, (length, channels) for series, (H, W, C) for images,
            (D, H, W, C) for volumes or (length,) for tokens.
        input_type: ``float32``, or ``int64`` for tokens.
        outputs: number of classes; 1 for a scalar output.
        observed: by the name of each weight layer whose activations count, the name of the module
            that outputs them (the nonlinearity after it, or the layer itself). In a list of layers
            it is the layer with its own ``activation``: outputs of batch normalisation and of
            separate nonlinearity layers do not count.
        channels_last: names of the observed layers whose outputs have their channels last, as
            (n, length, channels); those of all others are (n, C, ...).
        final_activation: the function that makes probabilities of the logits at the end of the
            network: ``softmax``, ``sigmoid`` (of a single output), or None. A single output of any
            other function counts as the logit itself, so its sign is the class.
    """

    spec: dict[str, Any]
    outputs: int
    input_type: str = "float32"
    channels_last: frozenset[str] = frozenset()
    final_activation: str | None = None

    def __init__(self, input_shape: Sequence[int]) -> None:
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.observed: dict[str, str] = {}

    def add_head(self, channels: int, classes: int) -> None:
        """Register global average pooling and the dense layer that ends a residual network.

        Args:
            channels: number of channels of the last block.
            classes: outputs of the dense layer.
        """
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Linear(channels, classes)
        self.observed["dense"] = "dense"
        self.outputs = classes

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, outputs) before the final activation, if there is one."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, outputs)."""
        return self.logits(inputs)

    def check_inputs(self, shape: Sequence[int]) -> None:
        """Refuse a batch whose shape is not (n, *input_shape)."""
        if tuple(shape[1:]) != self.input_shape:
            raise GengapError(
                f"The network takes inputs of shape {list(self.input_shape)}, not "
                f"{list(shape[1:])}: give the dataset a transform such as resize, "
                "or change input_shape in the network's spec."
            )

    def observed_module(self, name: str) -> nn.Module:
        """Return the module that outputs the activations of an observed layer."""
        return self.get_submodule(self.observed[name])
