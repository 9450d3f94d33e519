"""A detector of adversarial images from the topology of the graph of each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gengap.activations import node_activations
from gengap.datasets import Split, read_data
from gengap.errors import GengapError
from gengap.networks import batched_outputs, device_of, tensor_of
from gengap.studies.context import Context, load_dataset
from gengap.studies.corneanu2020 import attacks
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.studies.solving import solve, untrained_network
from gengap.topology import (
    Budget,
    betti_curve,
    discriminative_nodes,
    per_sample_graph,
    persistence_diagrams,
    summarise_bars,
)
from gengap.topology.budget import check_diagrams, check_matrix
from gengap.topology.functional_graph import DISCRIMINATIVE_SHARE, kept_nodes

ATTACKS = ("fgsm", "pgd")
OWN = "own"
"""The attack whose images come from files."""

HARMLESS = ("clean", "noisy")
DETECTORS = ("topology", "confidence")
PGD_STEPS = 10
MAX_DIM = 1
GRID = np.linspace(0, 1, 101)

LEAST_ATTACKS = 5
"""A detector that has seen fewer successful attacks says nothing."""


@dataclass(frozen=True)
class Settings:
    """One network that is attacked.

    Attributes:
        epsilon: the largest change of a pixel, in the units of the inputs.
        images: number of images of each split that are attacked.
        nodes: of the graphs.
        share: fraction of the nodes that are kept: those that best tell clean training images from
            successful FGSM ones, by their linear discriminant coefficients.
        own_train, own_test: files of attacked images of each split with their true labels, as
            :func:`gengap.datasets.read_data` reads them, made by another attack; both or none.
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    epsilon: float = 0.1
    images: int = 150
    nodes: Literal["channels", "neurons"] = "neurons"
    share: float = DISCRIMINATIVE_SHARE
    own_train: str | None = None
    own_test: str | None = None
    seconds: float = 300.0
    memory_gib: float = 4.0


@dataclass(frozen=True)
class Detection:
    """How well scores tell attacked from harmless test images: ROC curve (101,), area under it."""

    auc: float
    roc: Floats


@dataclass(frozen=True)
class Attack:
    """One attack: the fraction of test images that it led astray, and how well they are detected.

    Of images from files it is the number of those images over that of the clean ones.

    Attributes:
        detectors: by the name of the detector and the kind of harmless images.
    """

    success: float
    detectors: Mapping[str, Mapping[str, Detection]]


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The attacks and how well they are detected.

    Attributes:
        nodes: the nodes that are kept, ascending.
        grid: filtration values of the curves, and false-alarm rates of the ROC curves, (101,).
        curves: mean Betti curves per node of each kind of test image, (2 dimensions, 101).
    """

    train_accuracy: float
    test_accuracy: float
    attacks: Mapping[str, Attack]
    nodes: Integers
    grid: Floats
    curves: Mapping[str, Floats]


AdversarialRun = Run[Settings, Result]


@dataclass(frozen=True)
class _Features:
    """Of each image's graph: summaries (n, 16) and Betti curves (n, 2, 101) of H0 and H1."""

    summaries: Floats
    curves: Floats


def run(context: Context, settings: Settings) -> Result:
    """Train a network, attack it, and tell attacked images from clean and from noisy ones.

    The detector is a logistic regression on the summaries of H0 and H1 of each image's graph. It is
    fitted on training images and judged on test images. Clean images are those that the network
    classifies rightly. Noisy ones are made from them, however the network classifies those. An
    attack counts where it succeeds. The network's confidence score (one minus the maximum softmax
    probability) is the baseline.

    Returns:
        How well each attack is detected.

    Raises:
        OverBudgetError: a graph may cost more than the budget; checked before training.
        GengapError: hardly any attack succeeds.
    """
    if (settings.own_train is None) != (settings.own_test is None):
        raise GengapError("One of 'own_train' and 'own_test' is missing: give both, or neither.")
    data = load_dataset(context, settings.dataset, seed=context.seed)
    untrained = untrained_network(context, data, settings.network, settings.training)
    nodes = node_activations(untrained, data.train.inputs[:1], settings.nodes).activations
    _check_cost(len(nodes), settings)
    solution = solve(context, data, settings.network, settings.training)
    network = solution.network
    limits = (float(data.train.inputs.min()), float(data.train.inputs.max()))
    # Clean training labels: what an attack leads away from is the truth.
    train = _images(context, settings, network, data.train, "train", limits)
    test = _images(context, settings, network, data.test, "test", limits)
    names: tuple[str, ...] = ATTACKS
    if settings.own_train is not None and settings.own_test is not None:
        names = (*ATTACKS, OWN)
        train[OWN] = _own_images(network, settings.own_train, settings.images)
        test[OWN] = _own_images(network, settings.own_test, settings.images)
    chosen = _discriminative_nodes(network, train, settings)
    train_features, test_features = (
        {kind: _features(network, inputs, settings.nodes, chosen) for kind, inputs in kinds.items()}
        for kinds in (train, test)
    )
    confidence = {kind: confidence_scores(network, inputs) for kind, inputs in test.items()}
    attacked = {}
    for attack in names:
        topology = _topology_scores(train_features, test_features, attack)
        detectors = {
            name: {
                kind: Detection(
                    auc(scores[attack], scores[kind]), roc(scores[attack], scores[kind])
                )
                for kind in HARMLESS
            }
            for name, scores in zip(DETECTORS, (topology, confidence), strict=True)
        }
        attacked[attack] = Attack(len(test[attack]) / len(test["clean"]), detectors)
    return Result(
        train_accuracy=solution.on_train()[1],
        test_accuracy=solution.on_test()[1],
        attacks=attacked,
        nodes=chosen,
        grid=GRID,
        curves={kind: features.curves.mean(axis=0) for kind, features in test_features.items()},
    )


