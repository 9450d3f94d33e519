"""Looking into a network: its weight layers, observed layers, logits and penultimate features."""

from __future__ import annotations

from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.networks.layout import channels_last
from gengap.networks.network import Network


def weight_layers(network: nn.Module) -> list[tuple[str, nn.Conv2d | nn.Linear]]:
    """The modules that own a kernel (``weight``), by name, in the order of the forward pass.

    Convolutions and linear maps; batch normalisation has no kernel. A convolution's weight is (out,
    in, height, width), a linear map's (out, in).
    """
    return [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]


def observed_layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules whose outputs are the activations of the network's layers, in forward order.

    One for each layer with weights, named after it: the output after its own ``activation``, as
    Keras' layer gives it. Outputs are (n, C, H, W) or (n, d).

    Raises:
        GengapError: the network was not made by :func:`gengap.networks.build`.
    """
    if not isinstance(network, Network):
        raise GengapError(
            f"The layers of a {type(network).__name__} to observe are not known: "
            "make the network with gengap.networks.build."
        )
    return [(name, network.get_submodule(path)) for name, path in network.observed.items()]


def logits(network: nn.Module, inputs: Tensor) -> Tensor:
    """Outputs (n, classes) before the final softmax if the network ends with one, else as it is.

    Args:
        network: any classifier.
        inputs: (n, *input_shape).
    """
    outputs: Tensor = network.logits(inputs) if isinstance(network, Network) else network(inputs)
    return outputs


def penultimate(network: nn.Module, inputs: Tensor) -> Tensor:
    """The input of the last weight layer, flattened to (n, features) in the order H, W, C."""
    seen: list[Tensor] = []
    _, last = weight_layers(network)[-1]
    hook = last.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    try:
        logits(network, inputs)
    finally:
        hook.remove()
    features = channels_last(seen[0]) if isinstance(last, nn.Conv2d) else seen[0]
    return features.flatten(1)
