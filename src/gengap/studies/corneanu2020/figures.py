"""The figures of the study."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from gengap.figures.style import (
    BLACK,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    ORDERED,
    PALETTE,
    SINGLE_COLUMN,
    legend_below,
    new_figure,
    notes_below,
    styled,
)
from gengap.studies import Run, interval
from gengap.studies.corneanu2020 import gap_law as laws
from gengap.topology.betti import smoothed

BAND_ALPHA = 0.2
LABELLED_EPOCHS = (0, 1, 3, 10, 30, 100, 300)
KINDS = {
    "clean": "clean",
    "noisy": "random signs",
    "fgsm": "FGSM",
    "pgd": "PGD",
}
GRAPH_LABELS = {
    "parts": "mean over the parts",
    "means": "parts' mean activations",
    "kl": "KL between parts",
    "js": "JS between parts",
}
PARTITION_LABELS = {
    "equal": "equal chunks",
    "communities": "communities",
    "structure": "layers",
}

SCALE_COLOURS = {"epsilon": PALETTE[1], "density": PALETTE[2]}
RULES = (("stop", "v", "first regression, "), ("lowest", "^", "lowest mode, "))
CURVES = (("curves", "grid"), ("density_curves", "density_grid"))

Summary = Callable[[Run, str, int], NDArray[np.float64]]
Modes = Callable[[Mapping[str, NDArray[Any]], str], NDArray[np.float64]]


def _by_corruption(runs: Sequence[Run]) -> dict[float, list[Run]]:
    found: dict[float, list[Run]] = {}
    for run in runs:
        found.setdefault(float(run.settings.get("label_corruption", 0.0)), []).append(run)
    return dict(sorted(found.items()))


def _title(corruption: float) -> str:
    return "true labels" if corruption == 0 else f"{corruption:.0%} of the labels corrupted"


def _panels(runs: Sequence[Run], rows: int, height: float) -> tuple[Figure, NDArray[np.object_]]:
    """A figure with a column of panels per label corruption, titled so."""
    groups = _by_corruption(runs)
    width = DOUBLE_COLUMN if len(groups) > 1 else SINGLE_COLUMN
    figure = new_figure(width, height)
    panels = figure.subplots(rows, len(groups), squeeze=False, sharey="row")
    for axes, corruption in zip(panels[0], groups, strict=True):
        axes.set_title(_title(corruption))
    return figure, panels


def _epochs_axis(axes: Axes, epochs: NDArray[np.integer]) -> None:
    """Epochs from 0, spread as their logarithms from 1 on."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    shown = [epoch for epoch in LABELLED_EPOCHS if epoch <= epochs.max()]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(0, epochs.max() * 1.1)


def _from_zero(panels: NDArray[np.object_]) -> None:
    """Start the shared axes at 0, once everything is drawn: the upper ends are fixed with it."""
    for axes in panels[:, 0]:
        axes.set_ylim(bottom=0)


def _band(
    axes: Axes,
    places: NDArray[np.number],
    rows: NDArray[np.floating],
    colour: str,
    marker: str = "",
) -> None:
    """Mean over runs as a line, and their range; masked entries leave gaps."""
    axes.plot(places, rows.mean(axis=0), color=colour, marker=marker, markersize=3)
    axes.fill_between(
        places, rows.min(axis=0), rows.max(axis=0), color=colour, alpha=BAND_ALPHA, linewidth=0
    )


@styled
def betti_curves(runs: Sequence[Run], dimension: int, smoothing: float | None = None) -> Figure:
    """Betti curves of one dimension at every checkpoint, over epsilon and over density.

    Args:
        runs: of the experiment ``training_curves``.
        dimension: of the homology.
        smoothing: standard deviation in grid points of a window over the drawn curves, to look at;
            None for none.
    """
    figure, panels = _panels(runs, 2, 4.2)
    epochs = runs[0].outcome.arrays["epochs"]
    colours = matplotlib.colormaps[ORDERED](np.linspace(0, 0.95, len(epochs)))
    for column, group in enumerate(_by_corruption(runs).values()):
        for row, (curves, grid) in enumerate(CURVES):
            axes = panels[row, column]
            mean = np.mean([run.outcome.arrays[curves][:, dimension] for run in group], axis=0)
            places = group[0].outcome.arrays[grid]
            for curve, colour in zip(mean, colours, strict=True):
                drawn = curve if smoothing is None else smoothed(curve, smoothing)
                axes.plot(places, drawn, color=colour)
            axes.set_xlim(places[0], places[-1])
        panels[0, column].set_xlabel("ε = (1 − |r|) / 2")
        panels[1, column].set_xlabel("density (share of edges)")
        panels[1, column].set_xscale("log")
    _from_zero(panels)
    for row in range(2):
        panels[row, 0].set_ylabel(f"$\\beta_{dimension}$ per node")
    handles = [
        Line2D([], [], color=colour, label=str(epoch))
        for epoch, colour in zip(epochs, colours, strict=True)
    ]
    averaging = "mean over seeds" if smoothing is None else "mean over seeds, smoothed"
    legend_below(figure, handles, f"epoch ({averaging})")
    return figure


