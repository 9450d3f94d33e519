"""Stacks: the forward pass of many small networks of one shape as one.

A pass through a small network takes most of its time between the operations, not in them. A stack
has the weights of its networks side by side, so that each operation is done for all of them at
once: linear maps as a batched product of matrices, convolutions with a group for each network.

Values inside a stack are either *maps* (b, networks * C, ...), channels last in memory, or *rows*
(networks, b, features).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.networks.activation_functions import KerasReLU
from gengap.networks.layout import Flatten
from gengap.networks.network import Network
from gengap.networks.padding import AveragePooling
from gengap.networks.sequential import HOOKS, POOLS, TOKENS, SequentialNetwork, commute

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
CONVOLUTIONS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv1d: functional.conv1d,
    nn.Conv2d: functional.conv2d,
    nn.Conv3d: functional.conv3d,
}
Normalisation = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
ELEMENTWISE = (
    nn.ELU, nn.GELU, nn.Identity, nn.LeakyReLU, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid,
    nn.Softplus, nn.Softsign, nn.Tanh, KerasReLU,
)  # fmt: skip
"""Modules that act on each number alone."""
CHANNELWISE = (
    *POOLS, AveragePooling, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d, nn.ConstantPad1d,
    nn.ConstantPad2d, nn.ConstantPad3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip
"""Modules that act on each channel alone."""
FLATTENING = (Flatten, nn.Flatten)
KINDS = (
    nn.Linear, *CONVOLUTIONS, *NORMALISATIONS, *ELEMENTWISE, *CHANNELWISE, *FLATTENING, nn.Dropout,
)  # fmt: skip


def stackable(network: nn.Module) -> bool:
    """Tell whether a network may be part of a stack.

    Args:
        network: any module.

    Returns:
        True for a plain list of layers, each of one of :data:`KINDS`, that takes numbers and ends
        in a linear map, all of whose parameters are trained, and that nobody observes by hooks.
    """
    return (
        type(network) is SequentialNetwork
        and network.input_type != TOKENS
        and all(step.inbound == (position - 1,) for position, step in enumerate(network.steps))
        and all(type(module) in KINDS for module in network.children())
        and type(list(network.children())[-1]) is nn.Linear
        and all(parameter.requires_grad for parameter in network.parameters())
        and not any(getattr(module, name) for module in network.modules() for name in HOOKS)
    )


class Stack:
    """Networks of one shape, whose forward passes are one.

    Attributes:
        parameters: of all networks by name, (networks, ...) each. Kernels of linear maps are
            transposed, and those of images have the input's channels last, so that a pass need not
            do it.
        buffers: their batch statistics by name, (networks, *shape) each; training passes change
            them in place.
        axis: the axis of the batch in inputs that :meth:`arrange` returns.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        """Copy the weights of networks into a stack.

        Args:
            networks: of one spec, each :func:`stackable`, on one device.
        """
        self._layers = _in_order(list(networks[0].named_children()))
        self._takes_maps = len(networks[0].input_shape) > 1
        if isinstance(self._layers[0][1], Flatten):
            self._takes_maps, self._layers = False, self._layers[1:]
        self.axis = 0 if self._takes_maps else 1
        self._kinds = {name: type(module) for name, module in self._layers}
        parameters = [dict(network.named_parameters()) for network in networks]
        buffers = [dict(network.named_buffers()) for network in networks]
        with torch.no_grad():
            self.parameters = {
                name: torch.stack([self._turned(name, own[name]) for own in parameters])
                for name in parameters[0]
            }
            self.buffers = {
                name: torch.stack([own[name] for own in buffers]) for name in buffers[0]
            }

    def _turned(self, name: str, parameter: Tensor, *, back: bool = False) -> Tensor:
        """Turn a parameter into what a stack holds, or back; only some kernels are turned."""
        kind = self._kinds[name.rpartition(".")[0]]
        if kind is nn.Linear and parameter.ndim > 1:
            return parameter.mT
        if kind is nn.Conv2d and parameter.ndim > 1:
            return parameter.movedim(-1, 1) if back else parameter.movedim(1, -1)
        return parameter

    def weights(self, position: int) -> dict[str, Tensor]:
        """Return the parameters and batch statistics of one network, by name."""
        parameters = {
            name: self._turned(name, values[position].detach(), back=True)
            for name, values in self.parameters.items()
        }
        return parameters | {name: values[position] for name, values in self.buffers.items()}

    def select(self, positions: Tensor) -> None:
        """Keep some networks' batch statistics; whoever holds the parameters selects them."""
        self.buffers = {name: values[positions] for name, values in self.buffers.items()}

    def arrange(self, inputs: Tensor) -> Tensor:
        """Arrange inputs (b, networks, *input_shape), channels last, as maps or as rows."""
        if not self._takes_maps:
            return inputs.flatten(2).transpose(0, 1).contiguous()
        # Pooling and grouped convolutions are fast where channels are last in memory.
        return inputs.movedim(1, -2).flatten(-2).contiguous().movedim(-1, 1)

    def logits(
        self, values: Tensor, count: int, chance: Sequence[torch.Generator] | None = None
    ) -> Tensor:
        """Return the logits of all networks.

        Args:
            values: what :meth:`arrange` returns.
            count: number of networks.
            chance: for a training pass, a generator of dropout for each network; None for a pass
                in eval mode.

        Returns:
            (networks, b, outputs).
        """
        is_map = self._takes_maps
        for name, module in self._layers:
            if isinstance(module, FLATTENING):
                if is_map:
                    values, is_map = _flattened(values, count, type(module)), False
            elif isinstance(module, nn.Linear):
                values = self._mapped(name, values)
            elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
                values = self._convolved(name, module, values, count)
            elif isinstance(module, NORMALISATIONS):
                maps = values if is_map else values.transpose(0, 1).flatten(1)
                maps = self._normalised(name, module, maps, training=chance is not None)
                values = maps if is_map else maps.view(len(maps), count, -1).transpose(0, 1)
            elif isinstance(module, nn.Dropout):
                if chance is not None and module.p > 0:
                    factors = _dropout_of_maps if is_map else _dropout_of_rows
                    values = values * factors(values, module.p, chance)
            else:
                values = module(values)
        return values

    def _mapped(self, name: str, rows: Tensor) -> Tensor:
        kernel, bias = self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")
        return (
            torch.bmm(rows, kernel) if bias is None else torch.baddbmm(bias[:, None], rows, kernel)
        )

    def _convolved(self, name: str, module: Convolution, maps: Tensor, count: int) -> Tensor:
        kernel, bias = self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")
        if type(module) is nn.Conv2d:
            kernel = kernel.movedim(-1, 2)  # a view, channels last in memory like the maps
        return CONVOLUTIONS[type(module)](
            maps,
            kernel.flatten(0, 1),
            None if bias is None else bias.flatten(),
            module.stride,
            module.padding,
            module.dilation,
            count * module.groups,
        )

    def _normalised(
        self, name: str, module: Normalisation, maps: Tensor, *, training: bool
    ) -> Tensor:
        weight, bias = (self.parameters.get(f"{name}.{kind}") for kind in ("weight", "bias"))
        if training:
            self.buffers[f"{name}.num_batches_tracked"] += 1
        return functional.batch_norm(
            maps,
            self.buffers[f"{name}.running_mean"].view(-1),
            self.buffers[f"{name}.running_var"].view(-1),
            None if weight is None else weight.flatten(),
            None if bias is None else bias.flatten(),
            training,
            cast("float", module.momentum),
            module.eps,
        )


