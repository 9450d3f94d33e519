"""Persistence of a layer's weights: the bipartite graph of its inputs and outputs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError


def neural_persistence(weights: NDArray[np.floating], largest: float) -> float:
    """Compute the normalised neural persistence of a layer.

    The nodes are the layer's inputs and outputs, and the edges its weights in absolute value over
    the network's largest one. All nodes are born at 1, and edges enter from the strongest to the
    weakest. A component dies at the weight w of the edge that joins it to another one: these are
    the edges of a maximum spanning tree. The 2-norm of the persistences 1 - w is divided by its
    largest value sqrt(n - 1) for n nodes. Rieck et al. 2019, "Neural persistence: a complexity
    measure for deep neural networks using algebraic topology".

    Args:
        weights: (outputs, inputs), at least one of each.
        largest: the largest absolute weight of the network, above 0.

    Returns:
        The neural persistence, in [0, 1].

    Raises:
        GengapError: the weights are no matrix, or exceed ``largest``.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    if weights.ndim != 2 or weights.size == 0:
        raise GengapError(
            f"The weights of a layer have shape {weights.shape}: give (outputs, inputs)."
        )
    strengths = np.abs(np.asarray(weights, dtype=np.float64))
    if not 0 < largest < math.inf or not strengths.max() <= largest:
        raise GengapError(
            f"The largest absolute weight is given as {largest:g}, but a layer has one of "
            f"{strengths.max():g}: give the largest of the network, above 0."
        )
    outputs, inputs = weights.shape
    # Lengths in [1, 2], since a sparse graph has no edge where it stores 0.
    lengths = 2 - strengths.ravel() / largest
    rows = np.repeat(np.arange(outputs), inputs)
    columns = outputs + np.tile(np.arange(inputs), outputs)
    nodes = outputs + inputs
    tree = minimum_spanning_tree(csr_array((lengths, (rows, columns)), (nodes, nodes)))
    persistences = tree.data - 1
    return float(np.sqrt((persistences**2).sum() / (nodes - 1)))
