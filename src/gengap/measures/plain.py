"""The networks of a subject without batch normalisation, for norms, distances and sharpness.

One function has one value of each such measure: a kernel and the batch normalisation after it count
as the one kernel that computes the same, see :func:`gengap.networks.folded`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.measures.subject import Subject
from gengap.networks import Network, evaluating, folded, input_batches
from gengap.networks.inference import stating_inputs


def plain_network(subject: Subject) -> nn.Module:
    """Return the trained network with batch normalisation folded; itself if it has none."""
    return folded(subject.network, first_input(subject.network, subject.train))


def plain_initial(subject: Subject) -> nn.Module:
    """Return the network at its initial weights, likewise; they are known."""
    assert subject.initial is not None
    return folded(subject.initial, first_input(subject.initial, subject.train))


def first_input(network: nn.Module, train: Split) -> Tensor:
    """Return the first training input as a batch (1, *input_shape) for a network.

    Raises:
        GengapError: the network does not take it.
    """
    _, example = next(input_batches(network, train.inputs[:1], 1))
    if not isinstance(network, Network):
        with torch.no_grad(), evaluating(network), stating_inputs(network, example):
            network(example)
    return example
