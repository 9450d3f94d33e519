"""The family ``response``: how a network's answers change when its training inputs are perturbed.

Tokens can be neither mixed nor moved, so they have none of these measures.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.measures.pgdl.outputs import class_scores, observe
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut
from gengap.measures.subject import Subject
from gengap.networks import (
    batch_size_for,
    forward_hooks,
    input_batches,
    observed_layers,
    predicted_classes,
    tensor_of,
)
from gengap.networks.layout import IMAGE_RANK
from gengap.training.augmentation import SIDE_PER_PADDING, crop

log = logging.getLogger(__name__)

INPUTS = 500
"""Most training inputs that are perturbed."""
BATCH = 256

LARGEST_SHARE = 0.5
"""Largest weight of the other input in a mixture; the label stays that of the first."""
MAGNITUDES = np.linspace(0.0, 1.0, 11)
"""Magnitudes of a perturbation, from none to the largest."""
TOP, BOTTOM = 0.4, 0.1
"""Magnitudes from which the largest 60% reach, and up to which the smallest 10% reach."""

RELATIVE_NOISE = 0.1
"""Noise on inputs that are no images, in standard deviations of each feature."""

PARTNERS = ("intra_class", "inter_class")
PLACES = ("input", "hidden")
CURVES = tuple(f"{partner}_{place}" for partner in PARTNERS for place in PLACES)
SCORES = ("gi_score", "negative_pal_score")


@measure(
    *(f"{score}_{curve}" for score in SCORES for curve in CURVES),
    needs={"classes", "float_inputs"},
    draws=2,
)
def perturbation_response(subject: Subject) -> dict[str, float | LeftOut]:
    """Compute the Gi- and Pal-scores of the accuracy on mixtures of two training inputs.

    At most 500 training inputs are each mixed with a random other one, of the same class
    (``intra_class``) or of another (``inter_class``), at the input or at the output of the first
    hidden layer. The other one's weight goes from 0 to 1/2 in eleven steps, and its partner stays
    the same.

    Equation: With A(t) the accuracy at the magnitude t in [0, 1] (the label is that of the input of
    larger weight) and P(t) = int_0^t A its cumulative curve, ``gi_score`` = 1 - int_0^1 P / int_0^1
    t dt, the area between P and the curve of an ideal network, which is always right, as a share of
    the area below the latter. ``negative_pal_score`` = -int_{0.4}^1 P / int_0^{0.1} P: the areas
    below P of the largest 60% and of the smallest 10% of the magnitudes. Integrals are
    trapezoidal.

    Source: Schiff et al. 2021, "Predicting deep neural network generalization with perturbation
    response curves", after the Gini coefficient and the Palma ratio; the shares of the Palma ratio,
    and the number of magnitudes, are as stated here.

    Scale: linear.

    Returns:
        Each score for each curve: ``gi_score`` in [0, 1] and ``negative_pal_score`` at most 0.
        Those of a curve are left out where no input has a partner, or no hidden layer is there;
        ``negative_pal_score`` also where no prediction at a small magnitude is right.
    """
    network, rng = subject.network, subject.rng
    data = subject.train.sample(INPUTS, rng)
    hidden = [layer for _, layer in observed_layers(network)][:-1]
    values: dict[str, float | LeftOut] = {}
    for partner in PARTNERS:
        rows, partners = paired(data.labels, rng, same_class=partner == "intra_class")
        for place in PLACES:
            names = [f"{score}_{partner}_{place}" for score in SCORES]
            layer = hidden[0] if place == "hidden" and hidden else None
            if len(rows) == 0:
                lacking = LeftOut(
                    "No training input has a partner to be mixed with: give at least two inputs of "
                    "a class, and at least two classes."
                )
                values |= dict.fromkeys(names, lacking)
            elif place == "hidden" and layer is None:
                lacking = LeftOut(
                    "The network has no hidden layer, so inputs can be mixed at the input alone: "
                    "do without the scores at a hidden layer."
                )
                values |= dict.fromkeys(names, lacking)
            else:
                accuracies = response_curve(network, data, rows, partners, layer)
                log.info("%s at the %s: accuracies %s", partner, place, accuracies.round(3))
                values |= dict(zip(names, _scores(accuracies), strict=True))
    return values


def _scores(accuracies: NDArray[np.float64]) -> tuple[float, float | LeftOut]:
    ratio = palma_ratio(accuracies)
    if np.isfinite(ratio):
        return gini_share(accuracies), -ratio
    lacking = LeftOut(
        "The network is wrong on all weakly perturbed training inputs, so the Pal-score would be "
        "infinite: train the network further, or do without it."
    )
    return gini_share(accuracies), lacking


def paired(
    labels: NDArray[np.int64], rng: np.random.Generator, *, same_class: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw a partner for each input, of its class or of another.

    Args:
        labels: (n,).
        rng: draws the partners.
        same_class: whether partners have the same class; an input is never its own partner.

    Returns:
        The rows of the inputs that have a partner, and of their partners.
    """
    rows, partners = [], []
    for row, label in enumerate(labels):
        candidates = np.flatnonzero((labels == label) == same_class)
        candidates = candidates[candidates != row]
        if len(candidates):
            rows.append(row)
            partners.append(int(rng.choice(candidates)))
    return np.array(rows, dtype=np.intp), np.array(partners, dtype=np.intp)


