"""How often a network is right between two training inputs of the same class."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.pgdl.drawing import INPUTS, draw_balanced
from gengap.measures.pgdl.outputs import BATCH, all_observed, class_scores
from gengap.measures.registry import measure
from gengap.measures.subject import Subject
from gengap.networks import batch_size_for, device_of, forward_hooks, leaf_modules, observed_layers
from gengap.networks.layout import ChannelsFirst, ChannelsLast, Flatten
from gengap.networks.padding import AveragePooling

log = logging.getLogger(__name__)

GROUP = 10
"""Number of inputs of one class of which all pairs are mixed."""
PER_CLASS = 10 * GROUP

AFFINE = (
    nn.AdaptiveAvgPool2d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.Conv2d,
    nn.Dropout,
    nn.Flatten,
    nn.Identity,
    nn.Linear,
    nn.Sequential,
    nn.ZeroPad2d,
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


@measure(needs={"classes"})
def manifold_mixup_error(subject: Subject) -> float:
    """Compute the error where two inputs of one class are mixed after the first activation.

    As the label-wise mixup error of :func:`gengap.measures.pgdl.interpex`, but the mean of
    two inputs is taken of the outputs of the first module that is not affine (Natekar and Sharma
    2020; Verma et al. 2019, "Manifold mixup"). The published code mixes before the activation.
    Everything up to there is affine, so this equals label-wise mixup of the inputs, as it does here
    for a network without any activation. In [0, 1], larger predicts a larger gap; the published
    value is the accuracy. The measure takes images and vectors.

    Returns:
        The error, mean over classes.

    Raises:
        GengapError: no class has two training inputs.
    """
    network = subject.network
    inputs, labels = draw_mixed(subject.train, subject.rng, device_of(network))
    layer = _first_activation(network)
    (features,) = all_observed(network, [layer], inputs)

    def scores(left: Tensor, right: Tensor) -> Tensor:
        def mix(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return (output + features[right]) / 2

        with forward_hooks([layer], mix):
            return class_scores(network, inputs[left])

    return mixup_error(scores, labels, batch_size_for(network, inputs, BATCH))


def _first_activation(network: nn.Module) -> nn.Module:
    """Return the first module without parts that is not affine, or else the first layer."""
    return next(
        (module for module in leaf_modules(network) if not isinstance(module, AFFINE)),
        observed_layers(network)[0][1],
    )


def label_wise_mixup_error(network: nn.Module, train: Split, rng: np.random.Generator) -> float:
    """Compute the error on the means of two inputs of one class, see ``interpex``."""
    inputs, labels = draw_mixed(train, rng, device_of(network))
    return mixup_error(
        lambda left, right: class_scores(network, (inputs[left] + inputs[right]) / 2),
        labels,
        batch_size_for(network, inputs, BATCH),
    )


def draw_mixed(
    train: Split, rng: np.random.Generator, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Draw inputs to mix: at most 100 of each class, 2000 together, but at least two of each."""
    per_class = max(2, min(PER_CLASS, INPUTS // train.classes))
    return draw_balanced(train, per_class, rng, device)


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
