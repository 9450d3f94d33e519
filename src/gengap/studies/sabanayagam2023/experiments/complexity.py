"""Solutions whose boundaries differ in complexity: spectra, alignment of all samples, G_theta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from gengap.curvature.alignment import Statistic, alignments
from gengap.datasets import Split
from gengap.networks import Network
from gengap.studies.claims import rank_correlation
from gengap.studies.context import Context, load_dataset
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.studies.planes import plane_around
from gengap.studies.sabanayagam2023.quantities import AlignmentMaps, Compared, Measures, measure
from gengap.studies.sabanayagam2023.rescaling import matched, reparameterised
from gengap.studies.sabanayagam2023.starts import Fit, RandomLabels, parameter_norm, train_from
from gengap.studies.solving import Solution
from gengap.studies.spectra import LEADING

Setup = Literal["normal", "adversarial", "large_norm"]
COMPARED: tuple[Setup, ...] = get_args(Setup)

TOP = 25
"""Eigenvectors whose alignment with each sample is kept."""

MAPPED = 5


@dataclass(frozen=True)
class Settings:
    """One dataset, the recipes of all starts, and how the solutions are compared.

    Attributes:
        dataset, network: points in the plane; a ReLU network.
        random_training: of the network whose weights are the adversarial start and give the large
            norm.
        protocol: ``matched``: each solution is trained to ``loss``, and the logits of all are
            scaled to one cross-entropy; ``published``: each is trained for its ``epochs`` and taken
            as it is, as in the paper.
        epochs: of each setup, for ``published``.
        loss: cross-entropy at which solutions are compared, or the least that all of them reach.
        side: points along each side of the plane.
        factor: of the reparameterisation: the first layer times it, the second divided by it.
        threshold: of G_theta.
        leading: eigenpairs, where the Hessian is too large to be formed.
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    random_training: Mapping[str, Any]
    protocol: Literal["matched", "published"] = "matched"
    epochs: Mapping[str, int] | None = None
    loss: float = 0.02
    side: int = 60
    factor: float = 5.0
    threshold: Statistic | float = "mean"
    leading: int = LEADING


@dataclass(frozen=True)
class ComplexitySolution(Compared):
    """One solution, as it is and reparameterised.

    Attributes:
        epochs, norm: of training, and of the trained parameters.
        boundary_length: in sides of the plane.
        rescaled, rescaled_boundary_length: the same measures of the reparameterised network.
        ranking_of_samples, ranking_of_vectors: rank correlation of the samples' |A_1| before and
            after it, and of the eigenvectors' mean |A_i|.
        alignments: of the samples with the top eigenvectors, (n, k).
        eigenvalues: descending.
    """

    epochs: int
    norm: float
    boundary_length: float
    rescaled: Measures
    rescaled_boundary_length: float
    ranking_of_samples: float
    ranking_of_vectors: float
    maps: AlignmentMaps
    alignments: Floats32
    eigenvalues: Floats


@dataclass(frozen=True)
class Result(ExperimentResult):
    """All solutions of one dataset, by start.

    Attributes:
        random_labels, random_labels_norm: the network trained on random labels.
        matched_loss: the cross-entropy of all solutions, in the protocol ``matched``.
        points, labels: the training split, (n, 2) and (n,).
    """

    random_labels: RandomLabels
    random_labels_norm: float
    matched_loss: float | None
    points: Floats32
    labels: Integers
    solutions: Mapping[str, ComplexitySolution]


ComplexityRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train from each start and measure each solution, as it is and reparameterised."""
    data = load_dataset(context, settings.dataset)
    recipe = {**settings.training, **settings.random_training}
    random = train_from(context, data, settings.network, recipe, "random_labels")
    trained = {}
    for setup in COMPARED:
        recipe = _recipe(settings, setup)
        first = None if setup == "normal" else random.result.weights
        trained[setup] = train_from(context, data, settings.network, recipe, setup, first=first)
    networks: Mapping[str, Network] = {name: trained[name].network for name in COMPARED}
    level = None
    if settings.protocol == "matched":
        networks, level = matched(networks, data.train, settings.loss)
    return Result(
        random_labels=RandomLabels.of(random),
        random_labels_norm=parameter_norm(random.network),
        matched_loss=level,
        points=data.train.inputs,
        labels=data.train.labels,
        solutions={
            setup: _measured(context, settings, data.train, trained[setup], networks[setup])
            for setup in COMPARED
        },
    )


def _recipe(settings: Settings, setup: Setup) -> dict[str, Any]:
    if settings.protocol == "matched":
        return {**settings.training, "stop_at_loss": settings.loss}
    epochs = {"epochs": settings.epochs[setup]} if settings.epochs else {}
    return {**settings.training, **epochs}


def _measured(
    context: Context, settings: Settings, data: Split, solution: Solution, network: Network
) -> ComplexitySolution:
    """What is measured of a trained solution by its network, which may be scaled."""
    plane = plane_around(data.inputs, settings.side)
    sharper = reparameterised(network, settings.factor)
    (pairs, measures), (sharper_pairs, rescaled) = (
        measure(context, variant, data, leading=settings.leading, threshold=settings.threshold)
        for variant in (network, sharper)
    )
    regions = plane.regions(network)
    before = alignments(network, data.inputs, pairs.vectors[:, :TOP]).astype(np.float32)
    after = alignments(sharper, data.inputs, sharper_pairs.vectors[:, :TOP]).astype(np.float32)
    samples, vectors = _kept_rankings(before, after)
    maps = AlignmentMaps.of(regions, alignments(network, plane.points, pairs.vectors[:, :MAPPED]))
    return ComplexitySolution(
        fit=Fit.of(solution),
        measures=measures,
        epochs=solution.result.epochs,
        norm=parameter_norm(solution.network),
        boundary_length=regions.length,
        rescaled=rescaled,
        rescaled_boundary_length=plane.regions(sharper).length,
        ranking_of_samples=samples,
        ranking_of_vectors=vectors,
        maps=maps,
        alignments=before,
        eigenvalues=pairs.values,
    )


def _kept_rankings(before: Floats32, after: Floats32) -> tuple[float, float]:
    """Rank correlation of the samples' |A_1|, and of the eigenvectors' mean |A_i|."""
    return (
        rank_correlation(np.abs(before[:, 0]), np.abs(after[:, 0])),
        rank_correlation(np.abs(before).mean(axis=0), np.abs(after).mean(axis=0)),
    )
