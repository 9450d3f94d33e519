"""The parts of a network: its weight layers, its observed layers, its modules without parts."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from gengap.errors import GengapError
from gengap.networks.network import Network


def weight_layers(network: nn.Module) -> list[tuple[str, nn.Linear | _ConvNd]]:
    """Return the linear layers and convolutions, by name, in the order of the forward pass.

    Convolutions may be of one to three dimensions, and transposed. Batch normalisation has no
    kernel. Attention calls its output projection without its module, so that is not listed; see
    :func:`gengap.networks.kernels` for all linear maps.

    Args:
        network: any network.

    Returns:
        Names and modules. A convolution's ``weight`` is (out, in, *window), a transposed one's (in,
        out, *window), a linear map's (out, in).
    """
    return [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | _ConvNd)
        and not isinstance(module, NonDynamicallyQuantizableLinear)
    ]


def observed_layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the modules whose outputs are the activations of the layers, in forward order.

    Args:
        network: made by :func:`gengap.networks.build` or :func:`gengap.networks.adopt`.

    Returns:
        For each layer with weights, its name and the module that gives its output after its own
        ``activation``, as in Keras: (n, C, H, W), (n, d), ...

    Raises:
        GengapError: the network was made elsewhere.
    """
    if not isinstance(network, Network):
        raise GengapError(
            f"Which layers of a module of the class {type(network).__name__} count as neurons is "
            "not known: adopt it with gengap.networks.adopt(module, example, layout=...)."
        )
    return [(name, network.observed_module(name)) for name in network.observed]


def refuse_torchscript(network: nn.Module) -> None:
    """Refuse a network that was scripted or traced, or of which a part was.

    Raises:
        GengapError: it was.
    """
    if any(isinstance(part, torch.jit.ScriptModule) for part in network.modules()):
        raise GengapError(
            "The network is TorchScript, whose layers cannot be observed: give the Python module "
            "that it was scripted or traced from, with its state_dict."
        )


def leaf_modules(network: nn.Module) -> list[nn.Module]:
    """Return the modules that have no parts, in the order in which the network registers them."""
    return [module for module in network.modules() if not list(module.children())]