@styled
def life_and_midlife(runs: Sequence[Run], summary: Summary) -> Figure:
    """Average life and midlife of each dimension at every checkpoint that has bars."""
    figure, panels = _panels(runs, 2, 4.2)
    dimensions = runs[0].outcome.arrays["curves"].shape[1]
    for column, group in enumerate(_by_corruption(runs).values()):
        epochs = group[0].outcome.arrays["epochs"]
        for row, name in enumerate(("life", "midlife")):
            axes = panels[row, column]
            for dimension in range(dimensions):
                rows = np.stack([summary(run, name, dimension) for run in group])
                counts = np.stack([summary(run, "count", dimension) for run in group])
                shown = np.ma.masked_where(counts == 0, rows)
                _band(axes, epochs, shown, PALETTE[dimension], MARKERS[dimension])
            _epochs_axis(axes, epochs)
        panels[1, column].set_xlabel("epoch")
    _from_zero(panels)
    panels[0, 0].set_ylabel("average life (ε)")
    panels[1, 0].set_ylabel("average midlife (ε)")
    handles = [
        Line2D([], [], color=PALETTE[dim], marker=MARKERS[dim], markersize=3, label=f"H{dim}")
        for dim in range(dimensions)
    ]
    legend_below(figure, handles, "mean and range over the seeds that have bars")
    return figure


@styled
def early_stopping(runs: Sequence[Run], modes: Modes, cavities: Modes) -> Figure:
    """Accuracies, the mode of beta_1 on both scales and the cavities, with where the rules stop."""
    figure, panels = _panels(runs, 4, 6.6)
    for column, group in enumerate(_by_corruption(runs).values()):
        arrays = [run.outcome.arrays for run in group]
        epochs = arrays[0]["epochs"]
        rows = (
            (0, [some["train_accuracy"] for some in arrays], GREY),
            (0, [some["test_accuracy"] for some in arrays], BLACK),
            (1, [modes(some, "epsilon") for some in arrays], SCALE_COLOURS["epsilon"]),
            (2, [modes(some, "density") for some in arrays], SCALE_COLOURS["density"]),
            (3, [cavities(some, "epsilon") for some in arrays], SCALE_COLOURS["epsilon"]),
            (3, [cavities(some, "density") for some in arrays], SCALE_COLOURS["density"]),
        )
        for row, values, colour in rows:
            shown = np.ma.masked_invalid(np.stack(values))
            _band(panels[row, column], epochs, shown, colour)
        for (scale, colour), (rule, marker, _) in itertools.product(SCALE_COLOURS.items(), RULES):
            panels[0, column].plot(
                [run.outcome.values[f"{rule}_epoch.{scale}"] for run in group],
                [run.outcome.values[f"{rule}_accuracy.{scale}"] for run in group],
                linestyle="",
                marker=marker,
                markersize=5,
                markerfacecolor="none",
                color=colour,
                clip_on=False,
            )
        for axes in panels[:, column]:
            _epochs_axis(axes, epochs)
        panels[3, column].set_xlabel("epoch")
    _from_zero(panels)
    panels[0, 0].set_ylim(0, 1)
    panels[0, 0].set_ylabel("accuracy")
    panels[1, 0].set_ylabel("ε at which\n$\\beta_1$ is largest")
    panels[2, 0].set_ylabel("density at which\n$\\beta_1$ is largest")
    panels[3, 0].set_ylabel("cavities of dim. 2\nand more, per node")
    handles = [
        Line2D([], [], color=GREY, label="training accuracy"),
        Line2D([], [], color=BLACK, label="test accuracy"),
    ] + [
        Line2D([], [], color=colour, marker=marker, mfc="none", linestyle="", label=label + scale)
        for scale, colour in SCALE_COLOURS.items()
        for _, marker, label in RULES
    ]
    legend_below(figure, handles, "mean and range over seeds; a mark per seed where a rule stops")
    return figure


