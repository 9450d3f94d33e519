"""Images: t-SNE of the inputs, coloured by alignment, from a normal and an adversarial start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gengap.curvature.alignment import alignments
from gengap.datasets import Dataset
from gengap.limits import DENSE_LIMIT
from gengap.networks import Network
from gengap.studies.context import Context, load_dataset
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.studies.sabanayagam2023.embedding import check_embeddable, embedded
from gengap.studies.sabanayagam2023.quantities import Compared, measure, random_alignments
from gengap.studies.sabanayagam2023.rescaling import matched
from gengap.studies.sabanayagam2023.starts import Fit, RandomLabels, network_name, train_from


@dataclass(frozen=True)
class Settings:
    """One dataset, the starts, and how the solutions are compared.

    Attributes:
        network: also ``template: small_cnn``; a softmax is added for the loss ``nll``.
        training, random_training: the random labels are learnt without its augmentation.
        loss: of training, and of the Hessian.
        setups, start: the starts; the safetensors file of the setup ``file``.
        matched_loss: cross-entropy at which to compare, by scaling the logits; None takes the
            networks as they are.
        leading: eigenpairs, where the Hessian is too large to be formed.
        dense_limit: most parameters for which the whole Hessian is formed and all eigenpairs are
            computed, in 24 bytes for each pair of parameters (10,703 parameters: 2.75 GB).
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    random_training: Mapping[str, Any] | None = None
    loss: str = "cross_entropy"
    setups: Sequence[Literal["normal", "adversarial", "large_norm", "file"]] = (
        "normal",
        "adversarial",
    )
    start: str | None = None
    matched_loss: float | None = None
    leading: int = 60
    dense_limit: int = DENSE_LIMIT


@dataclass(frozen=True)
class ImagesSolution(Compared):
    """One solution.

    Attributes:
        between_classes: fraction of the variance of the alignments with the first classes - 1
            eigenvectors that lies between classes.
        between_classes_random: the same of random vectors.
        alignments: of the training images with the leading eigenvectors, (n, k).
        eigenvalues: (k,), descending.
    """

    between_classes: float
    between_classes_random: float
    alignments: Floats32
    eigenvalues: Floats


@dataclass(frozen=True)
class Result(ExperimentResult):
    """All solutions of one dataset, by start.

    Attributes:
        random_labels: the network trained on random labels, where a setup starts from it.
        matched_loss: the cross-entropy of all solutions, where it was matched.
        labels, embedding: of the training images, (n,), and by t-SNE (n, 2).
    """

    random_labels: RandomLabels | None
    matched_loss: float | None
    labels: Integers
    solutions: Mapping[str, ImagesSolution]
    embedding: Floats32


ImagesRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train from each start, and align the training images with the top eigenvectors.

    Returns:
        The solutions by start, and the embedding.
    """
    data = load_dataset(context, settings.dataset)
    check_embeddable(data.train)
    recipe = {**settings.training, "loss": settings.loss}
    random, weights = None, None
    if set(settings.setups) & {"adversarial", "large_norm"}:
        shuffled = {**recipe, "augmentation": (), **(settings.random_training or {})}
        random = train_from(context, data, settings.network, shuffled, "random_labels")
        weights = random.result.weights
    fits: dict[str, Fit] = {}
    networks: dict[str, Network] = {}
    for setup in settings.setups:
        first = {"normal": None, "file": settings.start}.get(setup, weights)
        solution = train_from(context, data, settings.network, recipe, setup, first=first)
        fits[setup], networks[setup] = Fit.of(solution), solution.network
    level = None
    if settings.matched_loss is not None:
        networks, level = matched(networks, data.train, settings.matched_loss, context.files)
    return Result(
        random_labels=RandomLabels.of(random) if random else None,
        matched_loss=level,
        labels=data.train.labels,
        solutions={
            setup: _measured(
                context, settings, data, network_name(setup, level), fits[setup], network
            )
            for setup, network in networks.items()
        },
        embedding=embedded(context, data.train.inputs),
    )


def _measured(
    context: Context, settings: Settings, data: Dataset, name: str, fit: Fit, network: Network
) -> ImagesSolution:
    train, leading = data.train, settings.leading
    pairs, measures = measure(
        context,
        network,
        train,
        settings.loss,
        leading=leading,
        dense_limit=settings.dense_limit,
        name=name,
    )
    aligned = alignments(network, train.inputs, pairs.vectors[:, :leading])
    control = random_alignments(context, network, train.inputs)
    return ImagesSolution(
        fit=fit,
        measures=measures,
        between_classes=_between(aligned[:, : data.classes - 1], train.labels),
        between_classes_random=_between(control, train.labels),
        alignments=aligned.astype(np.float32),
        eigenvalues=pairs.values[:leading],
    )


def _between(aligned: Floats, labels: Integers) -> float:
    """Fraction of the variance between classes, mean over columns of (n, m)."""
    total = aligned.var(axis=0)
    means = np.stack([aligned[labels == label].mean(axis=0) for label in labels])
    return float(np.mean(means.var(axis=0) / np.maximum(total, np.finfo(float).tiny)))