@torch.inference_mode()
def response_curve(
    network: nn.Module,
    data: Split,
    rows: NDArray[np.intp],
    partners: NDArray[np.intp],
    layer: nn.Module | None,
) -> NDArray[np.float64]:
    """Compute the accuracy of a network on mixtures, by the magnitude of the perturbation.

    Args:
        network: a classifier in eval mode.
        data: inputs and labels.
        rows: (m,) rows of the inputs.
        partners: (m,) rows of what they are mixed with.
        layer: the module whose outputs are mixed; None for the inputs.

    Returns:
        The accuracies (11,) at :data:`MAGNITUDES`.
    """
    size = batch_size_for(network, data.inputs, BATCH)
    inputs, others = data.inputs[rows], data.inputs[partners]
    right = np.zeros(len(MAGNITUDES))
    batches = zip(
        input_batches(network, inputs, size), input_batches(network, others, size), strict=True
    )
    for (places, first), (_, second) in batches:
        labels = data.labels[rows][places]
        scores = _mixed_scores(network, first, second, layer)
        for index, magnitude in enumerate(MAGNITUDES):
            predicted = scores(LARGEST_SHARE * float(magnitude)).argmax(1).numpy(force=True)
            right[index] += int((predicted == labels).sum())
    return right / len(rows)


def _mixed_scores(
    network: nn.Module, first: Tensor, second: Tensor, layer: nn.Module | None
) -> Callable[[float], Tensor]:
    """Return the function that maps the share of the second inputs to class scores."""
    if layer is None:
        return lambda share: class_scores(network, torch.lerp(first, second, share))
    _, (own,) = observe(network, [layer], first)
    _, (other,) = observe(network, [layer], second)

    def scores(share: float) -> Tensor:
        mixed = torch.lerp(own, other, share)

        def mix(_module: nn.Module, _arguments: tuple[Any, ...], output: Any) -> Any:
            return mixed if isinstance(output, Tensor) else (mixed, *output[1:])

        with forward_hooks([layer], mix):
            return class_scores(network, first)

    return scores


def gini_share(accuracies: Sequence[float] | NDArray[np.float64]) -> float:
    """Compute the area between an ideal cumulative curve and that of a network, as a share.

    Args:
        accuracies: (m,) at magnitudes evenly spaced from 0 to 1.

    Returns:
        The share in [0, 1] of the area below the ideal curve: 0 for accuracies of 1, 1 for 0.
    """
    magnitudes = np.linspace(0.0, 1.0, len(accuracies))
    cumulative = _cumulative(accuracies, magnitudes)
    return float(1.0 - np.trapezoid(cumulative, magnitudes) / np.trapezoid(magnitudes, magnitudes))


