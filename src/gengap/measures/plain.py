"""The networks of a subject without batch normalisation, for norms, distances and sharpness.

One function has one value of each such measure: a kernel and the batch normalisation after it count
as the one kernel that computes the same, see :func:`gengap.networks.folded`.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.subject import Subject
from gengap.networks import Network, evaluating, folded, input_batches, kernel_norms
from gengap.networks.inference import stating_inputs
from gengap.networks.layout import keep_within_memory
from gengap.seeding import salted


def plain_network(subject: Subject) -> nn.Module:
    """Return the trained network with batch normalisation folded; itself if it has none."""
    return subject.once("plain network", lambda: _plain(subject.network, subject.train))


def movable_copy(network: nn.Module) -> nn.Module:
    """Return a copy whose weights a measure moves, laid out for quick gradients of convolutions."""
    copied = copy.deepcopy(network)
    # The stubs of torch lack this argument.
    copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    keep_within_memory(copied)
    return copied


def plain_initial(subject: Subject) -> nn.Module:
    """Return the network at its initial weights, likewise; they are known."""
    initial = subject.initial
    assert initial is not None
    return subject.once("plain initial network", lambda: _plain(initial, subject.train))


def plain_norms(subject: Subject) -> dict[str, float]:
    """Compute the operator norms of the kernels of the plain network, by the kernels' names.

    Returns:
        See :func:`gengap.networks.kernel_norms`; at least one.

    Raises:
        GengapError: the network calls no kernel.
    """

    def compute() -> dict[str, float]:
        network = plain_network(subject)
        norms = kernel_norms(network, first_input(network, subject.train), starts())
        if not norms:
            raise GengapError(
                "The network calls no layer that owns a kernel, so there is no operator norm: use "
                "layers of torch.nn, or do without this measure."
            )
        return norms

    return subject.once("operator norms", compute)


def starts() -> np.random.Generator:
    """Return the generator of the iterations' starting vectors, which the norms do not show."""
    return salted(0, "operator norms")


def _plain(network: nn.Module, train: Split) -> nn.Module:
    return folded(network, first_input(network, train))


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
