"""Solutions whose boundaries differ in complexity: spectra, alignment of all samples, G_theta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from gengap.curvature.alignment import Statistic, alignments
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.figures.style import (
    BLACK,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    PALETTE,
    SMALL_SIZE,
    legend_below,
    new_figure,
    styled,
)
from gengap.networks import Network
from gengap.studies import Context, Outcome, Run, load_data
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
    LEADING,
    measured_g_theta,
    plane_of,
    spectrum_of,
)
from gengap.studies.sabanayagam2023.solutions import (
    Solution,
    matched,
    memorised,
    norm,
    rescaled,
    solve,
)

COMPARED = ("normal", "adversarial", "large_norm")
TOP = 25
MAPPED = 5
QUANTITIES = ("g_theta_count", "trace", "lambda_1", "outliers")
LABELS = {
    "g_theta_count": r"$G_\theta$ (count)",
    "trace": r"tr $H$",
    "lambda_1": r"$\lambda_1$",
    "outliers": "outliers",
    "boundary_length": "boundary length",
    "test_accuracy": "test accuracy",
}


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    random_training: Mapping[str, Any],
    protocol: str = "matched",
    epochs: Mapping[str, int] | None = None,
    loss: float = 0.02,
    side: int = 60,
    factor: float = 5.0,
    threshold: Statistic | float = "mean",
    leading: int = LEADING,
) -> Outcome:
    """Train from each start and measure each solution, as it is and reparameterised.

    Args:
        context: seed, data and device.
        dataset: keywords of ``gengap.datasets.load``: points in the plane.
        network: a ReLU network.
        training: keywords of the recipe of all but the random labels.
        random_training: keywords laid over them for the random labels, whose weights are the
            adversarial start and give the large norm.
        protocol: ``matched``: each solution is trained to ``loss`` and the logits of all are
            scaled to one cross-entropy; ``published``: each is trained for its ``epochs`` and taken
            as it is, as the paper does.
        epochs: of each setup, for ``published``.
        loss: cross-entropy at which solutions are compared, or the least that all of them reach.
        side: points along each side of the plane.
        factor: of the reparameterisation: the first layer times it, the second divided by it.
        threshold: of G_theta.
        leading: eigenpairs, where the Hessian is too large to be formed.

    Returns:
        Values ``<setup>_<quantity>`` and ``<setup>_rescaled_<quantity>``; arrays of each setup's
        spectrum, alignments of the samples and maps.
    """
    if protocol not in ("matched", "published"):
        raise GengapError(f"The protocol is {protocol!r}: choose matched or published.")
    data = load_data(context, dataset)
    random = solve(context, data, network, {**training, **random_training}, "random_labels")
    values = {
        **memorised(random),
        "random_labels_norm": norm(random.network, random.result.weights),
    }
    arrays: dict[str, np.ndarray] = {"points": data.train.inputs, "labels": data.train.labels}
    compared: dict[str, Network] = {}
    for setup in COMPARED:
        recipe = dict(training)
        recipe |= {"stop_at_loss": loss} if protocol == "matched" else {}
        recipe |= {"epochs": epochs[setup]} if protocol == "published" and epochs else {}
        first = None if setup == "normal" else random.result.weights
        solution = solve(context, data, network, recipe, setup, first=first)
        values |= {f"{setup}_{key}": value for key, value in _of_training(solution).items()}
        compared[setup] = solution.network
    if protocol == "matched":
        compared, values["matched_loss"] = matched(compared, data.train, loss)
    for setup, final in compared.items():
        found, kept = _measured(context, final, data.train, side, threshold, leading)
        sharper = rescaled(final, factor)
        other, changed = _measured(context, sharper, data.train, side, threshold, leading)
        values |= {f"{setup}_{key}": value for key, value in found.items()}
        values |= {f"{setup}_rescaled_{key}": value for key, value in other.items()}
        values |= _kept_ranking(setup, kept["alignments"], changed["alignments"])
        arrays |= {f"{setup}_{key}": array for key, array in kept.items()}
    return Outcome(values, arrays)


def _of_training(solution: Solution) -> dict[str, float]:
    return {
        "train_accuracy": solution.accuracy,
        "test_accuracy": solution.test_accuracy,
        "train_loss": float(solution.result.history[-1]["train_loss"]),
        "epochs": float(solution.result.epochs),
        "norm": norm(solution.network, solution.result.weights),
    }


def _measured(
    context: Context,
    network: Network,
    data: Split,
    side: int,
    threshold: Statistic | float,
    leading: int,
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    spectrum = spectrum_of(context, network, data, "cross_entropy", leading)
    found = measured_g_theta(context, network, data, spectrum, threshold)
    plane = plane_of(network, data.inputs, side)
    aligned = alignments(network, data.inputs, spectrum.vectors[:, :TOP])
    values = {
        "g_theta_count": float(found.count),
        "g_theta": found.fraction,
        "threshold": found.threshold,
        "trace": spectrum.trace,
        "lambda_1": float(spectrum.values[0]),
        "outliers": float(spectrum.outliers),
        "outliers_above_bulk": float(spectrum.above_bulk),
        "negative_mass": float(-spectrum.values[spectrum.values < 0].sum()),
        "boundary_length": plane.length,
    }
    mapped = alignments(network, plane.points, spectrum.vectors[:, :MAPPED])
    arrays = {
        **plane_arrays("", plane, mapped),
        "alignments": aligned.astype(np.float32),
        "eigenvalues": spectrum.values,
        "largest": found.largest.astype(np.float32),
    }
    return values, arrays


def _kept_ranking(setup: str, before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """Rank correlation of the samples' |A_1|, and of the eigenvectors' mean |A_i|."""
    samples = spearmanr(np.abs(before[:, 0]), np.abs(after[:, 0])).statistic
    vectors = spearmanr(np.abs(before).mean(axis=0), np.abs(after).mean(axis=0)).statistic
    return {
        f"{setup}_ranking_of_samples": float(samples),
        f"{setup}_ranking_of_vectors": float(vectors),
    }


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """Maps, spectra and samples of the first run, outliers of its protocol; quantities of all."""
    first = runs[0].outcome
    protocol = runs[0].settings.get("protocol")
    same_protocol = [each for each in runs if each.settings.get("protocol") == protocol]
    return {
        "complex_boundaries": complex_boundaries(first),
        "spectra": spectra(first),
        "alignment_of_samples": alignment_of_samples(first),
        "quantities": quantities(runs),
        "outliers": outliers(same_protocol),
    }


@styled
def complex_boundaries(outcome: Outcome) -> Figure:
    """Regions and alignments with the top eigenvectors, a row per start."""
    figure = new_figure(DOUBLE_COLUMN, 3.9)
    grid = figure.subplots(len(COMPARED), MAPPED + 1)
    for row, setup in zip(grid, COMPARED, strict=True):
        arrays = outcome.arrays
        draw_regions(row[0], arrays, f"{setup}_")
        row[0].set_ylabel(SETUP_LABELS[setup])
        for index, axes in enumerate(row[1:]):
            draw_alignment(axes, arrays, index, f"{setup}_")
            value = arrays[f"{setup}_eigenvalues"][index]
            axes.set_xlabel(eigenvalue_label(index, value), fontsize=SMALL_SIZE)
    grid[0, 0].set_title("regions")
    for index, axes in enumerate(grid[0, 1:]):
        axes.set_title(f"$v_{index + 1}$")
    alignment_bar(figure, list(np.ravel(grid)))
    return figure


@styled
def spectra(outcome: Outcome) -> Figure:
    """Histograms of all eigenvalues, a panel per start; outliers marked."""
    figure = new_figure(DOUBLE_COLUMN, 2.1)
    panels = figure.subplots(1, len(COMPARED), sharey=True)
    for axes, setup in zip(panels, COMPARED, strict=True):
        values = outcome.arrays[f"{setup}_eigenvalues"]
        axes.hist(values, bins=120, color=SETUP_COLOURS[setup])
        count = int(outcome.values[f"{setup}_outliers"])
        axes.plot(values[:count], np.full(count, 1.6), "x", color=BLACK, markersize=4)
        axes.set_yscale("log")
        axes.set(title=f"{SETUP_LABELS[setup]} (outliers: {count})", xlabel=r"eigenvalue $\lambda$")
    panels[0].set_ylabel("eigenvalues")
    return figure


@styled
def alignment_of_samples(outcome: Outcome) -> Figure:
    """Each sample's alignment with the top eigenvectors, a panel per start, means by class."""
    figure = new_figure(DOUBLE_COLUMN, 2.7)
    panels = figure.subplots(1, len(COMPARED), sharey=True)
    labels = outcome.arrays["labels"]
    for axes, setup in zip(panels, COMPARED, strict=True):
        aligned = outcome.arrays[f"{setup}_alignments"]
        order = np.arange(1, aligned.shape[1] + 1)
        for label in np.unique(labels):
            own = aligned[labels == label]
            axes.plot(order, own.T, color=PALETTE[label], alpha=0.12, linewidth=0.5)
            axes.plot(order, own.mean(axis=0), color=PALETTE[label], label=f"class {label + 1}")
        axes.set(title=SETUP_LABELS[setup], ylim=(-1, 1), xlim=(1, len(order)))
        axes.set_xlabel("eigenvector, by eigenvalue")
        axes.text(0.97, 0.03, _panel_text(outcome, setup), transform=axes.transAxes, ha="right")
    panels[0].set_ylabel("alignment $A_i(x)$")
    panels[-1].legend(loc="upper right", ncols=1)
    return figure