@styled
def partitions(runs: Sequence[Run], names: Sequence[str], graphs: Sequence[str]) -> Figure:
    """Average life in H0 of each graph at the start and at the end of training."""
    entries = [("whole", "all nodes"), ("sampled", "samples of nodes")] + [
        (f"{name}.{graph}", f"{PARTITION_LABELS[name]}: {GRAPH_LABELS[graph]}")
        for name in names
        for graph in graphs
    ]
    figure = new_figure(SINGLE_COLUMN * 1.5, 0.9 + 0.22 * len(entries))
    axes = figure.subplots()
    for row, (key, _) in enumerate(entries):
        for moment, colour, marker, shift in (
            ("start", GREY, "o", -0.15),
            ("end", PALETTE[0], "s", 0.15),
        ):
            values = [
                run.outcome.values[f"{key}.{moment}.life.H0"]
                for run in runs
                if f"{key}.{moment}.life.H0" in run.outcome.values
            ]
            if values:
                axes.plot(
                    values, [row + shift] * len(values), linestyle="", marker="|", color=colour
                )
                axes.plot(
                    np.mean(values), row + shift, linestyle="", marker=marker, ms=4, color=colour
                )
    axes.set_yticks(range(len(entries)), [label for _, label in entries])
    axes.set_ylim(len(entries) - 0.5, -0.5)
    axes.set_xlabel("average life in H0 (ε)")
    axes.set_xlim(left=0)
    for row in range(2, len(entries), len(graphs)):
        axes.axhline(row - 0.5, color=GREY, linewidth=0.4)
    handles = [
        Line2D([], [], color=GREY, marker="o", linestyle="", markersize=4, label="at the start"),
        Line2D([], [], color=PALETTE[0], marker="s", linestyle="", markersize=4, label="trained"),
        Line2D([], [], color=BLACK, marker="|", linestyle="", label="one seed"),
    ]
    legend_below(figure, handles)
    return figure


def _styles(table: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    """A colour per task and a mark per architecture."""
    tasks, architectures = sorted(set(table["task"])), sorted(set(table["architecture"]))
    colours = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(tasks)}
    marks = {name: MARKERS[place % len(MARKERS)] for place, name in enumerate(architectures)}
    return colours, marks


def _scatter(axes: Axes, table: pd.DataFrame, x: NDArray[np.floating], y: str) -> None:
    colours, marks = _styles(table)
    for (task, architecture), rows in table.groupby(["task", "architecture"]):
        place = table.index.get_indexer(rows.index)
        axes.scatter(
            x[place],
            100 * rows[y],
            s=12,
            marker=marks[str(architecture)],
            facecolors="none",
            edgecolors=colours[str(task)],
            linewidths=0.6,
        )


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    colours, marks = _styles(table)
    handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    handles += [
        Line2D([], [], color=BLACK, marker=mark, linestyle="", mfc="none", ms=4, label=name)
        for name, mark in marks.items()
    ]
    legend_below(figure, handles)


@styled
def gap_law(table: pd.DataFrame) -> Figure:
    """The measured gap against life and midlife in H1, a mark per network."""
    figure = new_figure(DOUBLE_COLUMN, 3.3)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, name in zip(panels, ("life", "midlife"), strict=True):
        values = table[f"{name}.H1"].to_numpy()
        _scatter(axes, table, values, "gap")
        r = np.corrcoef(values, table["gap"])[0, 1]
        axes.set_title(f"r = {r:.2f} over {len(table)} networks")
        axes.set_xlabel(f"average {name} in H1 (ε)")
    panels[0].set_ylabel("gap (points)")
    _legend(figure, table)
    return figure


@styled
def predicted_accuracy(table: pd.DataFrame) -> Figure:
    """Test accuracy predicted as training accuracy minus the law's gap, against the measured.

    The law is fitted to each seed's networks by themselves, as in the claims.
    """
    groups = [name for name in laws.LEFT_OUT if name == "network" or table[name].nunique() > 1]
    figure = new_figure(DOUBLE_COLUMN, 3.1)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for axes, left_out in zip(panels, groups, strict=True):
        by_seed = [
            laws.left_out_predictions(rows, left_out)[laws.LAW] for _, rows in table.groupby("seed")
        ]
        gap = pd.concat(by_seed).loc[table.index].to_numpy()
        predicted = 100 * (table["train_accuracy"].to_numpy() - gap)
        _scatter(axes, table, predicted, "test_accuracy")
        middle = 100 * float(table["test_accuracy"].mean())
        axes.axline((middle, middle), slope=1, color=GREY, linewidth=0.6, zorder=0)
        error = float(np.abs(predicted - 100 * table["test_accuracy"]).mean())
        axes.set_title(f"{left_out}s left out: off by {error:.1f}")
        axes.set_xlabel("predicted test accuracy (%)")
    panels[0].set_ylabel("measured test accuracy (%)")
    _legend(figure, table)
    return figure


