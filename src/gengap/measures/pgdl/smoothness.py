"""How the labels vary on graphs of nearest neighbours among a network's features."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import FEATURE_BYTES
from gengap.measures.pgdl.drawing import draw_balanced
from gengap.measures.pgdl.outputs import class_scores, observed_in_batches
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
    (products,) = _products(network, _called_layers(network, inputs)[-1:], mixed)
    targets = _mix(signal, signal[partners], shares)
    log.info("BrAIn: graphs of %d mixed inputs", len(labels))
    return {
        "brain": variation(neighbours(products, FEW), targets),
        "brain_80_neighbours": variation(neighbours(products, MANY), targets),
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
    for products in _products(network, layers[-last:], inputs):
        directed = neighbours(products, FEW)
        variations.append(variation(torch.maximum(directed, directed.T), signal))
    log.info("Label variation: %d layers, %d inputs", len(variations), len(labels))
    return max(variations)


def inner_products(batches: Sequence[Tensor]) -> Tensor:
    """Return the inner products (n, n), in float64, of features (n, f) that come in batches."""
    count, size = sum(map(len, batches)), batches[0].shape[1]
    products = torch.zeros(count, count, dtype=torch.float64, device=batches[0].device)
    for start in range(0, size, BLOCK):
        block = torch.cat([batch[:, start : start + BLOCK].double() for batch in batches])
        products += block @ block.T
    return products


def neighbours(products: Tensor, count: int) -> Tensor:
    """Join each point to its nearest neighbours in a directed graph.

    Args:
        products: inner products (n, n) of the points' features, n at least 2; points are compared
            by direction, so scaling one's features changes nothing.
        count: neighbours of each, at most n - 1, plus ties with the last.

    Returns:
        Adjacency (n, n) of 0 and 1 in float64: row i has 1 at the neighbours of i, which is not
        its own.
    """
    norms = products.diagonal().sqrt()
    cosines = products / torch.outer(norms, norms).clamp_min(torch.finfo(norms.dtype).tiny)
    # A row of zeros stays one: its squared length is 0, those of the others are 1.
    squares = (norms > 0).double()
    distances = squares[:, None] + squares - 2 * cosines
    distances.fill_diagonal_(torch.inf)
    nearest = min(count, len(products) - 1)
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


def _products(network: nn.Module, layers: Sequence[nn.Module], inputs: Tensor) -> list[Tensor]:
    """Return the inner products (n, n) of the inputs of layers.

    Each pass over the network keeps as many features as fit into
    :data:`gengap.limits.FEATURE_BYTES`; mostly these are all features of all layers.
    """

    def example(parts: list[Tensor]) -> list[Tensor]:
        return [_flat(part)[0] for part in parts]

    (first,) = observed_in_batches(network, layers, inputs[:1], example, before=True)
    most = FEATURE_BYTES // (len(inputs) * first[0].element_size()) // BLOCK * BLOCK
    passes = _passes([len(features) for features in first], max(BLOCK, most))
    totals = [
        torch.zeros(len(inputs), len(inputs), dtype=torch.float64, device=inputs.device)
        for _ in layers
    ]
    for columns in passes:
        kept = partial(_kept, columns=columns)
        batches = observed_in_batches(network, layers, inputs, kept, before=True)
        for layer in columns:
            totals[layer] += inner_products([batch.pop(layer) for batch in batches])
    return totals


def _kept(parts: list[Tensor], columns: Mapping[int, slice]) -> dict[int, Tensor]:
    """Copy features of a batch, so that the whole inputs of the layers are freed."""
    return {layer: _flat(parts[layer])[:, part].clone() for layer, part in columns.items()}


def _passes(sizes: Sequence[int], most: int) -> list[dict[int, slice]]:
    """Share features out to passes over a network.

    Args:
        sizes: number of features of each layer.
        most: features that are kept in a pass.

    Returns:
        For each pass the features of each layer that are kept.

    Example:
        >>> _passes([3, 5], 8)
        [{0: slice(0, 3, None), 1: slice(0, 5, None)}]
        >>> _passes([3, 5], 4)
        [{0: slice(0, 3, None)}, {1: slice(0, 4, None)}, {1: slice(4, 5, None)}]
    """
    passes: list[dict[int, slice]] = [{}]
    room = most
    for layer, size in enumerate(sizes):
        for start in range(0, size, most):
            part = slice(start, min(start + most, size))
            if part.stop - part.start > room:
                passes.append({})
                room = most
            passes[-1][layer] = part
            room -= part.stop - part.start
    return passes


def _flat(values: Tensor) -> Tensor:
    """Return a layer's inputs as features (b, f)."""
    return channels_last(values).flatten(1)