def _panel_text(outcome: Outcome, setup: str) -> str:
    values = outcome.values
    return (
        rf"$G_\theta={values[f'{setup}_g_theta']:.3f}$ ({values[f'{setup}_g_theta_count']:.0f})"
        + "\n"
        + rf"tr $H={values[f'{setup}_trace']:.3g}$, $\lambda_1={values[f'{setup}_lambda_1']:.3g}$"
    )


@styled
def quantities(runs: Sequence[Run]) -> Figure:
    """Quantities of the starts: a dot and a line per run, their medians as dashes."""
    names = ("test_accuracy", "boundary_length", *QUANTITIES)
    figure = new_figure(DOUBLE_COLUMN, 2.0 * len(_protocols(runs)) + 0.2)
    grid = figure.subplots(len(_protocols(runs)), len(names), squeeze=False)
    for row, protocol in zip(grid, _protocols(runs), strict=True):
        chosen = [each for each in runs if each.settings.get("protocol", "matched") == protocol]
        for axes, name in zip(row, names, strict=True):
            _dots(axes, chosen, name)
            axes.set_title(LABELS[name])
        row[0].set_ylabel(f"{protocol}\nprotocol")
    return figure


def _protocols(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(str(each.settings.get("protocol", "matched")) for each in runs))


def _dots(axes: Axes, runs: Sequence[Run], name: str) -> None:
    places = np.arange(len(COMPARED))
    table = np.array([[each.outcome.values[f"{s}_{name}"] for s in COMPARED] for each in runs])
    axes.plot(places, table.T, color=GREY, linewidth=0.4, alpha=0.6)
    for place, setup in enumerate(COMPARED):
        axes.plot(
            np.full(len(table), place),
            table[:, place],
            ".",
            color=SETUP_COLOURS[setup],
            markersize=3,
        )
        axes.plot(place + 0.2, np.median(table[:, place]), "_", color=BLACK, markersize=7)
    if name in ("trace", "lambda_1") and np.all(table > 0):
        axes.set_yscale("log")
    axes.set_xticks(
        places, [SETUP_LABELS[s].removesuffix(" start") for s in COMPARED], rotation=45, ha="right"
    )
    axes.set_xlim(-0.4, len(COMPARED) - 0.4)