def palma_ratio(accuracies: Sequence[float] | NDArray[np.float64]) -> float:
    """Compute the ratio of the areas below a cumulative curve at large and at small magnitudes.

    Args:
        accuracies: (11,) at magnitudes evenly spaced from 0 to 1.

    Returns:
        The ratio: 84 where all accuracies are equal, and infinity where the first ones are 0.
    """
    magnitudes = np.linspace(0.0, 1.0, len(accuracies))
    cumulative = _cumulative(accuracies, magnitudes)
    tolerance = magnitudes[1] / 2
    top, bottom = magnitudes > TOP - tolerance, magnitudes < BOTTOM + tolerance
    small = float(np.trapezoid(cumulative[bottom], magnitudes[bottom]))
    large = float(np.trapezoid(cumulative[top], magnitudes[top]))
    return large / small if small else float("inf")


def _cumulative(
    accuracies: Sequence[float] | NDArray[np.float64], magnitudes: NDArray[np.float64]
) -> NDArray[np.float64]:
    values = np.asarray(accuracies, dtype=float)
    areas = (values[1:] + values[:-1]) / 2 * np.diff(magnitudes)
    return np.concatenate([[0.0], np.cumsum(areas)])


@measure(needs={"classes", "float_inputs", "siblings"}, draws=4)
def disagreement_of_replicates(subject: Subject) -> float:
    """Compute how often replicates disagree on augmented training inputs.

    Replicates have the same hyper-parameters and another random seed. Images are moved by a random
    crop of the image padded with zeros; other inputs get Gaussian noise of a tenth of each
    feature's standard deviation. At most 500 inputs are augmented once.

    Equation: the mean over the replicates r of the share of inputs x with argmax f(a(x)) != argmax
    f_r(a(x)), with a the augmentation.

    Source: Jiang, Nagarajan et al. 2022, "Assessing generalization of SGD via disagreement", where
    the inputs are fresh ones without labels; augmented training inputs stand for them here.

    Scale: linear.

    Returns:
        The share, in [0, 1].
    """
    data = subject.train.sample(INPUTS, subject.rng)
    return disagreement(
        subject.network, subject.siblings, augmented(data.inputs, subject.train, subject.rng)
    )


def augmented(
    inputs: NDArray[np.float32], train: Split, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Crop images at random; add noise to other inputs.

    Args:
        inputs: (n, *input_shape) float32.
        train: the training data, whose features scale the noise.
        rng: draws crops or noise.

    Returns:
        (n, *input_shape) float32.
    """
    if inputs.ndim == IMAGE_RANK:
        padding = max(min(inputs.shape[1:3]) // SIDE_PER_PADDING, 1)
        cpu = torch.device("cpu")
        corners = rng.integers(0, 2 * padding, (len(inputs), 2), endpoint=True)
        return crop(tensor_of(inputs, cpu), tensor_of(corners, cpu), padding).numpy()
    deviations = np.float32(RELATIVE_NOISE) * train.inputs.std(axis=0)
    noisy: NDArray[np.float32] = inputs + deviations * rng.standard_normal(inputs.shape, np.float32)
    return noisy


def disagreement(
    network: nn.Module, siblings: Sequence[nn.Module], inputs: NDArray[np.float32]
) -> float:
    """Compute the share of inputs for which a network and a sibling predict different classes.

    Args:
        network: a classifier.
        siblings: others of the same classes, at least one.
        inputs: (n, *input_shape).

    Returns:
        The mean over the siblings.
    """
    own = predicted_classes(network, inputs)
    return float(np.mean([(predicted_classes(one, inputs) != own).mean() for one in siblings]))
