"""How large a class of functions a network's architecture spans."""

from __future__ import annotations

import math

from gengap.measures.registry import measure
from gengap.measures.subject import Subject
from gengap.networks import weight_layers


@measure()
def vc_dimension(subject: Subject) -> float:
    """Compute an upper bound on the VC-dimension, from depth and kernel sizes alone.

    The bound is d + 2 d log(22 d s) Σ |kernel| for d layers with weights, with the natural
    logarithm and |kernel| the number of entries of a layer's kernel (baseline of the PGDL
    competition, Jiang et al. 2020, "NeurIPS 2020 competition: predicting generalization in deep
    learning"). s is the number of an image's pixels, or of a vector's features; the published code
    has 32² for every dataset. Larger predicts a larger gap, as published.

    Returns:
        The bound.
    """
    kernels = [layer.weight.numel() for _, layer in weight_layers(subject.network)]
    depth = len(kernels)
    places = math.prod(subject.train.inputs.shape[1:3])
    return depth + 2 * depth * math.log(22 * depth * places) * sum(kernels)
