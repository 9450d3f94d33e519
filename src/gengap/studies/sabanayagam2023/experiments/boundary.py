"""A solution in the plane: its decision boundary, and the alignment with the top eigenvectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gengap.curvature.alignment import alignments
from gengap.figures.style import DOUBLE_COLUMN, SMALL_SIZE, new_figure, styled
from gengap.studies import Context, Outcome, Run, load_data
from gengap.studies.sabanayagam2023.maps import (
    alignment_bar,
    draw_alignment,
    draw_regions,
    eigenvalue_label,
    plane_arrays,
)
from gengap.studies.sabanayagam2023.quantities import (
    LEADING,
    crossings,
    measured_g_theta,
    plane_of,
    random_alignments,
    spectrum_of,
)
from gengap.studies.sabanayagam2023.solutions import solve, training_curve

ROW_HEIGHT = 1.15


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    optimiser: Mapping[str, Any] | None = None,
    loss: str = "cross_entropy",
    setup: str = "normal",
    start: str | None = None,
    vectors: int = 3,
    side: int = 80,
    leading: int = LEADING,
    components: Sequence[int] = (0, 1),
) -> Outcome:
    """Train once and look at the boundary.

    Args:
        context: seed, data and device.
        dataset: keywords of ``gengap.datasets.load``: vectors of two or more components.
        network: see :func:`~gengap.studies.sabanayagam2023.solutions.network_of`; a softmax is
            added for the loss ``nll``.
        training: keywords of the recipe.
        optimiser: further keywords of the recipe, laid over the others.
        loss: of training, and of the Hessian.
        setup: ``normal``, ``random_labels``, or ``file`` with ``start``.
        start: a safetensors file to start from.
        vectors: top eigenvectors whose alignment is mapped.
        side: points along each side of the plane.
        leading: eigenpairs, where the Hessian is too large to be formed.
        components: of the inputs, which span the plane.

    Returns:
        Values: accuracies, loss, boundary length, outliers, trace, lambda_1, G_theta, and what the
        alignments do at the boundary, for eigenvectors and for random vectors. Arrays: maps.
    """
    data = load_data(context, dataset)
    spec = {**network, "softmax": True} if loss == "nll" else network
    recipe = {**training, **(optimiser or {}), "loss": loss}
    solution = solve(context, data, spec, recipe, setup, first=start)
    spectrum = spectrum_of(context, solution.network, solution.train, loss, leading)
    found = measured_g_theta(context, solution.network, solution.train, spectrum)
    plane = plane_of(
        solution.network, solution.train.inputs, side, (int(components[0]), int(components[1]))
    )
    aligned = alignments(solution.network, plane.points, spectrum.vectors[:, :vectors])
    control = random_alignments(context, solution.network, plane.points)
    at, random = crossings(plane, aligned, found.threshold), crossings(plane, control, 0.0)
    values = {
        "train_accuracy": solution.accuracy,
        "test_accuracy": solution.test_accuracy,
        "train_loss": float(training_curve(solution)[-1]),
        "boundary_length": plane.length,
        "outliers": float(spectrum.outliers),
        "trace": spectrum.trace,
        "lambda_1": float(spectrum.values[0]),
        "g_theta_count": float(found.count),
        "g_theta": found.fraction,
        "flips_at_boundary": at.flips,
        "flips_elsewhere": at.elsewhere,
        "jump": at.jump,
        "flips_random": random.flips,
        "jump_random": random.jump,
    }
    arrays = {
        **plane_arrays("", plane, aligned),
        "points": solution.train.inputs[:, list(components)],
        "labels": solution.train.labels,
        "eigenvalues": spectrum.values[:100],
        "curve": training_curve(solution),
    }
    return Outcome(values, arrays)


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``boundary``: a row per grid point (first seed), its regions and its alignment maps."""
    return {"boundary": boundary(runs)}


@styled
def boundary(runs: Sequence[Run]) -> Figure:
    """Regions of one solution per row, and alignments with its top eigenvectors."""
    first = [each for each in runs if each.seed == min(run.seed for run in runs)]
    maps = max(len(each.outcome.arrays["map"]) for each in first)
    figure = new_figure(DOUBLE_COLUMN * 0.8, ROW_HEIGHT * len(first) + 0.3)
    grid = figure.subplots(len(first), maps + 1, squeeze=False)
    for row, each in zip(grid, first, strict=True):
        arrays = each.outcome.arrays
        draw_regions(row[0], arrays)
        row[0].set_ylabel(_name(each, first), fontsize=SMALL_SIZE)
        for index, axes in enumerate(row[1:]):
            draw_alignment(axes, arrays, index)
            axes.set_xlabel(eigenvalue_label(index, arrays["eigenvalues"][index]))
    grid[0, 0].set_title("regions")
    for index, axes in enumerate(grid[0, 1:]):
        axes.set_title(f"$v_{index + 1}$")
    alignment_bar(figure, list(np.ravel(grid)))
    return figure


def _name(each: Run, others: Sequence[Run]) -> str:
    """What of a row's settings is not that of all rows."""
    words = []
    if any(other.settings["dataset"] != each.settings["dataset"] for other in others):
        dataset = dict(each.settings["dataset"])
        words += str(dataset["name"]).replace("gauss_mixture", "gauss").split("_")
        words += [f"{len(dataset['groups'])} classes"] if "groups" in dataset else []
    if any(other.settings.get("loss") != each.settings.get("loss") for other in others):
        words.append(str(each.settings.get("loss")).replace("_", "\n"))
    if each.settings.get("optimiser"):
        words.append(str(each.settings["optimiser"].get("optimiser", "")))
    return "\n".join(words)
