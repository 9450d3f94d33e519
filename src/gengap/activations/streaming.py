"""The outputs of layers one batch at a time, so that no layer is ever held for all inputs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap.arguments import whole_number
from gengap.errors import GengapError
from gengap.limits import SAMPLED_LAYER_BYTES
from gengap.networks import (
    Network,
    batch_size_for,
    evaluating,
    forward_hooks,
    input_batches,
    observed_layers,
)
from gengap.networks.inference import Hook
from gengap.networks.layout import channels_last
from gengap.networks.outputs import first_tensor

Visit = Callable[[int, slice, NDArray[np.float32]], None]
"""Called with the index of a layer, the rows of the inputs, and activations (batch, neurons)."""


class LayerStream:
    """The outputs of a network's observed layers on given inputs, batch by batch.

    A layer's output is a tensor of real numbers or booleans, or a tuple whose first tensor counts,
    of shape (batch, ...). Its neurons are in the order of the places, and within a place in that of
    the channels: rows, columns, channels of an image, steps and channels of a series. Values are
    converted to float32.

    Args:
        network: made by ``gengap.networks.build`` or ``adopt``.
        inputs: (m, *input_shape).
        skip_layers: first observed layers to leave out.
        batch_size: inputs per forward pass; by default as many as fit into
            :data:`gengap.limits.SAMPLED_LAYER_BYTES` in the largest observed layer, and into the
            memory of :func:`gengap.networks.batch_size_for` in any layer.

    Attributes:
        layers: name and number of neurons of each layer, in the order of the forward pass.
        channels: number of channels of each layer (units, if its outputs have no places).

    Raises:
        GengapError: there are no inputs, no layer is left, or a layer's output is not as above.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: NDArray[Any],
        skip_layers: int = 0,
        batch_size: int | None = None,
    ) -> None:
        observed = observed_layers(network)
        skip_layers = whole_number(skip_layers, "skip_layers", 0)
        if skip_layers >= len(observed):
            raise GengapError(
                f"skip_layers is {skip_layers}, but the network has {len(observed)} layers to "
                f"observe: choose 0 to {len(observed) - 1}."
            )
        if len(inputs) == 0:
            raise GengapError("There are no inputs to activate the network with: sample some.")
        self._network = cast(Network, network)
        self._inputs = inputs
        self._modules = [module for _, module in observed[skip_layers:]]
        self._names = [name for name, _ in observed[skip_layers:]]
        self._ran = [False] * len(self._modules)
        sizes, self.channels = [0] * len(self._modules), [0] * len(self._modules)

        def measure(layer: int, _inputs: slice, activations: NDArray[np.float32]) -> None:
            sizes[layer] = activations.shape[1]

        self._run(measure, inputs[:1])
        self.layers = tuple(zip(self._names, sizes, strict=True))
        bytes_per_input = max(sizes) * np.dtype(np.float32).itemsize
        most = max(1, SAMPLED_LAYER_BYTES // bytes_per_input)
        self._batch_size = batch_size or batch_size_for(self._network, inputs, most)

    def visit(self, visit: Visit) -> None:
        """Run all inputs through the network once; ``visit`` sees every layer of every batch.

        Args:
            visit: see :data:`Visit`.

        Raises:
            GengapError: an activation is NaN or infinite; the sentence names the layer.
        """
        self._run(visit, self._inputs, self._batch_size)

    def _run(self, visit: Visit, inputs: NDArray[Any], size: int = 1) -> None:
        with torch.inference_mode(), evaluating(self._network):
            for rows, batch in input_batches(self._network, inputs, size):
                self._ran = [False] * len(self._modules)
                with ExitStack() as hooks:
                    for layer, module in enumerate(self._modules):
                        hook = self._hook(layer, visit, rows)
                        hooks.enter_context(forward_hooks([module], hook))
                    self._network(batch)
                if not all(self._ran):
                    raise GengapError(
                        f"Layer {self._names[self._ran.index(False)]} does not run when the "
                        "network does: take it out of those that are observed."
                    )

    def _hook(self, layer: int, visit: Visit, rows: slice) -> Hook:
        def hook(_module: nn.Module, _arguments: tuple[Any, ...], output: Any) -> None:
            activations = self._activations(layer, output, rows.stop - rows.start)
            lowest, highest = torch.aminmax(activations)
            if not (torch.isfinite(lowest) and torch.isfinite(highest)):
                raise GengapError(
                    f"Layer {self._names[layer]} gives NaN or infinite activations: "
                    "train the network again with a lower learning rate, or leave it out."
                )
            visit(layer, rows, activations.numpy(force=True))

        return hook

    def _activations(self, layer: int, output: Any, inputs: int) -> Tensor:
        """Return the neurons of a layer's output as float32, (inputs, neurons)."""
        name, values = self._names[layer], first_tensor(output)
        if self._ran[layer]:
            raise GengapError(
                f"Layer {name} runs more than once in a forward pass: observe modules that run "
                "once, or adopt the network (gengap.networks.adopt), which reads the last call."
            )
        self._ran[layer] = True
        if values is None or values.is_complex():
            kind = type(output).__name__ if values is None else f"tensor of {values.dtype}"
            raise GengapError(
                f"Layer {name} gives a {kind}: observe modules that give real numbers."
            )
        if values.ndim == 0 or len(values) != inputs or values.numel() == 0:
            raise GengapError(
                f"Layer {name} gives outputs of shape {tuple(values.shape)} for {inputs} inputs: "
                "observe modules that give one row for each input (batch_first=True)."
            )
        values = values if values.ndim > 1 else values[:, None]
        by_place = values if name in self._network.channels_last else channels_last(values)
        self.channels[layer] = by_place.shape[-1]
        return by_place.flatten(1).float()
