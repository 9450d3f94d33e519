"""A solution in the plane: its decision boundary, and the alignment with the top eigenvectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gengap.curvature.alignment import alignments
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import DENSE_LIMIT
from gengap.studies.context import Context, load_dataset
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.studies.planes import plane_around
from gengap.studies.sabanayagam2023.quantities import (
    AlignmentMaps,
    Compared,
    Crossings,
    Gradient,
    crossings,
    gradient_classes,
    measure,
    random_alignments,
)
from gengap.studies.sabanayagam2023.starts import Fit, train_from
from gengap.studies.spectra import LEADING

KEPT_EIGENVALUES = 100


@dataclass(frozen=True)
class Settings:
    """One solution, and how it is mapped.

    Attributes:
        dataset: vectors of two or more components.
        optimiser: further entries of the recipe, which replace those of ``training``.
        loss: of training, and of the Hessian; ``nll`` adds a softmax to the network.
        setup, start: see :func:`train_from`; the safetensors file of the setup ``file``.
        vectors: top eigenvectors whose alignment is mapped.
        side: points along each side of the plane.
        leading: eigenpairs, where the Hessian is too large to be formed.
        dense_limit: most parameters for which the whole Hessian is formed and all eigenpairs are
            computed, in 24 bytes for each pair of parameters (10,703 parameters: 2.75 GB).
        components: of the inputs, which span the plane.
        hessian_subset: classes whose training inputs alone the Hessian's loss is over; None takes
            all. G_theta is over all training inputs all the same.
        gradient: the class of whose loss the gradients are that are mapped, see
            :data:`gengap.studies.sabanayagam2023.quantities.Gradient`.
        permuted_within: groups of classes in which the setup ``random_labels`` permutes labels.
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    optimiser: Mapping[str, Any] | None = None
    loss: str = "cross_entropy"
    setup: Literal["normal", "random_labels", "file"] = "normal"
    start: str | None = None
    vectors: int = 3
    side: int = 80
    leading: int = LEADING
    dense_limit: int = DENSE_LIMIT
    components: Sequence[int] = (0, 1)
    hessian_subset: Sequence[int] | None = None
    gradient: Gradient = "predicted"
    permuted_within: Sequence[Sequence[int]] | None = None


@dataclass(frozen=True)
class Result(ExperimentResult):
    """One solution over the plane.

    Attributes:
        boundary_length: in sides of the plane.
        top, random: crossings of the alignments with top eigenvectors, and with random vectors.
        points, labels: the training inputs in the plane (n, 2), and their classes.
        eigenvalues: the largest, descending.
        curve: training loss after each epoch.
    """

    solution: Compared
    boundary_length: float
    top: Crossings
    random: Crossings
    maps: AlignmentMaps
    points: Floats32
    labels: Integers
    eigenvalues: Floats
    curve: Floats


BoundaryRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train once and look at the boundary."""
    data = load_dataset(context, settings.dataset)
    recipe = {**settings.training, **(settings.optimiser or {}), "loss": settings.loss}
    solution = train_from(
        context,
        data,
        settings.network,
        recipe,
        settings.setup,
        first=settings.start,
        within=settings.permuted_within,
    )
    network, train = solution.network, solution.train
    pairs, measures = measure(
        context,
        network,
        train,
        settings.loss,
        leading=settings.leading,
        dense_limit=settings.dense_limit,
        name=settings.setup,
        hessian_of=_subset(train, settings.hessian_subset),
    )
    first, second = settings.components
    plane = plane_around(train.inputs, settings.side, components=(first, second))
    regions = plane.regions(network)
    classes = gradient_classes(context, settings.gradient, plane.points, train)
    vectors = pairs.vectors[:, : settings.vectors]
    aligned = alignments(network, plane.points, vectors, classes=classes)
    control = random_alignments(context, network, plane.points)
    return Result(
        solution=Compared(Fit.of(solution), measures),
        boundary_length=regions.length,
        top=crossings(regions, aligned, measures.threshold),
        random=crossings(regions, control, 0.0),
        maps=AlignmentMaps.of(regions, aligned),
        points=train.inputs[:, [first, second]],
        labels=train.labels,
        eigenvalues=pairs.values[:KEPT_EIGENVALUES],
        curve=solution.loss_curve,
    )


def _subset(train: Split, classes: Sequence[int] | None) -> Split:
    """The training inputs of some classes, or all."""
    if classes is None:
        return train
    rows = np.flatnonzero(np.isin(train.labels, list(classes)))
    if not len(rows):
        raise GengapError(
            f"The setting 'hessian_subset' is {list(classes)}"
            f", of which there is no training input: give classes from 0 to {train.classes - 1}."
        )
    return train.take(rows)