@styled
def law_errors(errors: Sequence[Mapping[str, Mapping[str, float]]]) -> Figure:
    """Mean absolute error of the law and of the baselines, by what is left out.

    Args:
        errors: per seed, what ``gengap.studies.corneanu2020.gap_law.errors`` gives.
    """
    figure = new_figure(DOUBLE_COLUMN, 2.3)
    groups = list(errors[0])
    panels = figure.subplots(1, len(groups), sharex=True, sharey=True, squeeze=False)[0]
    models = list(laws.MODELS)
    for axes, left_out in zip(panels, groups, strict=True):
        for row, model in enumerate(models):
            values = [some[left_out][model] for some in errors]
            mean, low, high = interval(values)
            colour = PALETTE[1] if model == laws.LAW else GREY
            if np.isfinite([low, high]).all():
                axes.plot([low, high], [row, row], color=colour)
            axes.plot(mean, row, marker="o", markersize=4, color=colour)
        axes.set_title(f"{left_out}s left out")
        axes.set_xlabel("error (points)")
    panels[0].set_xlim(left=0)
    panels[0].set_yticks(range(len(models)), models)
    panels[0].set_ylim(len(models) - 0.5, -0.5)
    notes_below(figure, ["mean over seeds with its 95% interval"])
    return figure


@styled
def adversarial_curves(runs: Sequence[Run], kinds: Sequence[str]) -> Figure:
    """How the mean Betti curves of single images' graphs differ from those of clean images.

    The first of ``kinds`` is the clean one.
    """
    figure = new_figure(DOUBLE_COLUMN, 2.6)
    panels = figure.subplots(1, 2)
    clean, *others = kinds
    for dimension, axes in enumerate(panels):
        grid = runs[0].outcome.arrays["grid"]
        for place, kind in enumerate(others, start=1):
            arrays = [run.outcome.arrays for run in runs]
            rows = [some[f"curves.{kind}"] - some[f"curves.{clean}"] for some in arrays]
            _band(axes, grid, np.stack(rows)[:, dimension], PALETTE[place])
        axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)
        axes.set_xlabel("1 − difference of activations")
        axes.set_ylabel(f"$\\beta_{dimension}$ per node, minus clean")
        axes.set_xlim(0, 1)
    handles = [
        Line2D([], [], color=PALETTE[place], label=KINDS[kind])
        for place, kind in enumerate(others, start=1)
    ]
    legend_below(figure, handles, "test images (mean and range over seeds)")
    return figure


@styled
def adversarial_roc(runs: Sequence[Run], attacks: Sequence[str], harmless: Sequence[str]) -> Figure:
    """ROC curves of the topological detector and of the network's own doubt."""
    figure = new_figure(DOUBLE_COLUMN, 2.2 * len(attacks))
    panels = figure.subplots(len(attacks), len(harmless), squeeze=False, sharex=True, sharey=True)
    detectors = (("topology", "topology", PALETTE[1]), ("doubt", "1 − largest probability", GREY))
    for row, attack in enumerate(attacks):
        for column, kind in enumerate(harmless):
            axes = panels[row, column]
            for detector, _, colour in detectors:
                key = f"{detector}.{attack}.{kind}"
                rows = np.stack([run.outcome.arrays[f"roc.{key}"] for run in runs])
                _band(axes, runs[0].outcome.arrays["grid"], rows, colour)
                mean = np.mean([run.outcome.values[f"auc.{key}"] for run in runs])
                axes.text(
                    0.97,
                    0.16 if detector == "topology" else 0.06,
                    f"AUC {mean:.2f}",
                    color=colour,
                    ha="right",
                    transform=axes.transAxes,
                )
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.5, linestyle=":")
            axes.set_title(f"{KINDS[attack]} against {KINDS[kind]}")
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1)
    for axes in panels[:, 0]:
        axes.set_ylabel("attacks found")
    for axes in panels[-1]:
        axes.set_xlabel("false alarms")
    handles = [Line2D([], [], color=colour, label=label) for _, label, colour in detectors]
    legend_below(figure, handles, "mean and range over seeds")
    return figure
