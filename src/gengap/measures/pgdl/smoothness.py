"""How the labels vary on graphs of nearest neighbours among a network's features."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.pgdl.drawing import draw_balanced
from gengap.measures.pgdl.outputs import all_observed, class_scores
from gengap.measures.registry import measure
from gengap.measures.subject import Subject
from gengap.networks import captured, tensor_of, weight_layers
from gengap.networks.layout import channels_last

log = logging.getLogger(__name__)

EXAMPLES = 500
BETA = 2.0
FEW, MANY = 1, 80
LAST_PART = 3
TOLERANCE = 1e-12
"""Squared distances of unit vectors that differ by less are equal, in double precision."""
BLOCK = 4096
"""Number of features that are held in double precision at a time."""


@measure("brain", "brain_80_neighbours", needs={"classes", "float_inputs"}, draws=4)
def brain(subject: Subject) -> dict[str, float]:
    """Compute how labels of mixed inputs vary on the graph of their penultimate features.

    500 training inputs in all, equally many of each class, are each mixed with another one by a
    weight from Beta(2, 2), and so are their one-hot labels Y. Each points to its k nearest
    neighbours among the penultimate features (Euclidean distance of unit vectors; ties all count).
    This is the entry VPM of team BrAIn. Larger predicts a larger gap, as published. For any inputs
    but tokens.

    Equation:
        trace(Y' (I - W) Y) / (4 n), with Y the mixed labels of n mixed inputs, and W the adjacency
        of their graph, entries divided by the square root of both nodes' numbers of neighbours.
        - ``brain``: The graph joins each input to its nearest neighbour.
        - ``brain_80_neighbours``: The graph joins each input to its 80 nearest neighbours.

    Source:
        Lassance et al. 2020, "Ranking deep learning generalization using label variation in latent
        geometry graphs".

    Returns:
        Both variations, in [0, 1/4].

    Raises:
        GengapError: the training data are a single input.
    """
    network, train, rng = subject.network, subject.train, subject.rng
    inputs, labels = _examples(train, rng, network)
    signal = functional.one_hot(labels, train.classes).float()
    shares = tensor_of(rng.beta(BETA, BETA, len(labels)).astype(np.float32), inputs.device)
    partners = tensor_of(rng.permutation(len(labels)), inputs.device)
    mixed = _mix(inputs, inputs[partners], shares)
    (features,) = _layer_inputs(network, _called_layers(network, inputs)[-1:], mixed)
    targets = _mix(signal, signal[partners], shares)
    log.info("BrAIn: graphs of %d mixed inputs", len(labels))
    return {
        "brain": variation(neighbours(features, FEW), targets),
        "brain_80_neighbours": variation(neighbours(features, MANY), targets),
    }


@measure(needs={"classes"}, draws=2)
def label_variation(subject: Subject) -> float:
    """Compute how labels vary on the graphs of the last layers' features: the largest variation.

    This is :func:`brain` for inputs that are not mixed, on the undirected graph of nearest
    neighbours (k = 1, joined if either is the other's). Features are the inputs of the last layers
    with weights: a third of these layers and one more. This is the entry WCV of team BrAIn. Larger
    predicts a larger gap, as published.

    Equation:
        The largest over the last layers of trace(Y' (I - W) Y) / (4 n), with Y the one-hot labels
        of n inputs, and W the adjacency of the graph of nearest neighbours among the layer's
        inputs, entries divided by the square root of both nodes' numbers of neighbours.

    Source:
        Lassance et al. 2020, "Ranking deep learning generalization using label variation in latent
        geometry graphs".

    Returns:
        The largest variation, in [0, 1/4].

    Raises:
        GengapError: the training data are a single input.
    """
    network, train = subject.network, subject.train
    inputs, labels = _examples(train, subject.rng, network)
    signal = functional.one_hot(labels, train.classes).float()
    layers = _called_layers(network, inputs)
    last = len(layers) // LAST_PART + 1
    variations = []
    for features in _layer_inputs(network, layers[-last:], inputs):
        directed = neighbours(features, FEW)
        variations.append(variation(torch.maximum(directed, directed.T), signal))
    log.info("Label variation: %d layers, %d inputs", len(variations), len(labels))
    return max(variations)


def neighbours(features: Tensor, count: int) -> Tensor:
    """Join each point to its nearest neighbours in a directed graph.

    Args:
        features: (n, f), n at least 2; compared by direction, so scaling a row changes nothing.
        count: neighbours of each, at most n - 1, plus ties with the last.

    Returns:
        Adjacency (n, n) of 0 and 1 in float64: row i has 1 at the neighbours of i, which is not
        its own.
    """
    products = torch.zeros(
        len(features), len(features), dtype=torch.float64, device=features.device
    )
    for block in torch.split(features, BLOCK, dim=1):
        products += block.double() @ block.double().T
    norms = products.diagonal().sqrt()
    cosines = products / torch.outer(norms, norms).clamp_min(torch.finfo(norms.dtype).tiny)
    # A row of zeros stays one: its squared length is 0, those of the others are 1.
    squares = (norms > 0).double()
    distances = squares[:, None] + squares - 2 * cosines
    distances.fill_diagonal_(torch.inf)
    nearest = min(count, len(features) - 1)
    limits = distances.kthvalue(nearest, dim=1, keepdim=True).values
    return (distances <= limits + TOLERANCE).double()


def variation(adjacency: Tensor, signal: Tensor) -> float:
    """Compute trace(Sᵀ (I - D^-1/2 A D^-1/2) S) / (4 n), with D the row sums of A.

    On a directed graph the trace itself may be negative, where many point to the same few.

    Args:
        adjacency: A (n, n), with at least one neighbour in each row.
        signal: S (n, c).

    Returns:
        The variation; 0 where the trace is negative.
    """
    values = signal.double()
    scaled = values / adjacency.sum(1, keepdim=True).sqrt()
    total = values.square().sum() - (scaled * (adjacency @ scaled)).sum()
    return max(0.0, float(total)) / (4 * len(values))


def _examples(train: Split, rng: np.random.Generator, network: nn.Module) -> tuple[Tensor, Tensor]:
    return draw_balanced(train, max(1, EXAMPLES // train.classes), rng, network)


def _mix(first: Tensor, second: Tensor, shares: Tensor) -> Tensor:
    weights = shares.reshape(-1, *[1] * (first.ndim - 1))
    return weights * first + (1 - weights) * second


def _called_layers(network: nn.Module, inputs: Tensor) -> list[nn.Module]:
    """Return the linear layers and convolutions that a forward pass calls.

    Returns:
        At least one, in the order of their last calls.

    Raises:
        GengapError: there is none.
    """
    with torch.no_grad(), captured(layer for _, layer in weight_layers(network)) as passages:
        class_scores(network, inputs[:1])
    if not passages:
        raise GengapError(
            "The network calls no linear layer and no convolution, whose inputs would be its "
            "features: use layers of torch.nn, or do without this measure."
        )
    return list(passages)


def _layer_inputs(network: nn.Module, layers: Sequence[nn.Module], inputs: Tensor) -> list[Tensor]:
    """Return the inputs (n, features) of layers."""
    return [
        channels_last(values).flatten(1)
        for values in all_observed(network, layers, inputs, before=True)
    ]
