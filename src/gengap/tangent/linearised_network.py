"""A linearised network as a network, which any recipe trains.

Training in dual form (:func:`gengap.tangent.train_linearised`) needs a method that is linear in
past gradients, such as SGD with momentum. Adam is not, so it moves the weights themselves here:
each step runs a derivative in forward mode through the network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gengap.networks import Network
from gengap.networks.differentiation import full_precision
from gengap.tangent.outputs import as_function, check_network, parameters_of


class LinearisedNetwork(Network):
    """The network s J(x) (theta - theta0) + f0(x), a function that is linear in its weights theta.

    Attributes:
        weights: theta, theta0 at first, by the names of the network's parameters with slashes
            instead of dots.
    """

    def __init__(self, network: Network, *, scale: float = 1.0, from_zero: bool = False) -> None:
        """Linearise a network.

        Args:
            network: in eval mode, at theta0, with one output; it is not changed, and later changes
                of its weights have no effect.
            scale: s; the tangent kernel is multiplied by its square.
            from_zero: leaves out f0.

        Raises:
            GengapError: the network has no tangent kernel.
        """
        super().__init__(network.input_shape)
        self.outputs, self.input_type = network.outputs, network.input_type
        module = full_precision(network)
        check_network(module)
        self._function = as_function(module, "scalar")
        self._start = {name: value.clone() for name, value in parameters_of(module).items()}
        self._state = {name: value.clone() for name, value in module.named_buffers()}
        self._scale, self._from_zero = scale, from_zero
        self.weights = nn.ParameterDict(
            {_key(name): nn.Parameter(value.clone()) for name, value in self._start.items()}
        )

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, 1) for inputs (n, *input_shape)."""
        moved = {
            name: self._scale * (self.weights[_key(name)] - value)
            for name, value in self._start.items()
        }
        start, change = torch.func.jvp(  # type: ignore[misc]
            lambda values: self._function({**values, **self._state}, inputs),
            (self._start,),
            (moved,),
        )
        outputs: Tensor = change if self._from_zero else start + change
        return outputs


def _key(name: str) -> str:
    """A name of a parameter that may name an entry of a ParameterDict."""
    return name.replace(".", "/")
