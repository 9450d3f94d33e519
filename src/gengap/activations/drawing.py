"""Random draws, without replacement, of the inputs and neurons to observe."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.arguments import whole_number

if TYPE_CHECKING:
    from gengap.datasets import Split

logger = logging.getLogger(__name__)


def choose_inputs(split: Split, count: int, rng: np.random.Generator) -> NDArray[Any]:
    """Draw inputs from a split without replacement, and return them in the split's order.

    Args:
        split: the training split.
        count: how many; where the split has fewer, all of them (which is logged).
        rng: draws the inputs, and nothing where all are taken. The same state gives every network
            of a task the same ones.

    Returns:
        (count, *input_shape), as in the split: float32, or int64 tokens.

    Raises:
        GengapError: ``count`` is below 1.
    """
    count = whole_number(count, "inputs", 1)
    available = len(split.inputs)
    if available < count:
        logger.info("The split has %d inputs, not the %d asked for.", available, count)
    if available <= count:
        return split.inputs
    return split.inputs[np.sort(rng.choice(available, count, replace=False))]


def importance_probabilities(
    most_active: NDArray[np.integer], population: int
) -> NDArray[np.float64]:
    """Return the probability that each neuron is drawn first, by how often it is the most active.

    A neuron that is the most active one (argmax of |a|) for c of m inputs has c / (m + 1); all
    others share the remaining 1 / (m + 1) equally (Ballester et al. 2023, arXiv:2203.12330). If
    every neuron is the most active one of some input, the probabilities are scaled to sum to 1.

    Args:
        most_active: (m,), the most active neuron for each input.
        population: number of neurons.

    Returns:
        (population,) positive, with sum 1.
    """
    shares = np.bincount(most_active, minlength=population).astype(np.float64)
    others = shares == 0
    shares[others] = 1 / max(1, int(others.sum()))
    shares /= shares.sum()
    return shares


def draw_neurons(
    probabilities: NDArray[np.float64], size: int, draws: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw neurons several times, each time without replacement.

    The ``size`` smallest of exponential variables with rates p are distributed as neurons drawn
    one after the other with probabilities proportional to p among those left (Efraimidis and
    Spirakis 2006), at the cost of one pass over the population.

    Args:
        probabilities: (population,) positive.
        size: neurons per draw, at most the population.
        draws: number of draws.
        rng: draws the neurons.

    Returns:
        (draws, size) neurons, ascending within a draw.
    """
    chosen = np.empty((draws, size), dtype=np.int64)
    for row in chosen:
        arrivals = rng.standard_exponential(len(probabilities)) / probabilities
        row[:] = np.sort(np.argpartition(arrivals, size - 1)[:size])
    return chosen
