"""Networks whose layers are scaled: to one cross-entropy, or without a change of their outputs."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from gengap.bisection import bisect
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import Network, device_of, leaf_modules, logits, tensor_of, weight_layers
from gengap.studies.sabanayagam2023.starts import network_name
from gengap.training import sample_losses

if TYPE_CHECKING:
    from gengap.studies.result_files import ResultFiles

SMALLEST, LARGEST = 1e-4, 1e4
"""Bounds of the factor of the logits that is sought."""

REACHABLE = 1.01
"""Networks are compared at this times the least cross-entropy that all reach, or above."""

BISECTIONS = 80


def matched(
    networks: Mapping[str, Network], data: Split, loss: float, files: ResultFiles | None = None
) -> tuple[dict[str, Network], float]:
    """Scale the last layers of networks so that all have one mean cross-entropy.

    A positive factor of all logits changes no prediction. So each decision boundary stays where it
    is, and the networks can be compared at one cross-entropy. A network that errs on training
    inputs may not come down to ``loss``; then it is the least that all of them reach.

    Args:
        networks: by their setup.
        data: the training data.
        loss: the cross-entropy.
        files: of the run, where the copies are written; None writes none.

    Returns:
        Copies of the networks, and their cross-entropy on the training data.
    """
    curves = {name: _Scaling(network, data) for name, network in networks.items()}
    reachable = max(curve.least for curve in curves.values())
    level = max(loss, REACHABLE * reachable)
    copies = {name: curve.at(level) for name, curve in curves.items()}
    if files is not None:
        for name, network in copies.items():
            files.write_network(network_name(name, level), network, data)
    return copies, level


class _Scaling:
    """Cross-entropy of a network as a function of the factor of its logits, which is convex."""

    def __init__(self, network: Network, data: Split) -> None:
        self._network = network
        with torch.no_grad():
            inputs = tensor_of(data.inputs, device_of(network))
            self._logits = logits(network, inputs).double()
        self._labels = tensor_of(data.labels, self._logits.device)
        self._best = self._lowest()
        self.least = self._loss(self._best)

    def at(self, level: float) -> Network:
        """Return a copy with that cross-entropy, by the smaller of the two factors that give it."""
        _, high = bisect(
            lambda middle: self._loss(middle) > level, math.log(SMALLEST), self._best, BISECTIONS
        )
        copied = copy.deepcopy(self._network)
        _, last = weight_layers(copied)[-1]
        with torch.no_grad():
            for parameter in last.parameters():
                parameter.mul_(math.exp(high))
        return copied

    def _loss(self, log_factor: float) -> float:
        scaled = self._logits * math.exp(log_factor)
        return float(sample_losses(scaled, self._labels, "cross_entropy").mean())

    def _lowest(self) -> float:
        """Golden-section search."""
        low, high = math.log(SMALLEST), math.log(LARGEST)
        ratio = (math.sqrt(5) - 1) / 2
        for _ in range(BISECTIONS):
            left, right = high - ratio * (high - low), low + ratio * (high - low)
            low, high = (low, right) if self._loss(left) <= self._loss(right) else (left, high)
        return high


def reparameterised(network: Network, factor: float) -> Network:
    """Multiply the first layer by a factor and divide the second by it: the outputs stay.

    This is the reparameterisation of Dinh et al. (2017), "Sharp minima can generalize for deep
    nets".

    Returns:
        A copy of the network.

    Raises:
        GengapError: fewer than two weight layers, or no ReLU right after the first.
    """
    copied = copy.deepcopy(network)
    layers = weight_layers(copied)
    modules = leaf_modules(copied)
    if len(layers) < 2 or not isinstance(modules[modules.index(layers[0][1]) + 1], nn.ReLU):
        raise GengapError(
            "Only a network with a ReLU right after its first layer can be reparameterised by "
            "scaling layers: use one of those."
        )
    with torch.no_grad():
        for parameter in layers[0][1].parameters():
            parameter.mul_(factor)
        layers[1][1].weight.div_(factor)
    return copied