@styled
def outliers(runs: Sequence[Run]) -> Figure:
    """Number of outliers and G_theta against the length of the boundary, all solutions."""
    figure = new_figure(DOUBLE_COLUMN, 2.6)
    panels = figure.subplots(1, 2)
    datasets = list(dict.fromkeys(str(each.settings["dataset"]["name"]) for each in runs))
    for axes, name in zip(panels, ("outliers", "g_theta_count"), strict=True):
        for each in runs:
            marker = MARKERS[datasets.index(str(each.settings["dataset"]["name"]))]
            for setup in COMPARED:
                axes.plot(
                    each.outcome.values[f"{setup}_boundary_length"],
                    each.outcome.values[f"{setup}_{name}"],
                    marker,
                    color=SETUP_COLOURS[setup],
                    markersize=3.5,
                    alpha=0.8,
                    linestyle="none",
                )
        axes.set(xlabel="length of the boundary (sides of the plane)", ylabel=LABELS[name])
    handles = [
        panels[0].plot([], [], "s", color=SETUP_COLOURS[s], label=SETUP_LABELS[s], markersize=4)[0]
        for s in COMPARED
    ] + [
        panels[0].plot(
            [],
            [],
            MARKERS[i],
            color=GREY,
            label=name.replace("_", " "),
            markersize=4,
            linestyle="none",
        )[0]
        for i, name in enumerate(datasets)
    ]
    for handle in handles[: len(COMPARED)]:
        handle.set_linestyle("none")
    legend_below(figure, handles)
    return figure
