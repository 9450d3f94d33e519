"""The inputs and the nodes of which the experiments compute functional graphs."""

from __future__ import annotations

import numpy as np

from gengap.activations import choose_inputs
from gengap.datasets import Dataset
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats32


def graph_inputs(context: Context, data: Dataset, count: int, split: str = "train") -> Floats32:
    """Draw the inputs on which graphs are computed: the same ones for every network of a run.

    Returns:
        (count, *input_shape), or fewer where the split has fewer.
    """
    source = data.test if split == "test" else data.train
    return choose_inputs(source, count, context.generator("graph inputs", split))


def sampled_nodes(context: Context, activations: Floats32, most: int | None) -> Floats32:
    """Draw nodes uniformly where there are too many: the same ones at every checkpoint of a run.

    Returns:
        At most so many rows of the activations (nodes, inputs), in their order.
    """
    if most is None or len(activations) <= most:
        return activations
    rng = context.generator("nodes")
    return activations[np.sort(rng.choice(len(activations), most, replace=False))]