def _in_order(layers: list[tuple[str, nn.Module]]) -> list[tuple[str, nn.Module]]:
    """Put a ReLU behind the pooling that follows it, as the networks themselves do."""
    for place in range(len(layers) - 1):
        (_, first), (_, second) = layers[place : place + 2]
        if commute(first, second):
            layers[place : place + 2] = layers[place + 1], layers[place]
    return layers


def _flattened(maps: Tensor, count: int, kind: type[nn.Module]) -> Tensor:
    """Return rows in the order of Keras' Flatten, (..., C), or of torch's, (C, ...)."""
    values = maps.reshape(len(maps), count, -1, *maps.shape[2:]).transpose(0, 1)
    return (values.movedim(2, -1) if kind is Flatten else values).flatten(2)


def _dropout_of_rows(rows: Tensor, rate: float, chance: Sequence[torch.Generator]) -> Tensor:
    """Return 0 or 1 / (1 - rate) for each entry, as each network draws them on its own."""
    factors = torch.empty_like(rows, memory_format=torch.contiguous_format)
    for own, generator in zip(factors, chance, strict=True):
        own.bernoulli_(1.0 - rate, generator=generator)
    return factors.div_(1.0 - rate)


def _dropout_of_maps(maps: Tensor, rate: float, chance: Sequence[torch.Generator]) -> Tensor:
    """Return such factors for maps, drawn as torch does in the order of their memory."""
    channels_last = maps.movedim(1, -1)
    values = channels_last.reshape(*channels_last.shape[:-1], len(chance), -1).movedim(-2, 0)
    return _dropout_of_rows(values, rate, chance).movedim(0, -2).flatten(-2).movedim(-1, 1)
