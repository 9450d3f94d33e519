"""Which weights Keras keeps for a layer, and the tensors of torch's modules that hold the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gengap.networks.attention import SelfAttention

if TYPE_CHECKING:
    from gengap.networks.sequential import SequentialNetwork

Array = NDArray[Any]

KERNEL_AXES = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0), 5: (2, 3, 4, 1, 0)}
"""Order of the axes of a kernel (outputs, inputs, window) in Keras: window, inputs, outputs."""

KERAS_GATES = (1, 0, 2)
"""The gates of torch's GRU (reset, update, new) in Keras' order, and the other way round."""


@dataclass(frozen=True)
class KerasWeight:
    """A weight of a Keras layer, and the tensors with the same values.

    Attributes:
        name: the name that Keras gives to the weight, after that of its layer.
        tensors: names of the tensors in the network's ``state_dict``.
        to_keras: makes the weight of the tensors.
        from_keras: makes the tensors of the weight.
    """

    name: str
    tensors: tuple[str, ...]
    to_keras: Callable[..., Array]
    from_keras: Callable[[Array], tuple[Array, ...]]


def layer_weights(network: SequentialNetwork) -> list[list[KerasWeight]]:
    """List the weights of each layer in Keras' order.

    Args:
        network: a network of Keras' layers.

    Returns:
        One list for each entry of the network's ``model_config``, empty where it has no weights.
    """
    entries = network.spec.get("model_config") or [{}] * len(network.steps)
    return [
        [
            weight
            for name in step.modules
            for weight in _weights(name, network.get_submodule(name), entry)
        ]
        for step, entry in zip(network.steps, entries, strict=True)
    ]


def _weights(name: str, module: nn.Module, entry: dict[str, Any]) -> list[KerasWeight]:
    """List the weights of one module, of which a bias, a scale or a center may be left out."""
    present = set(module.state_dict())
    if not present:
        return []
    return [
        KerasWeight(
            weight.name,
            tuple(f"{name}.{tensor}" for tensor in weight.tensors),
            weight.to_keras,
            weight.from_keras,
        )
        for weight in _all_weights(name, module, entry)
        if present.issuperset(weight.tensors)
    ]


def _all_weights(name: str, module: nn.Module, entry: dict[str, Any]) -> list[KerasWeight]:
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return [
            _same("gamma", "weight"),
            _same("beta", "bias"),
            _same("moving_mean", "running_mean"),
            _same("moving_variance", "running_var"),
        ]
    if isinstance(module, nn.LayerNorm | nn.GroupNorm):
        return [_same("gamma", "weight"), _same("beta", "bias")]
    if isinstance(module, nn.Embedding):
        return [_same("embeddings", "weight")]
    if isinstance(module, nn.LSTM | nn.GRU):
        return _recurrent(module)
    if isinstance(module, SelfAttention):
        return _attention(module)
    if isinstance(module, nn.PReLU):
        return [_shared_slopes(entry)]
    if isinstance(module, nn.Conv2d) and name.endswith("_depthwise"):  # of SeparableConv2D
        return [_depthwise(module)]
    if isinstance(module, nn.Conv2d) and name.startswith("depthwise_"):
        return [_depthwise(module), _same("bias", "bias")]
    return [
        _permuted("kernel", "weight", KERNEL_AXES[module.get_parameter("weight").ndim]),
        _same("bias", "bias"),
    ]


def _permuted(name: str, tensor: str, axes: tuple[int, ...]) -> KerasWeight:
    back = tuple(int(axis) for axis in np.argsort(axes))
    return KerasWeight(
        name, (tensor,), lambda own: own.transpose(axes), lambda array: (array.transpose(back),)
    )


def _same(name: str, tensor: str) -> KerasWeight:
    return KerasWeight(name, (tensor,), lambda own: own, lambda array: (array,))


def _shared_slopes(entry: dict[str, Any]) -> KerasWeight:
    """Keras gives slopes that places share an axis of size 1 for each axis of places."""
    places = (1,) * len(entry.get("shared_axes") or ())
    return KerasWeight(
        "alpha",
        ("weight",),
        lambda own: own.reshape(*places, -1),
        lambda array: (array.reshape(-1),),
    )


def _depthwise(module: nn.Conv2d) -> KerasWeight:
    """Keras keeps a depthwise kernel as (window, inputs, kernels of each input)."""
    shape = tuple(module.weight.shape)
    inputs = module.in_channels
    return KerasWeight(
        "depthwise_kernel",
        ("weight",),
        lambda own: own.reshape(inputs, -1, *shape[2:]).transpose(2, 3, 0, 1),
        lambda array: (array.transpose(2, 3, 0, 1).reshape(shape),),
    )


def _recurrent(module: nn.LSTM | nn.GRU) -> list[KerasWeight]:
    """List the weights of a recurrent layer, whose kernels are (inputs, gates)."""
    gates = (0, 1, 2, 3) if isinstance(module, nn.LSTM) else KERAS_GATES
    ordered = partial(_in_order, gates=gates)

    def kernel(array: Array) -> tuple[Array]:
        return (ordered(array.T),)

    def of_kernel(own: Array) -> Array:
        return ordered(own).T

    def biases(array: Array) -> tuple[Array, Array]:
        # Keras' LSTM has one bias, torch's two, of which the sum counts.
        first, second = (array, np.zeros_like(array)) if array.ndim == 1 else array
        return ordered(first), ordered(second)

    def of_biases(first: Array, second: Array) -> Array:
        if isinstance(module, nn.LSTM):
            return ordered(first + second)
        return np.stack([ordered(first), ordered(second)])

    return [
        KerasWeight("kernel", ("weight_ih_l0",), of_kernel, kernel),
        KerasWeight("recurrent_kernel", ("weight_hh_l0",), of_kernel, kernel),
        KerasWeight("bias", ("bias_ih_l0", "bias_hh_l0"), of_biases, biases),
    ]


def _in_order(rows: Array, gates: tuple[int, ...]) -> Array:
    """Arrange the rows of all gates in another order of gates."""
    parts = np.split(rows, len(gates))
    return np.concatenate([parts[gate] for gate in gates])


def _attention(module: SelfAttention) -> list[KerasWeight]:
    """List the weights of attention, whose kernels have an axis of heads."""
    heads = module.heads
    weights = []
    for part in ("query", "key", "value"):
        weights += [
            KerasWeight(
                f"{part}/kernel",
                (f"{part}.weight",),
                lambda own: own.T.reshape(own.shape[1], heads, -1),
                lambda array: (array.reshape(len(array), -1).T,),
            ),
            KerasWeight(
                f"{part}/bias",
                (f"{part}.bias",),
                lambda own: own.reshape(heads, -1),
                lambda array: (array.reshape(-1),),
            ),
        ]
    return [
        *weights,
        KerasWeight(
            "attention_output/kernel",
            ("output.weight",),
            lambda own: own.T.reshape(heads, -1, len(own)),
            lambda array: (array.reshape(-1, array.shape[-1]).T,),
        ),
        _same("attention_output/bias", "output.bias"),
    ]
