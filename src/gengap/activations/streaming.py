"""The outputs of layers one batch at a time, so that no layer is ever held for all inputs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.limits import SAMPLED_LAYER_BYTES
from gengap.networks import evaluating, forward_hooks, input_batches, observed_layers
from gengap.networks.inference import Hook
from gengap.networks.layout import channels_last

Visit = Callable[[int, slice, NDArray[np.float32]], None]
"""Called with the index of a layer, the rows of the inputs, and activations (batch, neurons)."""


class LayerStream:
    """The outputs of a network's observed layers on given inputs, batch by batch.

    Args:
        network: made by ``gengap.networks.build`` or ``adopt``.
        inputs: (m, *input_shape) float32.
        skip_layers: first observed layers to leave out.
        batch_size: inputs per forward pass; by default as many as fit into
            :data:`gengap.limits.SAMPLED_LAYER_BYTES` in the largest observed layer.

    Attributes:
        layers: name and number of neurons of each layer, in the order of the forward pass.
        channels: number of channels of each layer (units, if its outputs have no places).

    Raises:
        GengapError: there are no inputs, or no layer is left.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: NDArray[np.float32],
        skip_layers: int = 0,
        batch_size: int | None = None,
    ) -> None:
        observed = observed_layers(network)
        if not 0 <= skip_layers < len(observed):
            raise GengapError(
                f"skip_layers is {skip_layers}, but the network has {len(observed)} layers to "
                f"observe: choose 0 to {len(observed) - 1}."
            )
        if len(inputs) == 0:
            raise GengapError("There are no inputs to activate the network with: sample some.")
        self._network = network
        self._inputs = inputs
        self._modules = [module for _, module in observed[skip_layers:]]
        self._names = [name for name, _ in observed[skip_layers:]]
        # The outputs of most layers are (n, C, ...), those of others (n, ..., C).
        last: frozenset[str] = getattr(network, "channels_last", frozenset())
        self._channels_last = [name in last for name in self._names]
        sizes, self.channels = [0] * len(self._modules), [0] * len(self._modules)

        def measure(layer: int, _inputs: slice, activations: NDArray[np.float32]) -> None:
            sizes[layer] = activations.shape[1]

        self._run(measure, inputs[:1])
        self.layers = tuple(zip(self._names, sizes, strict=True))
        bytes_per_input = max(sizes) * np.dtype(np.float32).itemsize
        self._batch_size = batch_size or max(1, SAMPLED_LAYER_BYTES // bytes_per_input)

    def visit(self, visit: Visit) -> None:
        """Run all inputs through the network once; ``visit`` sees every layer of every batch.

        Args:
            visit: see :data:`Visit`.

        Raises:
            GengapError: an activation is NaN or infinite; the sentence names the layer.
        """
        self._run(visit, self._inputs, self._batch_size)

    def _run(self, visit: Visit, inputs: NDArray[np.float32], size: int = 1) -> None:
        with torch.inference_mode(), evaluating(self._network):
            for rows, batch in input_batches(self._network, inputs, size):
                with ExitStack() as hooks:
                    for layer, module in enumerate(self._modules):
                        hook = self._hook(layer, visit, rows)
                        hooks.enter_context(forward_hooks([module], hook))
                    self._network(batch)

    def _hook(self, layer: int, visit: Visit, rows: slice) -> Hook:
        def hook(_module: nn.Module, _arguments: tuple[Any, ...], output: Tensor) -> None:
            by_place = output if self._channels_last[layer] else channels_last(output)
            self.channels[layer] = by_place.shape[-1]
            activations = by_place.flatten(1)
            if activations.is_complex():
                raise GengapError(
                    f"Layer {self._names[layer]} gives complex activations, which have no order: "
                    "leave it out of observe."
                )
            lowest, highest = torch.aminmax(activations)
            if not (torch.isfinite(lowest) and torch.isfinite(highest)):
                raise GengapError(
                    f"Layer {self._names[layer]} gives NaN or infinite activations: "
                    "train the network again with a lower learning rate, or leave it out."
                )
            visit(layer, rows, activations.float().numpy(force=True))

        return hook
