"""Solutions whose boundaries differ in complexity: spectra, alignment of all samples, G_theta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from gengap.curvature.alignment import Statistic, alignments
from gengap.datasets import Split
from gengap.limits import DENSE_LIMIT
from gengap.networks import Network
from gengap.studies.context import Context, load_dataset
from gengap.studies.estimates import rank_correlation
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.studies.planes import Plane, plane_around
from gengap.studies.sabanayagam2023.quantities import (
    AlignmentMaps,
    Compared,
    Gradient,
    Measures,
    coherence,
    gradient_classes,
    measure,
)
from gengap.studies.sabanayagam2023.rescaling import matched, reparameterised
from gengap.studies.sabanayagam2023.starts import (
    Fit,
    RandomLabels,
    network_name,
    parameter_norm,
    train_from,
)
from gengap.studies.solving import Solution
from gengap.studies.spectra import LEADING

Setup = Literal["normal", "adversarial", "large_norm"]
COMPARED: tuple[Setup, ...] = get_args(Setup)

TOP = 25
"""Eigenvectors whose alignment with each sample is kept."""


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
        dense_limit: most parameters for which the whole Hessian is formed and all eigenpairs are
            computed, in 24 bytes for each pair of parameters (10,703 parameters: 2.75 GB).
        vectors: top eigenvectors whose alignment is mapped.
        gradient: the class of whose loss the gradients of the samples and of the maps are, see
            :data:`gengap.studies.sabanayagam2023.quantities.Gradient`.
        permuted_within: groups of classes in which random labels are permuted; None permutes all.
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
    dense_limit: int = DENSE_LIMIT
    vectors: int = 5
    gradient: Gradient = "predicted"
    permuted_within: Sequence[Sequence[int]] | None = None


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
        rescaled_maps, rescaled_eigenvalues: of the reparameterised network.
        coherence: cosines of the samples' gradients, ordered by their labels, (n, n).
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
    rescaled_maps: AlignmentMaps
    rescaled_eigenvalues: Floats
    coherence: Floats32


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
    random = train_from(
        context,
        data,
        settings.network,
        recipe,
        "random_labels",
        within=settings.permuted_within,
    )
    trained = {}
    for setup in COMPARED:
        recipe = _recipe(settings, setup)
        first = None if setup == "normal" else random.result.weights
        trained[setup] = train_from(context, data, settings.network, recipe, setup, first=first)
    networks: Mapping[str, Network] = {name: trained[name].network for name in COMPARED}
    level = None
    if settings.protocol == "matched":
        networks, level = matched(networks, data.train, settings.loss, context.files)
    return Result(
        random_labels=RandomLabels.of(random),
        random_labels_norm=parameter_norm(random.network),
        matched_loss=level,
        points=data.train.inputs,
        labels=data.train.labels,
        solutions={
            setup: _measured(
                context,
                settings,
                data.train,
                network_name(setup, level),
                trained[setup],
                networks[setup],
            )
            for setup in COMPARED
        },
    )


def _recipe(settings: Settings, setup: Setup) -> dict[str, Any]:
    if settings.protocol == "matched":
        return {**settings.training, "stop_at_loss": settings.loss}
    epochs = {"epochs": settings.epochs[setup]} if settings.epochs else {}
    return {**settings.training, **epochs}


def _measured(
    context: Context,
    settings: Settings,
    data: Split,
    name: str,
    solution: Solution,
    network: Network,
) -> ComplexitySolution:
    """What is measured of a trained solution by its network, which may be scaled."""
    plane = plane_around(data.inputs, settings.side)
    sharper = reparameterised(network, settings.factor)
    # One after another: all eigenvectors of a network can take gigabytes.
    own = _seen(context, settings, data, network, plane, name)
    rescaled = _seen(context, settings, data, sharper, plane, f"{name}_rescaled")
    if context.files is not None:
        context.files.write_network(f"{name}_rescaled", sharper, data)
    samples, vectors = _kept_rankings(own.alignments, rescaled.alignments)
    return ComplexitySolution(
        fit=Fit.of(solution),
        measures=own.measures,
        epochs=solution.result.epochs,
        norm=parameter_norm(solution.network),
        boundary_length=own.boundary_length,
        rescaled=rescaled.measures,
        rescaled_boundary_length=rescaled.boundary_length,
        ranking_of_samples=samples,
        ranking_of_vectors=vectors,
        maps=own.maps,
        alignments=own.alignments,
        eigenvalues=own.eigenvalues,
        rescaled_maps=rescaled.maps,
        rescaled_eigenvalues=rescaled.eigenvalues[: settings.vectors],
        coherence=coherence(network, data),
    )


@dataclass(frozen=True)
class _Seen:
    """What the eigenvectors of one network show."""

    measures: Measures
    boundary_length: float
    maps: AlignmentMaps
    alignments: Floats32
    eigenvalues: Floats


def _seen(
    context: Context, settings: Settings, data: Split, network: Network, plane: Plane, name: str
) -> _Seen:
    pairs, measures = measure(
        context,
        network,
        data,
        leading=settings.leading,
        dense_limit=settings.dense_limit,
        threshold=settings.threshold,
        name=name,
    )
    regions = plane.regions(network)
    over_plane, over_samples = (
        alignments(
            network,
            points,
            pairs.vectors[:, :count],
            classes=gradient_classes(context, settings.gradient, points, data),
        )
        for points, count in ((plane.points, settings.vectors), (data.inputs, TOP))
    )
    maps = AlignmentMaps.of(regions, over_plane)
    samples = over_samples.astype(np.float32)
    return _Seen(measures, regions.length, maps, samples, pairs.values)


def _kept_rankings(before: Floats32, after: Floats32) -> tuple[float, float]:
    """Rank correlation of the samples' |A_1|, and of the eigenvectors' mean |A_i|."""
    return (
        rank_correlation(np.abs(before[:, 0]), np.abs(after[:, 0])),
        rank_correlation(np.abs(before).mean(axis=0), np.abs(after).mean(axis=0)),
    )
