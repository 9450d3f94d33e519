"""The inputs and the nodes of which the experiments compute functional graphs."""

from __future__ import annotations

import numpy as np
from torch import nn

from gengap.activations import choose_inputs, node_activations
from gengap.datasets import Split
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats32
from gengap.topology import correlation_dissimilarity
from gengap.topology.budget import Budget, check_matrix


def graph_inputs(context: Context, source: Split, count: int, name: str = "train") -> Floats32:
    """Draw the inputs on which graphs are computed: the same ones for every network of a run.

    Args:
        context: of the run.
        source: the split to draw from.
        count: number of inputs.
        name: of the split, for which each has draws of its own.

    Returns:
        (count, *input_shape), or fewer where the split has fewer.
    """
    return choose_inputs(source, count, context.generator("graph inputs", name))


def functional_graph(
    context: Context,
    network: nn.Module,
    inputs: Floats32,
    nodes: str = "channels",
    most: int | None = None,
    budget: Budget | None = None,
) -> Floats32:
    """Build the functional graph of a network.

    Where there are too many nodes, some are drawn uniformly: the same ones at every checkpoint of
    a run.

    Args:
        context: of the run, which draws the nodes.
        network: in eval mode.
        inputs: of the correlations.
        nodes: ``channels`` or ``neurons``.
        most: most nodes of the graph; None for all.
        budget: 300 CPU seconds and 4 GiB by default.

    Returns:
        (n, n) lengths 1 - abs(r), nodes in their order.

    Raises:
        OverBudgetError: the matrix of correlations costs more than the budget.
    """
    activations = node_activations(network, inputs, nodes).activations
    if most is not None and len(activations) > most:
        rng = context.generator("nodes")
        activations = activations[np.sort(rng.choice(len(activations), most, replace=False))]
    check_matrix(len(activations), len(inputs), budget)
    return correlation_dissimilarity(activations)
