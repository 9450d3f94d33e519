"""Simplicity bias: a simple boundary with a narrow margin, and a winding one with a wide margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gengap.curvature.alignment import alignments
from gengap.curvature.margin import ALIGNED, REACHED, boundary_search, estimate_margin
from gengap.datasets import Split
from gengap.figures.style import (
    BLACK,
    DOUBLE_COLUMN,
    GREY,
    PALETTE,
    SMALL_SIZE,
    legend_below,
    new_figure,
    styled,
)
from gengap.networks import Network
from gengap.seeding import generator
from gengap.studies import Context, Outcome, Run, load_data
from gengap.studies.claims import interval
from gengap.studies.sabanayagam2023.maps import (
    SETUP_COLOURS,
    SETUP_LABELS,
    alignment_bar,
    draw_alignment,
    draw_regions,
    eigenvalue_label,
    plane_arrays,
)
from gengap.studies.sabanayagam2023.quantities import (
    measured_g_theta,
    plane_of,
    spectrum_of,
)
from gengap.studies.sabanayagam2023.solutions import matched, solve

COMPARED = ("normal", "noisy_init")
MAPPED = 3
OPEN: dict[str, Any] = {"markerfacecolor": "white", "markersize": 4, "linestyle": "none"}
PANELS = {
    "boundary_length": "boundary length",
    "g_theta_count": r"$G_\theta$ (count)",
    "margin_least": "least distance\nto the boundary",
    "margin_mean": "mean distance\nto the boundary",
    "margin_extremes": "distance of\n$x^{min}$, $x^{max}$",
    "margin_estimate": "margin from\n$|A_1|=1$",
}


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    noisy: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    loss: float = 0.02,
    side: int = 60,
    starts: int = 20,
    steps: int = 300,
) -> Outcome:
    """Train from fresh weights, and from those of a network trained on the noisy variant.

    Args:
        context: seed, data and device.
        dataset: keywords of ``gengap.datasets.load``: points in the plane.
        noisy: the same of the variant whose network is the noisy start.
        network: see :func:`~gengap.studies.sabanayagam2023.solutions.network_of`.
        training: keywords of the recipe.
        loss: cross-entropy at which solutions are compared, by scaling their logits, or the least
            that both reach.
        side: points along each side of the plane.
        starts: of the points that are moved to alignment 1: training inputs, drawn at random.
        steps: by which they are moved.

    Returns:
        Values ``<setup>_<quantity>``: G_theta, boundary length; of the training inputs the least
        and the mean distance to the boundary by direct search, and that of the two inputs of
        extreme alignment; the margin estimated from points of alignment 1, the best |A| that they
        reached, and the median distance to the boundary of those that come within
        ``gengap.curvature.margin.ALIGNED`` of it.
    """
    data, other = load_data(context, dataset), load_data(context, noisy)
    first = solve(context, other, network, training, "normal")
    values: dict[str, float] = {"noisy_accuracy": first.accuracy}
    arrays: dict[str, np.ndarray] = {"points": data.train.inputs, "labels": data.train.labels}
    compared: dict[str, Network] = {}
    for setup in COMPARED:
        weights = first.result.weights if setup == "noisy_init" else None
        solution = solve(context, data, network, training, setup, first=weights)
        values[f"{setup}_train_accuracy"] = solution.accuracy
        values[f"{setup}_test_accuracy"] = solution.test_accuracy
        values[f"{setup}_train_loss"] = float(solution.result.history[-1]["train_loss"])
        compared[setup] = solution.network
    compared, values["matched_loss"] = matched(compared, data.train, loss)
    for setup, final in compared.items():
        found, kept = _measured(context, final, data.train, side, starts, steps)
        values |= {f"{setup}_{key}": value for key, value in found.items()}
        arrays |= {f"{setup}_{key}": array for key, array in kept.items()}
    return Outcome(values, arrays)


def _measured(
    context: Context, network: Network, data: Split, side: int, starts: int, steps: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    spectrum = spectrum_of(context, network, data, "cross_entropy")
    g = measured_g_theta(context, network, data, spectrum)
    plane = plane_of(network, data.inputs, side)
    mapped = alignments(network, plane.points, spectrum.vectors[:, :MAPPED])
    rng = generator(context.seed, "margin")
    direct = boundary_search(network, data.inputs, rng)
    rows = rng.permutation(len(data.inputs))[:starts]
    margin = estimate_margin(
        network, spectrum.vectors[:, 0], data.inputs, data.inputs[rows], steps=steps
    )
    points = margin.aligned.points.astype(np.float32)
    reached = boundary_search(network, points, rng, others=data.inputs)
    closeness = np.abs(margin.aligned.alignments)
    best = int(closeness.argmax())
    values = {
        "g_theta_count": float(g.count),
        "g_theta": g.fraction,
        "trace": spectrum.trace,
        "lambda_1": float(spectrum.values[0]),
        "outliers": float(spectrum.outliers),
        "boundary_length": plane.length,
        "margin_least": float(direct.distances.min()),
        "margin_mean": float(direct.distances.mean()),
        "margin_extremes": float(direct.distances[list(margin.extremes)].min()),
        "margin_estimate": margin.margin,
        "best_alignment": float(closeness[best]),
        "aligned_to_boundary": float(
            np.median(reached.distances[closeness >= closeness[best] - ALIGNED])
        ),
    }
    arrays = {
        **plane_arrays("", plane, mapped),
        "eigenvalues": spectrum.values,
        "aligned": points,
        "best": points[best],
        "extremes": data.inputs[list(margin.extremes)],
        "distances": direct.distances,
        "nearest": direct.points[list(margin.extremes)],
    }
    return values, arrays


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """Maps and margins of the first run, quantities of all; at the least ``loss`` asked for."""
    least = min(each.settings.get("loss", 0.0) for each in runs)
    chosen = [each for each in runs if each.settings.get("loss", 0.0) == least]
    return {
        "simplicity_bias": simplicity_bias(chosen[0].outcome),
        "margin_estimation": margin_estimation(chosen[0].outcome),
        "margins": margins(chosen),
    }


@styled
def simplicity_bias(outcome: Outcome) -> Figure:
    """Regions and alignments with the top eigenvectors, a row per start."""
    figure = new_figure(DOUBLE_COLUMN * 0.8, 3.6)
    grid = figure.subplots(len(COMPARED), MAPPED + 1)
    for row, setup in zip(grid, COMPARED, strict=True):
        arrays = outcome.arrays
        draw_regions(row[0], arrays, f"{setup}_")
        count = outcome.values[f"{setup}_g_theta_count"]
        row[0].set_ylabel(f"{SETUP_LABELS[setup]}\n" + rf"$G_\theta$: {count:.0f}")
        for index, axes in enumerate(row[1:]):
            draw_alignment(axes, arrays, index, f"{setup}_")
            value = arrays[f"{setup}_eigenvalues"][index]
            axes.set_xlabel(eigenvalue_label(index, value))
    grid[0, 0].set_title("regions")
    for index, axes in enumerate(grid[0, 1:]):
        axes.set_title(f"$v_{index + 1}$")
    alignment_bar(figure, list(np.ravel(grid)))
    return figure


@styled
def margin_estimation(outcome: Outcome) -> Figure:
    """Points of alignment 1, the inputs of extreme alignment, and the nearest boundary to them."""
    figure = new_figure(DOUBLE_COLUMN * 0.8, 3.9)
    panels = figure.subplots(1, len(COMPARED))
    for axes, setup in zip(panels, COMPARED, strict=True):
        arrays, values = outcome.arrays, outcome.values
        draw_regions(axes, arrays, f"{setup}_")
        marks = _marks(axes, arrays, setup)
        axes.set_title(SETUP_LABELS[setup])
        axes.set_xlabel(
            f"margin from $x_b$: {values[f'{setup}_margin_estimate']:.2f}, direct: "
            f"{values[f'{setup}_margin_extremes']:.2f}\n"
            f"(best $|A_1|$: {values[f'{setup}_best_alignment']:.3f})",
            fontsize=SMALL_SIZE,
        )
    legend_below(figure, marks)
    return figure


def _marks(axes: Axes, arrays: Mapping[str, np.ndarray], setup: str) -> list[Any]:
    marks = []
    for data, marker, colour, label in (
        (arrays[f"{setup}_aligned"], "o", "white", "$x_b$ of each start"),
        (arrays[f"{setup}_best"][np.newaxis], "*", PALETTE[3], "best $x_b$"),
        (arrays[f"{setup}_extremes"][:1], "P", PALETTE[4], "$x^{max}$"),
        (arrays[f"{setup}_extremes"][1:], "X", PALETTE[4], "$x^{min}$"),
        (arrays[f"{setup}_nearest"], "d", BLACK, "boundary nearest to them"),
    ):
        marks += axes.plot(
            *data.T,
            marker,
            color=colour,
            markeredgecolor=BLACK,
            markeredgewidth=0.6,
            markersize=9 if marker == "*" else 5,
            linestyle="none",
            label=label,
        )
    return marks


@styled
def margins(runs: Sequence[Run]) -> Figure:
    """Quantities of the two starts, a dot per run and a line per pair of the same seed.

    Pairs without a point of alignment 1 for both are open and dashed in the panel of the estimate,
    and its mean and interval leave them out.
    """
    figure = new_figure(DOUBLE_COLUMN, 2.4)
    aligned = np.array([best_alignment(each) >= REACHED for each in runs])
    for axes, (name, label) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        table = np.array([[r.outcome.values[f"{s}_{name}"] for s in COMPARED] for r in runs])
        full = aligned if name == "margin_estimate" else np.ones_like(aligned)
        axes.plot([0, 1], table[full].T, color=GREY, linewidth=0.5)
        axes.plot([0, 1], table[~full].T, color=GREY, linewidth=0.5, linestyle="--")
        for place, setup in enumerate(COMPARED):
            axes.plot([place] * full.sum(), table[full, place], ".", color=SETUP_COLOURS[setup])
            axes.plot(
                [place] * (~full).sum(),
                table[~full, place],
                "o",
                color=SETUP_COLOURS[setup],
                **OPEN,
            )
            mean, low, high = interval(list(table[full, place]))
            if np.isfinite([low, high]).all():
                axes.errorbar(
                    place, mean, [[mean - low], [high - mean]], fmt="_", color=BLACK, capsize=2
                )
        axes.set_xticks([0, 1], ["normal", "noisy\nstart"])
        axes.set(title=label, xlim=(-0.5, 1.5))
    if not aligned.all():
        label = rf"no point of $|A_1| \geq {REACHED:g}$ for both"
        legend_below(figure, axes.plot([], [], "o", color=GREY, label=label, **OPEN))
    return figure


def best_alignment(run: Run) -> float:
    """The best |A_1|, the lesser one of the two solutions."""
    return min(run.outcome.values[f"{setup}_best_alignment"] for setup in COMPARED)
