"""The activations of all nodes of a network: neurons, or channels by their spatial means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gengap.activations.streaming import LayerStream
from gengap.errors import GengapError

NODES = ("channels", "neurons")
LARGEST_BYTES = 2**32


@dataclass(frozen=True)
class NodeActivations:
    """The activations of every node of a network on given inputs.

    Attributes:
        activations: (k, m) float32, one row per node, one column per input. Nodes are numbered
            through the observed layers, in the order of the forward pass.
        layers: name and number of nodes of each layer.
    """

    activations: NDArray[np.float32]
    layers: tuple[tuple[str, int], ...]


def node_activations(
    network: nn.Module,
    inputs: NDArray[Any],
    nodes: str = "channels",
    skip_layers: int = 0,
) -> NodeActivations:
    """Compute the activations of every node of the observed layers, in one forward pass.

    Args:
        network: made by ``gengap.networks.build`` or ``adopt``.
        inputs: (m, *input_shape).
        nodes: ``channels`` (each channel's mean over its places; a dense layer's units) or
            ``neurons`` (every scalar of every layer).
        skip_layers: first observed layers to leave out.

    Returns:
        One row for each node, one column for each input.

    Raises:
        GengapError: an argument is out of range, there are NaN or infinite activations
            (the sentence names the layer), or activations take more than 4 GiB.
    """
    if nodes not in NODES:
        raise GengapError(f"Unknown nodes {nodes!r}: choose {' or '.join(NODES)}.")
    stream = LayerStream(network, inputs, skip_layers)
    sizes = stream.channels if nodes == "channels" else [size for _, size in stream.layers]
    needed = sum(sizes) * len(inputs) * np.dtype(np.float32).itemsize
    if needed > LARGEST_BYTES:
        raise GengapError(
            f"The activations of {sum(sizes)} {nodes} on {len(inputs)} inputs take "
            f"{needed / 2**30:.1f} GiB: take channels, fewer inputs, or sample neurons "
            "(gengap.activations.sample)."
        )
    first = np.cumsum([0, *sizes])
    activations = np.empty((sum(sizes), len(inputs)), dtype=np.float32)

    def visit(layer: int, batch: slice, neurons: NDArray[np.float32]) -> None:
        # Channels-last: a layer's neurons are (place, channel), the channel fastest.
        by_place = neurons.reshape(len(neurons), -1, sizes[layer])
        activations[first[layer] : first[layer + 1], batch] = by_place.mean(axis=1).T

    stream.visit(visit)
    names = [name for name, _ in stream.layers]
    return NodeActivations(activations, tuple(zip(names, sizes, strict=True)))
