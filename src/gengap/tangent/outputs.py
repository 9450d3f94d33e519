"""Which scalar of a network's outputs is differentiated, and the network as a pure function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from gengap.errors import GengapError
from gengap.networks import Network, batched_outputs, logits
from gengap.networks.differentiation import (
    CountedParameters,
    check_outputs,
    counted_parameters,
    full_precision,
    input_array,
    input_tensor,
    twice_differentiable,
)

OutputSelection = int | Literal["scalar", "sum", "trace"]
"""Which outputs a kernel is computed for.

``scalar`` is the only output of a network that has one, an index is one logit, ``sum`` the sum of
the logits, and ``trace`` every logit separately, with their kernels summed.
"""

Parameters = dict[str, Tensor]
PureFunction = Callable[[Parameters, Tensor], Tensor]

BATCH = 256
"""Number of inputs of one pass that keeps no gradients."""

_RANDOM = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
_NORMALISING = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class _Logits(nn.Module):
    """A network whose forward pass ends before its softmax."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        with twice_differentiable(self.network):
            return logits(self.network, inputs)


def parameters_of(network: nn.Module, parameters: CountedParameters = "trainable") -> Parameters:
    """Return the parameters that count by name, detached, sharing the network's memory.

    Args:
        network: any network.
        parameters: see :func:`gengap.networks.differentiation.counted_parameters`.

    Returns:
        The tensors by name.
    """
    counted = counted_parameters(network, parameters)
    return {name: parameter.detach() for name, parameter in counted.items()}


def as_function(network: nn.Module, of: OutputSelection) -> PureFunction:
    """Turn a network into a function of its parameters.

    Args:
        network: a network in eval mode.
        of: see :data:`OutputSelection`.

    Returns:
        A function from (parameters by name, inputs (n, *input_shape)) to the selected outputs (n,
        k); k is the number of logits for ``trace`` and 1 otherwise.
    """
    module = _Logits(network)

    def function(parameters: Parameters, inputs: Tensor) -> Tensor:
        named = {f"network.{name}": value for name, value in parameters.items()}
        outputs: Tensor = torch.func.functional_call(module, named, (inputs,))
        return select_outputs(outputs, of)

    return function


def select_outputs(outputs: Tensor, of: OutputSelection) -> Tensor:
    """Select outputs of logits (n, outputs), see :data:`OutputSelection`.

    Returns:
        (n, k); k is the number of logits for ``trace`` and 1 otherwise.

    Raises:
        GengapError: the outputs are not what ``of`` needs.
    """
    count = check_outputs(outputs).shape[1]
    if of == "scalar":
        if count != 1:
            raise GengapError(
                f"The network has {count} outputs where a scalar is needed: give its last layer "
                "one unit, or choose 'of': the index of a logit, 'sum' or 'trace'."
            )
        return outputs
    if of == "trace":
        return outputs
    if of == "sum":
        return outputs.sum(1, keepdim=True)
    if isinstance(of, bool) or not isinstance(of, int):
        raise GengapError(
            f"'of' is {of!r}: choose 'scalar', 'sum', 'trace' or the index of a logit."
        )
    if not 0 <= of < count:
        raise GengapError(
            f"The kernel of logit {of} is asked for, but the network has {count}: "
            f"choose an index from 0 to {count - 1}."
        )
    return outputs[:, of : of + 1]


def check_scalar(of: OutputSelection) -> None:
    """Refuse ``trace`` where one number for each input is needed."""
    if of == "trace":
        raise GengapError(
            "'of' is 'trace', which keeps every logit, where a scalar is needed: "
            "choose 'scalar', 'sum' or the index of a logit."
        )


def check_network(network: nn.Module) -> None:
    """Refuse a network that has no tangent kernel.

    Raises:
        GengapError: dropout or batch normalisation is in train mode, so that outputs are random or
            depend on the other inputs of a batch; or the network is TorchScript, or has no
            parameter.
    """
    counted_parameters(network)
    for name, module in network.named_modules():
        if type(module).__name__ == "RecursiveScriptModule":
            raise GengapError(
                "The network was made by torch.jit.script, so nothing inside it can be observed: "
                "give the module that was scripted."
            )
        if module.training and isinstance(module, (*_RANDOM, *_NORMALISING)):
            kind = "dropout" if isinstance(module, _RANDOM) else "batch normalisation"
            raise GengapError(
                f"The module {name} ({kind}) is in train mode, where a network has no tangent "
                "kernel: call the network's eval() first."
            )


def inputs_tensor(network: nn.Module, inputs: np.ndarray) -> Tensor:
    """Bring inputs (n, *input_shape) to the network's device and to the type of its weights.

    Returns:
        The inputs as a tensor; tokens stay integers.

    Raises:
        GengapError: they do not fit the network, there are none, or one is not finite.
    """
    array = input_array(inputs)
    if isinstance(network, Network):
        network.check_inputs(array.shape)
    return input_tensor(network, array)


def numbers_in(output: Any) -> int:
    """Count the numbers in the tensors that a module returned, nested in any way."""
    return sum(part.numel() for part in tree_leaves(output) if isinstance(part, Tensor))


def scalar_outputs(
    network: nn.Module, inputs: np.ndarray, *, of: OutputSelection = "scalar"
) -> NDArray[np.float64]:
    """Compute one output of each input.

    Args:
        network: a network in eval mode; weights of half precision are taken as float32.
        inputs: (n, *input_shape), float32 or tokens.
        of: as for :func:`gengap.tangent.empirical_ntk`, but not ``trace``.

    Returns:
        (n,) float64.

    Raises:
        GengapError: the network's outputs are not what ``of`` needs, or the inputs do not fit it.
    """
    network = full_precision(network)
    check_network(network)
    check_scalar(of)
    outputs = batched_outputs(
        network,
        inputs_tensor(network, inputs),
        lambda network, batch: select_outputs(logits(network, batch), of)[:, 0],
        batch_size=BATCH,
    )
    values: NDArray[np.float64] = outputs.double().numpy(force=True)
    return values
