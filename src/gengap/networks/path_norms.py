"""The sum over all paths through a network, by one forward pass of its squared weights."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import activation

from gengap.errors import GengapError
from gengap.networks.effective_weights import effective_copy
from gengap.networks.inference import forward_hooks, logits
from gengap.networks.kernels import NORMALISATIONS, RECURRENT

HOMOGENEOUS = (nn.ReLU, nn.LeakyReLU, nn.RReLU, nn.PReLU)
"""Activation functions that scale with their input, and leave positive values as they are."""
WITHOUT_PATHS = (
    *RECURRENT,
    *NORMALISATIONS,
    nn.Bilinear,
    nn.EmbeddingBag,
    nn.LocalResponseNorm,
    *(
        kind
        for name in activation.__all__
        if (kind := getattr(activation, name)) not in HOMOGENEOUS
    ),
)
"""Layers through which no path has a product of weights; attention is among the last ones."""

SHRINKING = 2.0**-10
"""How much smaller inputs and biases must make the sum; a power of two, which rounds nothing."""
TOLERANCE = 1e-9


@torch.no_grad()
def sum_over_paths(network: nn.Module, example: Tensor) -> float:
    """Sum the squared products of the weights along all paths from the inputs to the outputs.

    A path takes one weight of each layer that it passes, and begins at an input or at a bias. The
    sum is that of the outputs of the network with all parameters squared, on inputs that are all
    one. Each place of a convolution begins paths of its own. Average pooling takes the mean over
    the paths that it joins, maximum pooling the largest of their sums, and a residual sum adds
    them. Paths begin at every token of an embedding.

    Args:
        network: a network of linear maps, ReLUs (leaky ones too), pooling, sums and concatenations.
            Batch normalisation is folded before, see :func:`gengap.networks.folded`.
        example: one input (1, *input_shape), for its shape.

    Returns:
        The sum, at least 0, in float64.

    Raises:
        GengapError: the network has other parts, so that its outputs are no sum over paths.
    """
    squared = effective_copy(network)
    for weight in squared.parameters():
        weight.square_()
    ones = torch.ones_like(example, dtype=torch.float64)
    inputs = ones if example.is_floating_point() else example
    embeddings = [module for module in squared.modules() if isinstance(module, nn.Embedding)]
    with ExitStack() as stack:
        stack.enter_context(forward_hooks(squared.modules(), _refuse))
        total = _total(squared, inputs, embeddings, 1.0)
        for name, weight in squared.named_parameters():
            if name.endswith("bias"):
                weight.mul_(SHRINKING)
        shrunk = _total(squared, inputs, embeddings, SHRINKING)
    if math.isfinite(total) and abs(shrunk - SHRINKING * total) > TOLERANCE * SHRINKING * total:
        raise GengapError(
            "The network is not positively homogeneous: its outputs do not scale with its inputs "
            "and biases, so they are no sum over paths; do without the path norm."
        )
    return total


def _total(
    squared: nn.Module, inputs: Tensor, embeddings: list[nn.Embedding], scale: float
) -> float:
    """Sum the outputs for inputs, or sums over all tokens, of this size."""

    def all_tokens(module: nn.Module, _arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        assert isinstance(module, nn.Embedding)
        return (scale * module.weight.sum(0)).expand_as(output)

    with ExitStack() as stack:
        for embedding in embeddings:
            stack.callback(embedding.register_forward_hook(all_tokens).remove)
        values = inputs if not inputs.is_floating_point() else inputs * scale
        return float(logits(squared, values).sum())


def _refuse(module: nn.Module, _arguments: tuple[Any, ...], _output: Any) -> None:
    """Refuse a layer that is called and has no paths."""
    if isinstance(module, WITHOUT_PATHS):
        raise GengapError(
            "The path norm is that of linear maps, batch normalisation, ReLUs and pooling, and the "
            f"network has a {type(module).__name__}: do without the path norm."
        )
