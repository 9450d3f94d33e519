"""How large a class of functions a network's architecture spans."""

from __future__ import annotations

import math

from gengap.errors import GengapError
from gengap.measures.registry import measure
from gengap.measures.subject import Subject
from gengap.networks import kernels


@measure(sees="kernels")
def vc_dimension(subject: Subject) -> float:
    """Compute an upper bound on the VC-dimension, from depth and kernel sizes alone.

    The published code has s = 32² for every dataset. Larger predicts a larger gap, as published.

    Equation:
        d + 2 d log(22 d s) n, with d kernels of n entries in all, without biases; s is the number
        of an image's pixels, a series' or a text's places, or a vector's features.

    Source:
        Jiang et al. 2020, "NeurIPS 2020 competition: predicting generalization in deep learning"
        (baseline of its code).

    Returns:
        The bound.

    Raises:
        GengapError: the network has no kernel.
    """
    sizes = [kernel.weight.numel() for kernel in kernels(subject.network)]
    if not sizes:
        raise GengapError(
            "The network has no layer that owns a kernel, so there is no bound: use layers of "
            "torch.nn, or do without this measure."
        )
    depth = len(sizes)
    shape = subject.train.inputs.shape[1:]
    # The last axis of an image or a series holds channels; that of a vector or a text, places.
    places = math.prod(shape[:-1] or shape)
    return depth + 2 * depth * math.log(22 * depth * places) * sum(sizes)
