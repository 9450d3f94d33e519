"""Layer outputs one batch at a time, so that no layer is ever held for all inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.networks import device_of, observed_layers, tensor_of
from gengap.networks.layout import channels_last

# The largest observed layer's outputs for one batch stay below this.
BATCH_BYTES = 2**26

Visit = Callable[[int, slice, NDArray[np.float32]], None]
"""Called with the layer's index, the inputs' slice, and (batch, neurons) activations."""


class LayerStream:
    """The outputs of a network's observed layers on given inputs, batch by batch.

    Args:
        network: made by ``gengap.networks.build``.
        inputs: (m, *input_shape) float32.
        skip_layers: observed layers to leave out at the front.
        batch_size: inputs per forward pass; by default as many as ``BATCH_BYTES`` allow.

    Attributes:
        layers: name and number of neurons of each layer, in the order of the forward pass.

    Raises:
        GengapError: no inputs, or no layer is left.
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
        sizes = [0] * len(self._modules)

        def measure(layer: int, _inputs: slice, activations: NDArray[np.float32]) -> None:
            sizes[layer] = activations.shape[1]

        self._run(measure, slice(0, 1))
        self.layers = tuple(zip(self._names, sizes, strict=True))
        bytes_per_input = max(sizes) * np.dtype(np.float32).itemsize
        self._batch_size = batch_size or max(1, BATCH_BYTES // bytes_per_input)

    def visit(self, visit: Visit) -> None:
        """One forward pass over all inputs; ``visit`` sees every layer of every batch.

        Raises:
            GengapError: an activation is NaN or infinite; names the layer.
        """
        for start in range(0, len(self._inputs), self._batch_size):
            self._run(visit, slice(start, min(start + self._batch_size, len(self._inputs))))

    def _run(self, visit: Visit, inputs: slice) -> None:
        with torch.inference_mode(), _evaluating(self._network), ExitStack() as hooks:
            for layer, module in enumerate(self._modules):
                hook = module.register_forward_hook(self._hook(layer, visit, inputs))
                hooks.callback(hook.remove)
            batch = self._inputs[inputs].astype(np.float32, copy=False)
            self._network(tensor_of(batch, device_of(self._network)))

    def _hook(
        self, layer: int, visit: Visit, inputs: slice
    ) -> Callable[[nn.Module, Sequence[Tensor], Tensor], None]:
        def hook(_module: nn.Module, _arguments: Sequence[Tensor], output: Tensor) -> None:
            activations = channels_last(output).flatten(1)
            lowest, highest = torch.aminmax(activations)
            if not (torch.isfinite(lowest) and torch.isfinite(highest)):
                raise GengapError(
                    f"Layer {self._names[layer]} gives NaN or infinite activations: "
                    "train the network again with a lower learning rate, or leave it out."
                )
            visit(layer, inputs, activations.float().numpy(force=True))

        return hook


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Dropout off and batch statistics frozen, whatever mode the caller left the network in."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
