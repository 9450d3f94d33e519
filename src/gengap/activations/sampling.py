"""Sampling the activations of a network's neurons on inputs."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gengap.activations.drawing import draw_neurons, importance_probabilities
from gengap.activations.storage import Sample
from gengap.activations.streaming import LayerStream
from gengap.arguments import whole_number
from gengap.errors import GengapError
from gengap.names import SAMPLINGS
from gengap.networks import AdoptedNetwork

logger = logging.getLogger(__name__)

LEAST_NEURONS = 50
"""Fewest neurons of an adopted network that make a sample: the diagrams of fewer say little."""


def sample(
    network: nn.Module,
    inputs: NDArray[Any],
    *,
    neurons: int,
    draws: int,
    sampling: str = "importance",
    skip_layers: int = 0,
    rng: np.random.Generator,
    batch_size: int | None = None,
) -> Sample:
    """Compute the activations of several draws of neurons on all inputs.

    ``importance`` takes two forward passes (the first finds the most active neuron of each input),
    ``uniform`` takes one. Memory holds one batch and the sampled neurons, never all neurons.

    Args:
        network: made by ``gengap.networks.build`` or ``adopt``.
        inputs: (m, *input_shape) training inputs.
        neurons: number of neurons in a draw, without replacement; if the network has fewer, all
            of them (which is logged once).
        draws: number of draws B.
        sampling: ``importance`` (see :func:`importance_probabilities`; the first of equally active
            neurons counts) or ``uniform``.
        skip_layers: first observed layers to leave out.
        rng: draws the neurons.
        batch_size: inputs per forward pass; by default what memory allows. The sample depends on
            it only through floating-point rounding.

    Returns:
        The neurons of each draw, and the activations (neurons, inputs) of those in any draw.

    Raises:
        GengapError: an argument is out of range, a layer's activations are NaN, infinite or no
            numbers at all (the sentence names the layer), or an adopted network has fewer than 50
            neurons.
    """
    if sampling not in SAMPLINGS:
        raise GengapError(f"Unknown sampling {sampling!r}: choose {' or '.join(SAMPLINGS)}.")
    neurons = whole_number(neurons, "neurons", 1)
    draws = whole_number(draws, "draws", 1)
    batch_size = None if batch_size is None else whole_number(batch_size, "batch_size", 1)
    stream = LayerStream(network, inputs, skip_layers, batch_size)
    population = sum(size for _, size in stream.layers)
    if isinstance(network, AdoptedNetwork) and population < LEAST_NEURONS:
        sizes = ", ".join(f"{name} ({size})" for name, size in stream.layers)
        raise GengapError(
            f"The network has {population} neurons in its observed layers, {sizes}, and topology "
            f"needs {LEAST_NEURONS}: name more layers in observe."
        )
    if population < neurons:
        logger.warning("The network has %d neurons, not the %d asked for.", population, neurons)
    if sampling == "importance":
        probabilities = importance_probabilities(_most_active(stream, len(inputs)), population)
    else:
        probabilities = np.full(population, 1 / population)
    chosen = draw_neurons(probabilities, min(neurons, population), draws, rng)
    drawn, rows = np.unique(chosen, return_inverse=True)
    return Sample(
        activations=_activations(stream, drawn, len(inputs)),
        neurons=drawn,
        draws=rows.reshape(chosen.shape).astype(np.int64),
        population=population,
        requested=neurons,
        layers=stream.layers,
    )


def _first_neurons(stream: LayerStream) -> NDArray[np.int64]:
    """Return the number of each layer's first neuron, and of one after the last, (layers + 1,)."""
    return np.cumsum([0, *(size for _, size in stream.layers)])


def _most_active(stream: LayerStream, inputs: int) -> NDArray[np.int64]:
    """Return the neuron with the largest |a| for each input, (inputs,); the first of equal ones."""
    first = _first_neurons(stream)
    largest = np.full(inputs, -1, dtype=np.float32)
    winner = np.zeros(inputs, dtype=np.int64)

    def visit(layer: int, batch: slice, activations: NDArray[np.float32]) -> None:
        # Two searches cost less than one after writing |a| to memory.
        rows = np.arange(len(activations))
        high, low = activations.argmax(axis=1), activations.argmin(axis=1)
        above, below = activations[rows, high], -activations[rows, low]
        size = np.maximum(above, below)
        neuron = np.where(above == below, np.minimum(high, low), np.where(above > below, high, low))
        better = size > largest[batch]
        largest[batch][better] = size[better]
        winner[batch][better] = first[layer] + neuron[better]

    stream.visit(visit)
    return winner


def _activations(
    stream: LayerStream, neurons: NDArray[np.int64], inputs: int
) -> NDArray[np.float32]:
    """Return the activations of the given neurons (ascending), (neurons, inputs)."""
    first = _first_neurons(stream)
    rows = np.searchsorted(neurons, first)
    sampled = np.empty((len(neurons), inputs), dtype=np.float32)

    def visit(layer: int, batch: slice, activations: NDArray[np.float32]) -> None:
        of_layer = slice(rows[layer], rows[layer + 1])
        sampled[of_layer, batch] = activations[:, neurons[of_layer] - first[layer]].T

    stream.visit(visit)
    return sampled