def auc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """Return the area under the ROC curve, P(positive > negative) + P(equal) / 2, in [0, 1].

    By ranks, as in Mann and Whitney (1947).

    Returns:
        The area for scores (n,) of the images to find and (m,) of the others.
    """
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).mean() / (2 * len(negative)))


def roc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> Floats:
    """Return the fraction of positives found at false-alarm rates 0, 0.01, ..., 1: (101,)."""
    thresholds = np.quantile(negative, 1 - GRID)
    rates: Floats = (positive[None] >= thresholds[:, None]).mean(axis=1)
    return rates


def confidence_scores(network: nn.Module, inputs: Floats32) -> Floats:
    """Return one minus the maximum softmax probability of each input, (n,)."""
    outputs = batched_outputs(network, inputs)
    scores: Floats = 1 - outputs.double().softmax(1).max(1).values.numpy(force=True)
    return scores


def _images(
    context: Context,
    settings: Settings,
    network: nn.Module,
    split: Split,
    name: str,
    limits: tuple[float, float],
) -> dict[str, Floats32]:
    """Rightly classified images of a split: clean, noisy, and attacked where that succeeded."""
    epsilon, device = settings.epsilon, device_of(network)
    inputs, labels = tensor_of(split.inputs, device), tensor_of(split.labels, device)
    is_right = batched_outputs(network, inputs).argmax(1) == labels
    right = torch.nonzero(is_right)[: settings.images, 0]
    inputs, labels = inputs[right], labels[right]
    noise, start = (context.torch_generator(purpose, name) for purpose in ("noise", "pgd"))
    images = {
        "clean": inputs,
        "noisy": attacks.noise(inputs, epsilon, limits, noise),
        "fgsm": attacks.fgsm(network, inputs, labels, epsilon, limits),
        "pgd": attacks.pgd(network, inputs, labels, epsilon, limits, PGD_STEPS, start),
    }
    for attack in ATTACKS:
        succeeded = batched_outputs(network, images[attack]).argmax(1) != labels
        images[attack] = images[attack][succeeded]
        if len(images[attack]) < LEAST_ATTACKS:
            raise GengapError(
                f"Only {len(images[attack])} of {len(inputs)} attacks by {attack} on {name} images "
                f"succeed at epsilon {epsilon}: raise epsilon, or train the network longer."
            )
    return {kind: values.numpy(force=True) for kind, values in images.items()}


def _own_images(network: nn.Module, path: str, most: int) -> Floats32:
    """Images of a file that lead the network astray, at most so many."""
    split = read_data(path)
    labels = tensor_of(split.labels, device_of(network))
    astray = batched_outputs(network, tensor_of(split.inputs, device_of(network))).argmax(1)
    selected = (astray != labels).numpy(force=True)
    images: Floats32 = split.inputs[selected][:most]
    if len(images) < LEAST_ATTACKS:
        raise GengapError(
            f"Only {len(images)} of {len(selected)} images of {path} lead the network astray: give "
            f"at least {LEAST_ATTACKS} that do."
        )
    return images


def _check_cost(nodes: int, settings: Settings) -> None:
    """Refuse the discriminant of all nodes, or graphs of those kept, as complete as they can be."""
    budget = Budget(settings.seconds, settings.memory_gib)
    check_matrix(nodes, 2 * settings.images, budget)
    kept = kept_nodes(nodes, settings.share)
    check_matrix(kept, 1, budget)
    check_diagrams(1 - np.eye(kept, dtype=np.float32), MAX_DIM, budget=budget)


def _discriminative_nodes(
    network: nn.Module, images: Mapping[str, Floats32], settings: Settings
) -> Integers:
    """Nodes that tell rightly classified images from successfully attacked ones."""
    both = np.concatenate([images["clean"], images["fgsm"]])
    right = np.arange(len(both)) < len(images["clean"])
    values = node_activations(network, both, settings.nodes).activations
    return discriminative_nodes(values, right, settings.share)


def _features(network: nn.Module, inputs: Floats32, nodes: str, chosen: Integers) -> _Features:
    values = node_activations(network, inputs, nodes).activations[chosen]
    diagrams = [persistence_diagrams(per_sample_graph(image), MAX_DIM) for image in values.T]
    summaries = [
        [value for bars in dims for value in summarise_bars(bars, len(chosen)).values()]
        for dims in diagrams
    ]
    curves = [[betti_curve(bars, GRID, len(chosen)) for bars in dims] for dims in diagrams]
    return _Features(np.array(summaries), np.array(curves))


def _topology_scores(
    train: Mapping[str, _Features], test: Mapping[str, _Features], attack: str
) -> dict[str, Floats]:
    """Scores of test images by a detector fitted on training images; larger for attacked ones."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kinds = (*HARMLESS, attack)
    summaries = [train[kind].summaries for kind in kinds]
    attacked = np.repeat([False, False, True], [len(rows) for rows in summaries])
    detector = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    detector.fit(np.concatenate(summaries), attacked)
    return {kind: detector.decision_function(test[kind].summaries) for kind in kinds}
