"""How often a network is right between two training inputs of the same class."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.padding import _ConstantPadNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.pgdl.drawing import INPUTS, draw_balanced
from gengap.measures.pgdl.outputs import BATCH, class_scores, observed_in_batches
from gengap.measures.registry import measure
from gengap.measures.subject import Subject
from gengap.networks import AdoptedNetwork, batch_size_for, forward_hooks, leaf_modules
from gengap.networks.layout import ChannelsFirst, ChannelsLast, Flatten
from gengap.networks.padding import AveragePooling

log = logging.getLogger(__name__)

GROUP = 10
"""Number of inputs of one class of which all pairs are mixed."""
PER_CLASS = 10 * GROUP

AFFINE = (
    _AdaptiveAvgPoolNd,
    _AvgPoolNd,
    _BatchNorm,
    _ConstantPadNd,
    _ConvNd,
    _DropoutNd,
    nn.Flatten,
    nn.Identity,
    nn.Linear,
    nn.Sequential,
    nn.Unflatten,
    AveragePooling,
    ChannelsFirst,
    ChannelsLast,
    Flatten,
    # The final one, which logits leave out.
    nn.Softmax,
)
"""Modules that are affine maps of their input in eval mode."""

Scores = Callable[[Tensor, Tensor], Tensor]
"""Class scores (m, classes) of the mixtures of inputs ``left`` and ``right``, each (m,)."""


@measure(needs={"classes"}, draws=2)
def manifold_mixup_error(subject: Subject) -> float:
    """Compute the error where two inputs of one class are mixed after the first activation.

    As the label-wise mixup error of :func:`gengap.measures.pgdl.interpex`, but the mean of
    two inputs is taken of the outputs of the first module that is not affine. The published code
    mixes before the activation. Everything up to there is affine, so this equals label-wise mixup
    of the inputs, as it does here for a network without any activation. In [0, 1], larger predicts
    a larger gap; the published value is the accuracy. Tokens are mixed as embeddings.

    Equation:
        The share of the means (h(x) + h(x')) / 2 of two inputs of one class that the network takes
        for another class, mean over classes, with h the outputs of the first activation.

    Source:
        Natekar and Sharma 2020, "Representation based complexity measures for predicting
        generalization in deep learning"; Verma et al. 2019, "Manifold mixup: better representations
        by interpolating hidden states".

    Returns:
        The error, mean over classes.

    Raises:
        GengapError: no class has two training inputs, or no part of the network returns a tensor.
    """
    network = subject.network
    inputs, labels = draw_mixed(subject.train, subject.rng, network)
    layer = _first_activation(network, inputs[:1])

    def scores(left: Tensor, right: Tensor) -> Tensor:
        # Pairs are of a few inputs each, whose features are computed again for the next batch.
        members, places = torch.unique(right, return_inverse=True)
        features = torch.cat(
            observed_in_batches(network, [layer], inputs[members], lambda parts: parts[0])
        )

        def mix(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return features[places].add_(output).div_(2)

        with forward_hooks([layer], mix):
            return class_scores(network, inputs[left])

    return mixup_error(scores, labels, batch_size_for(network, inputs, BATCH))


def _first_activation(network: nn.Module, example: Tensor) -> nn.Module:
    """Return the first module without parts that is not affine, or else the first kernel's.

    Of an adopted network, whose modules may be registered in any order and share activations, it is
    the first observed layer with an activation, or else the first observed layer.

    Returns:
        A module that a forward pass calls, and that returns one tensor.

    Raises:
        GengapError: there is none.
    """
    if isinstance(network, AdoptedNetwork):
        activated = [name for name, path in network.observed.items() if path != name]
        return network.observed_module((activated or list(network.observed))[0])
    called: set[nn.Module] = set()

    def remember(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            called.add(module)

    with torch.inference_mode(), forward_hooks(leaf_modules(network), remember):
        class_scores(network, example)
    # What computes a weight gives no activations.
    modules: list[nn.Module] = [
        module
        for name, module in network.named_modules()
        if module in called and ".parametrizations." not in f".{name}."
    ]
    if not modules:
        raise GengapError(
            "No part of the network returns one tensor, so nothing inside it can be mixed: build "
            "it of modules, or do without this measure."
        )
    activations = (module for module in modules if not isinstance(module, AFFINE))
    owners = (module for module in modules if isinstance(module, nn.Linear | _ConvNd))
    return next(itertools.chain(activations, owners, modules))


def label_wise_mixup_error(network: nn.Module, train: Split, rng: np.random.Generator) -> float:
    """Compute the error on the means of two inputs of one class, see ``interpex``.

    Returns:
        The error, in [0, 1].

    Raises:
        GengapError: no class has two inputs, or the inputs are tokens.
    """
    if train.kind == "tokens":
        raise GengapError(
            "Tokens have no mean, so inputs cannot be mixed: do without mixup_error and interpex."
        )
    inputs, labels = draw_mixed(train, rng, network)
    return mixup_error(
        lambda left, right: class_scores(network, (inputs[left] + inputs[right]) / 2),
        labels,
        batch_size_for(network, inputs, BATCH),
    )


def draw_mixed(train: Split, rng: np.random.Generator, network: nn.Module) -> tuple[Tensor, Tensor]:
    """Draw inputs to mix: at most 100 of each class, 2000 together, but at least two of each."""
    per_class = max(2, min(PER_CLASS, INPUTS // train.classes))
    return draw_balanced(train, per_class, rng, network)


@torch.inference_mode()
def mixup_error(scores: Scores, labels: Tensor, batch_size: int) -> float:
    """Compute the fraction of mixtures that get another class, mean over the classes.

    Args:
        scores: returns the scores of mixtures, given the positions of their two inputs.
        labels: (n,), labels of the inputs; in each class, all pairs within groups of 10 are mixed.
        batch_size: most mixtures that are scored at once.

    Returns:
        The error, in [0, 1].

    Raises:
        GengapError: no class has two inputs.
    """
    errors = []
    for label in torch.unique(labels).tolist():
        members = (labels == label).nonzero()[:, 0].tolist()
        pairs = [
            pair
            for start in range(0, len(members), GROUP)
            for pair in itertools.combinations(members[start : start + GROUP], 2)
        ]
        if pairs:
            batches = torch.split(torch.tensor(pairs, device=labels.device), batch_size)
            wrong = [(scores(*batch.T).argmax(1) != label) for batch in batches]
            errors.append(float(torch.cat(wrong).double().mean()))
    if not errors:
        raise GengapError(
            "No class has two training inputs, so none can be mixed: give more training data."
        )
    log.info("Mixup within %d classes, %d inputs", len(errors), len(labels))
    return float(np.mean(errors))
