"""Simplicity bias: a simple boundary with a narrow margin, and a winding one with a wide margin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from gengap.curvature.alignment import alignments
from gengap.curvature.margin import ALIGNED, REACHED, boundary_search, estimate_margin
from gengap.datasets import Split
from gengap.limits import DENSE_LIMIT
from gengap.networks import Network
from gengap.studies.context import Context, load_dataset
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.studies.planes import plane_around
from gengap.studies.sabanayagam2023.quantities import AlignmentMaps, Compared, measure
from gengap.studies.sabanayagam2023.rescaling import matched
from gengap.studies.sabanayagam2023.starts import Fit, network_name, train_from
from gengap.studies.solving import Solution

Setup = Literal["normal", "noisy_start"]
COMPARED: tuple[Setup, ...] = get_args(Setup)


@dataclass(frozen=True)
class Settings:
    """The two checkerboards, and how the two solutions are compared.

    Attributes:
        dataset, noisy: points in the plane; the variant whose network is the noisy start.
        loss: cross-entropy to which the logits of both solutions are scaled, or the least that both
            reach.
        side: points along each side of the plane.
        starts: of the points that are moved to alignment 1: training inputs, drawn at random.
        steps: by which they are moved.
        dense_limit: most parameters for which the whole Hessian is formed and all eigenpairs are
            computed, in 24 bytes for each pair of parameters (10,703 parameters: 2.75 GB).
        vectors: top eigenvectors whose alignment is mapped.
    """

    dataset: Mapping[str, Any]
    noisy: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    loss: float = 0.02
    side: int = 60
    starts: int = 20
    steps: int = 300
    dense_limit: int = DENSE_LIMIT
    vectors: int = 3


@dataclass(frozen=True)
class Margins:
    """Distances to the boundary, by direct search and from points of alignment 1.

    Attributes:
        least, mean, distances: of the training inputs (n,), by direct search.
        extremes: the smaller distance of the two inputs of extreme alignment, by direct search.
        estimate: the margin estimated from points of alignment 1.
        best_alignment: the largest |A_1| that these points reach.
        aligned_to_boundary: median distance to the boundary of the points that come within
            :data:`gengap.curvature.margin.ALIGNED` of it.
        aligned_points, best_point: the moved points (starts, 2); that with the largest |A_1|.
        extreme_points: the inputs of largest and of smallest alignment, (2, 2).
        nearest_points: of the boundary to these inputs, (2, 2).
    """

    least: float
    mean: float
    extremes: float
    estimate: float
    best_alignment: float
    aligned_to_boundary: float
    distances: Floats
    aligned_points: Floats32
    best_point: Floats32
    extreme_points: Floats32
    nearest_points: Floats


@dataclass(frozen=True)
class SimplicitySolution(Compared):
    """One solution: the length of its boundary is in sides of the plane, eigenvalues descend."""

    boundary_length: float
    margins: Margins
    maps: AlignmentMaps
    eigenvalues: Floats


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The two solutions, by start.

    Attributes:
        noisy_accuracy: training accuracy on the noisy variant.
        matched_loss: the cross-entropy of both solutions.
        points, labels: the training split, (n, 2) and (n,).
    """

    noisy_accuracy: float
    matched_loss: float
    points: Floats32
    labels: Integers
    solutions: Mapping[str, SimplicitySolution]

    @property
    def aligned(self) -> bool:
        """Whether both solutions have a point whose |A_1| passes for 1."""
        return all(
            solution.margins.best_alignment >= REACHED for solution in self.solutions.values()
        )


SimplicityRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train from fresh weights, and from those of a network trained on the noisy variant."""
    data, noisy = (
        load_dataset(context, keywords) for keywords in (settings.dataset, settings.noisy)
    )
    first = train_from(
        context, noisy, settings.network, settings.training, "normal", name="noisy_variant"
    )
    starts = {"normal": None, "noisy_start": first.result.weights}
    trained: dict[str, Solution] = {
        setup: train_from(
            context, data, settings.network, settings.training, setup, first=starts[setup]
        )
        for setup in COMPARED
    }
    final = {setup: solution.network for setup, solution in trained.items()}
    networks, level = matched(final, data.train, settings.loss, context.files)
    solutions = {}
    for setup, network in networks.items():
        fit = Fit.of(trained[setup])
        name = network_name(setup, level)
        solutions[setup] = _measured(context, settings, data.train, name, fit, network)
    return Result(
        noisy_accuracy=first.final_accuracy,
        matched_loss=level,
        points=data.train.inputs,
        labels=data.train.labels,
        solutions=solutions,
    )


def _measured(
    context: Context, settings: Settings, data: Split, name: str, fit: Fit, network: Network
) -> SimplicitySolution:
    pairs, measures = measure(context, network, data, dense_limit=settings.dense_limit, name=name)
    plane = plane_around(data.inputs, settings.side)
    regions = plane.regions(network)
    mapped = alignments(network, plane.points, pairs.vectors[:, : settings.vectors])
    return SimplicitySolution(
        fit=fit,
        measures=measures,
        boundary_length=regions.length,
        margins=_margins(context, settings, data, network, pairs.vectors[:, 0]),
        maps=AlignmentMaps.of(regions, mapped),
        eigenvalues=pairs.values,
    )


def _margins(
    context: Context, settings: Settings, data: Split, network: Network, vector: Floats
) -> Margins:
    rng = context.generator("margin")
    direct = boundary_search(network, data.inputs, rng)
    rows = rng.permutation(len(data.inputs))[: settings.starts]
    margin = estimate_margin(network, vector, data.inputs, data.inputs[rows], steps=settings.steps)
    points = margin.aligned.points.astype(np.float32)
    of_points = boundary_search(network, points, rng, others=data.inputs)
    sizes = np.abs(margin.aligned.alignments)
    best, extremes = int(sizes.argmax()), list(margin.extremes)
    near_best = sizes >= sizes[best] - ALIGNED
    return Margins(
        least=float(direct.distances.min()),
        mean=float(direct.distances.mean()),
        extremes=float(direct.distances[extremes].min()),
        estimate=margin.margin,
        best_alignment=float(sizes[best]),
        aligned_to_boundary=float(np.median(of_points.distances[near_best])),
        distances=direct.distances,
        aligned_points=points,
        best_point=points[best],
        extreme_points=data.inputs[extremes],
        nearest_points=direct.points[extremes],
    )
