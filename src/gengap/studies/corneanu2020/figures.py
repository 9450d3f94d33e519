"""The figures of each experiment, in a function of its name."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from gengap.errors import GengapError
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
from gengap.studies.corneanu2020 import gap_law
from gengap.studies.corneanu2020.experiments.adversarial import HARMLESS, AdversarialRun
from gengap.studies.corneanu2020.experiments.law import LawRun
from gengap.studies.corneanu2020.experiments.partitions import (
    GRAPHS,
    PARTITIONS,
    Moment,
    PartitionsRun,
    Summaries,
)
from gengap.studies.corneanu2020.experiments.training_curves import CurvesRun
from gengap.studies.corneanu2020.grids import by_point, file_name
from gengap.studies.estimates import interval
from gengap.studies.outcomes import RunT, group_runs
from gengap.studies.plotting import plot_band
from gengap.topology.betti import smoothed

TOGETHER = ("dataset", "networks", "train_sizes", "label_corruptions")
"""Settings of the law whose values are marks of one figure."""

OVER_SEEDS = "mean and 95% interval over seeds"
MOST_SHOWN = 7
"""Most checkpoints whose Betti curves are told apart by their colours."""
LEAST_FOR_STOPPING = 3
"""Fewer checkpoints leave a rule nothing to choose."""
LABELLED_EPOCHS = (0, 1, 3, 10, 30, 100, 300)
KINDS = {
    "clean": "clean",
    "noisy": "random signs",
    "fgsm": "FGSM",
    "pgd": "PGD",
    "own": "own images",
}
GRAPH_LABELS = {
    "parts": "mean over the parts",
    "means": "parts' mean activations",
    "kl": "KL between parts",
    "js": "JS between parts",
}
PARTITION_LABELS = {"equal": "equal chunks", "communities": "communities", "structure": "layers"}
SCALE_COLOURS = {"epsilon": PALETTE[1], "density": PALETTE[2]}
RULES = {"first_regression": ("v", "first regression, "), "lowest_mode": ("^", "lowest mode, ")}
DETECTORS = {
    "topology": ("topology", PALETTE[1], 0.16),
    "confidence": ("1 − maximum softmax probability", GREY, 0.06),
}
"""Label, colour and height of the AUC's text, by detector."""


FigureOf = Callable[[Sequence[RunT]], Mapping[str, Figure]]
"""Makes figures by name of runs that differ in their seeds alone."""


def training_curves(
    runs: Sequence[CurvesRun],
    *,
    smoothing: float | None = None,
    epochs: Sequence[int] | None = None,
    counts: bool = False,
) -> dict[str, Figure]:
    """Plot the Betti curves of each dimension, their summaries, and accuracies with the stops.

    Args:
        runs: finished runs.
        smoothing: standard deviation in grid points of a window over the plotted Betti curves, to
            look at only; None for none.
        epochs: checkpoints whose Betti curves are shown; None for seven at most, spread from the
            first to the last.
        counts: whether Betti curves count cavities, instead of cavities per node.

    Returns:
        ``betti_0``, ``betti_1``, ..., ``life_and_midlife`` and, with three checkpoints or more,
        ``early_stopping`` for each point of the grid but for its label corruptions, which are
        columns of one figure.

    Raises:
        GengapError: an epoch is no checkpoint.
    """
    look = _CurvesLook(smoothing, epochs, counts)

    def of_point(group: Sequence[CurvesRun]) -> dict[str, Figure]:
        figures = {
            f"betti_{dim}": _betti_curves(group, dim, look)
            for dim in range(group[0].result.dimensions)
        }
        figures["life_and_midlife"] = _life_and_midlife(group)
        if len(group[0].result.epochs) >= LEAST_FOR_STOPPING:
            figures["early_stopping"] = _early_stopping(group)
        return figures

    return _by_point(runs, of_point, "label_corruption")


def partitions(runs: Sequence[PartitionsRun]) -> dict[str, Figure]:
    """Plot the average life in H0 of every graph, at the start and at the end of training.

    Returns:
        ``partitions`` and, with more checkpoints, ``parts_in_training``, for each point of the
        grid.
    """

    def of_point(group: Sequence[PartitionsRun]) -> dict[str, Figure]:
        figures = {"partitions": _partitions(group)}
        if len(group[0].result.moments) > 2:
            figures["parts_in_training"] = _parts_in_training(group)
        return figures

    return _by_point(runs, of_point)


def law(runs: Sequence[LawRun]) -> dict[str, Figure]:
    """Plot the gap against life and midlife, predicted test accuracies, and the models' errors.

    Returns:
        ``gap_law``, ``predicted_accuracy`` and ``law_errors`` of networks of all datasets,
        architectures, sizes and label corruptions together; other settings of the grid have figures
        of their own.
    """

    def of_point(group: Sequence[LawRun]) -> dict[str, Figure]:
        table, omitted = gap_law.networks_table(group), gap_law.left_out_sentence(group)
        return {
            "gap_law": _gap_law(table, omitted),
            "predicted_accuracy": _predicted_accuracy(table),
            "law_errors": _law_errors(table),
        }

    return _by_point(runs, of_point, *TOGETHER)


def adversarial(runs: Sequence[AdversarialRun]) -> dict[str, Figure]:
    """Plot the mean Betti curves of each kind of image, and the detectors' ROC curves."""
    return _by_point(
        runs,
        lambda group: {
            "adversarial_curves": _adversarial_curves(group),
            "adversarial_roc": _adversarial_roc(group),
        },
    )


def _by_point(
    runs: Sequence[RunT], figures_of: FigureOf[RunT], *together: str
) -> dict[str, Figure]:
    """Figures of each point of the grid; with several, their names and titles say which."""
    figures: dict[str, Figure] = {}
    for label, group in by_point(runs, *together).items():
        for name, figure in figures_of(group).items():
            figures[file_name(name, label)] = _titled(figure, label) if label else figure
    return figures


@styled
def _titled(figure: Figure, label: str) -> Figure:
    """Make room for a title above all axes of a finished figure."""
    figure.set_layout_engine("constrained")
    figure.suptitle(label)
    return figure


@dataclass(frozen=True)
class _CurvesLook:
    """How Betti curves are shown, see :func:`training_curves`."""

    smoothing: float | None
    epochs: Sequence[int] | None
    counts: bool

    def shown(self, epochs: NDArray[np.integer]) -> list[int]:
        """The places of the checkpoints that are shown."""
        places = {int(epoch): place for place, epoch in enumerate(epochs)}
        if self.epochs is None:
            shown = min(MOST_SHOWN, len(places))
            return [round(place) for place in np.linspace(0, len(places) - 1, shown)]
        wanted = list(self.epochs)
        if missing := [epoch for epoch in wanted if epoch not in places]:
            raise GengapError(
                f"The setting 'epochs' of the figures names {missing[0]}, which is no checkpoint: "
                f"choose among {', '.join(map(str, places))}."
            )
        return [places[epoch] for epoch in wanted]


def _by_corruption(runs: Sequence[CurvesRun]) -> dict[float, list[CurvesRun]]:
    return dict(sorted(group_runs(runs, lambda run: run.settings.label_corruption).items()))


def _panels(
    runs: Sequence[CurvesRun], rows: int, height: float
) -> tuple[Figure, NDArray[np.object_]]:
    """A figure with a column of panels per label corruption, titled so."""
    groups = _by_corruption(runs)
    figure = new_figure(DOUBLE_COLUMN if len(groups) > 1 else SINGLE_COLUMN, height)
    panels = figure.subplots(rows, len(groups), squeeze=False, sharey="row")
    for axes, corruption in zip(panels[0], groups, strict=True):
        axes.set_title(f"{corruption:.0%} of the labels corrupted" if corruption else "true labels")
    return figure, panels


def _epochs_axis(axes: Axes, epochs: NDArray[np.integer]) -> None:
    """Epochs from 0, spread as their logarithms from 1 on."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.xaxis.set_major_locator(
        FixedLocator([epoch for epoch in LABELLED_EPOCHS if epoch <= epochs.max()])
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(0, epochs.max() * 1.1)


def _from_zero(panels: NDArray[np.object_]) -> None:
    """Start the shared axes at 0, once everything is plotted: the upper ends are fixed with it."""
    for axes in panels[:, 0]:
        axes.set_ylim(bottom=0)


def _mark(colour: str, marker: str, label: str, *, filled: bool = True) -> Line2D:
    """A handle of a legend for marks without a line."""
    face = colour if filled else "none"
    return Line2D([], [], color=colour, marker=marker, mfc=face, ms=4, linestyle="", label=label)


@styled
def _betti_curves(runs: Sequence[CurvesRun], dimension: int, look: _CurvesLook) -> Figure:
    """Betti curves of one dimension at checkpoints, over epsilon and over density."""
    figure, panels = _panels(runs, 2, 4.2)
    places = look.shown(runs[0].result.epochs)
    epochs = runs[0].result.epochs[places]
    colours = matplotlib.colormaps[ORDERED](np.linspace(0, 0.95, len(epochs)))
    for column, group in zip(panels.T, _by_corruption(runs).values(), strict=True):
        for axes, name in zip(column, SCALE_COLOURS, strict=True):
            curves = [
                run.result.scales[name].curves[places, dimension]
                * (run.result.nodes if look.counts else 1)
                for run in group
            ]
            grid = group[0].result.scales[name].grid
            for curve, colour in zip(np.mean(curves, axis=0), colours, strict=True):
                shown = curve if look.smoothing is None else smoothed(curve, look.smoothing)
                axes.plot(grid, shown, color=colour)
            known = grid[np.isfinite(curves).any(axis=(0, 1))]
            axes.set_xlim(known[0], known[-1])
        column[0].set_xlabel("ε = (1 − |r|) / 2")
        column[1].set_xlabel("density (share of edges)")
        column[1].set_xscale("log")
    _from_zero(panels)
    for axes in panels[:, 0]:
        axes.set_ylabel(f"$\\beta_{dimension}$" + ("" if look.counts else " per node"))
    handles = [
        Line2D([], [], color=colour, label=str(epoch))
        for epoch, colour in zip(epochs, colours, strict=True)
    ]
    averaging = "mean over seeds" if look.smoothing is None else "mean over seeds, smoothed"
    legend_below(figure, handles, f"epoch ({averaging})")
    return figure


@styled
def _life_and_midlife(runs: Sequence[CurvesRun]) -> Figure:
    """Average life and midlife of each dimension at every checkpoint that has bars."""
    figure, panels = _panels(runs, 2, 4.2)
    styles = list(zip(PALETTE, MARKERS, strict=False))[: runs[0].result.dimensions]
    for column, group in zip(panels.T, _by_corruption(runs).values(), strict=True):
        epochs = group[0].result.epochs
        counts = np.stack([run.result.summaries["count"] for run in group])
        for axes, name in zip(column, ("life", "midlife"), strict=True):
            values = np.stack([run.result.summaries[name] for run in group])
            values = np.where(counts == 0, np.nan, values)
            for dimension, (colour, marker) in enumerate(styles):
                plot_band(axes, epochs, values[:, :, dimension], colour, marker=marker)
            _epochs_axis(axes, epochs)
        column[1].set_xlabel("epoch")
    _from_zero(panels)
    panels[0, 0].set_ylabel("average life (ε)")
    panels[1, 0].set_ylabel("average midlife (ε)")
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=3, label=f"H{dimension}")
        for dimension, (colour, marker) in enumerate(styles)
    ]
    legend_below(figure, handles, "mean and 95% interval over the seeds that have bars")
    return figure


@styled
def _early_stopping(runs: Sequence[CurvesRun]) -> Figure:
    """Accuracies, the mode of beta_1 on both scales and the cavities, with where the rules stop."""
    figure, panels = _panels(runs, 4, 6.6)
    for column, group in zip(panels.T, _by_corruption(runs).values(), strict=True):
        results = [run.result for run in group]
        epochs = results[0].epochs
        accuracies, *modes, cavities = column
        for colour, values in (
            (GREY, [result.train_accuracy for result in results]),
            (BLACK, [result.test_accuracy for result in results]),
        ):
            plot_band(accuracies, epochs, np.stack(values), colour, highest=1)
        for axes, (name, colour) in zip(modes, SCALE_COLOURS.items(), strict=True):
            scales = [result.scales[name] for result in results]
            plot_band(axes, epochs, np.stack([scale.modes for scale in scales]), colour)
            plot_band(cavities, epochs, np.stack([scale.cavities for scale in scales]), colour)
            for rule, (marker, _) in RULES.items():
                stops = [scale.stops[rule] for scale in scales]
                accuracies.plot(
                    [stop.epoch for stop in stops],
                    [stop.accuracy for stop in stops],
                    linestyle="",
                    marker=marker,
                    markersize=5,
                    markerfacecolor="none",
                    color=colour,
                    clip_on=False,
                )
        for axes in column:
            _epochs_axis(axes, epochs)
        cavities.set_xlabel("epoch")
    _from_zero(panels)
    panels[0, 0].set_ylim(0, 1)
    panels[0, 0].set_ylabel("accuracy")
    panels[1, 0].set_ylabel("ε at which\n$\\beta_1$ is largest")
    panels[2, 0].set_ylabel("density at which\n$\\beta_1$ is largest")
    panels[3, 0].set_ylabel("cavities of dim. 2\nand more, per node")
    handles = [
        Line2D([], [], color=GREY, label="training accuracy"),
        Line2D([], [], color=BLACK, label="test accuracy"),
        *(
            _mark(colour, marker, label + name, filled=False)
            for (name, colour), (marker, label) in itertools.product(
                SCALE_COLOURS.items(), RULES.values()
            )
        ),
    ]
    legend_below(figure, handles, f"{OVER_SEEDS}; a mark per seed where a rule stops")
    return figure


@styled
def _partitions(runs: Sequence[PartitionsRun]) -> Figure:
    """Average life in H0 of each graph at the start and at the end of training."""
    pairs = list(itertools.product(PARTITIONS, GRAPHS))
    labels = ["all nodes", "samples of nodes"] + [
        f"{PARTITION_LABELS[partition]}: {GRAPH_LABELS[kind]}" for partition, kind in pairs
    ]
    figure = new_figure(SINGLE_COLUMN * 1.5, 0.9 + 0.22 * len(labels))
    axes = figure.subplots()
    for moments, colour, marker, shift in (
        ([run.result.start for run in runs], GREY, "o", -0.15),
        ([run.result.end for run in runs], PALETTE[0], "s", 0.15),
    ):
        columns = [
            [moment.whole, moment.sampled, *(moment.graph(*pair) for pair in pairs)]
            for moment in moments
        ]
        for row, graphs in enumerate(zip(*columns, strict=True)):
            lives = [graph["life.H0"] for graph in graphs if graph is not None]
            if lives:
                place = row + shift
                axes.plot(lives, [place] * len(lives), linestyle="", marker="|", color=colour)
                axes.plot(np.mean(lives), place, marker=marker, markersize=4, color=colour)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlabel("average life in H0 (ε)")
    axes.set_xlim(left=0)
    for row in range(2, len(labels), len(GRAPHS)):
        axes.axhline(row - 0.5, color=GREY, linewidth=0.4)
    handles = [
        _mark(GREY, "o", "at the start"),
        _mark(PALETTE[0], "s", "trained"),
        _mark(BLACK, "|", "one seed"),
    ]
    legend_below(figure, handles)
    return figure


@styled
def _parts_in_training(runs: Sequence[PartitionsRun]) -> Figure:
    """Average life and midlife in H1 of the parts of each partition, at every checkpoint."""
    epochs = np.array([int(epoch) for epoch in runs[0].result.moments])
    figure = new_figure(DOUBLE_COLUMN, 2.7)
    panels = figure.subplots(1, 2)
    kinds: list[tuple[str, str, str, Callable[[Moment], Summaries | None]]]
    kinds = [("all nodes", BLACK, "o", lambda moment: moment.whole)]
    for (name, label), colour, marker in zip(
        PARTITION_LABELS.items(), PALETTE[1:], MARKERS[1:], strict=False
    ):
        kinds.append((label, colour, marker, partial(Moment.graph, partition=name, kind="parts")))
    for axes, summary in zip(panels, ("life", "midlife"), strict=True):
        for _, colour, marker, graph_of in kinds:
            graphs = [[graph_of(moment) for moment in run.result.moments.values()] for run in runs]
            values = [
                [np.nan if graph is None else graph[f"{summary}.H1"] for graph in of_run]
                for of_run in graphs
            ]
            plot_band(axes, epochs, np.array(values), colour, marker=marker)
        _epochs_axis(axes, epochs)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"average {summary} in H1 (ε)")
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=3, label=label)
        for label, colour, marker, _ in kinds
    ]
    legend_below(figure, handles, f"mean over the parts ({OVER_SEEDS})")
    return figure


def _styles(table: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    """A colour per task and a mark per architecture."""
    colours = zip(sorted(set(table["task"])), itertools.cycle(PALETTE), strict=False)
    marks = zip(sorted(set(table["architecture"])), itertools.cycle(MARKERS), strict=False)
    return dict(colours), dict(marks)


def _scatter(axes: Axes, table: pd.DataFrame, x: NDArray[np.floating], y: str) -> None:
    """A mark per network at x (n,) and a column, in points."""
    colours, marks = _styles(table)
    for (task, architecture), rows in table.groupby(["task", "architecture"]):
        axes.scatter(
            x[table.index.get_indexer(rows.index)],
            100 * rows[y],
            s=12,
            marker=marks[str(architecture)],
            facecolors="none",
            edgecolors=colours[str(task)],
            linewidths=0.6,
        )


def _legend(figure: Figure, table: pd.DataFrame, title: str | None = None) -> None:
    colours, marks = _styles(table)
    handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    handles += [_mark(BLACK, marker, name, filled=False) for name, marker in marks.items()]
    legend_below(figure, handles, title)


@styled
def _gap_law(table: pd.DataFrame, omitted: str) -> Figure:
    """The gap against life and midlife in H1, and against the law fitted to all networks."""
    fitted = gap_law.Law.of_table(table)
    figure = new_figure(DOUBLE_COLUMN, 3.5)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, name in zip(panels, ("life", "midlife"), strict=False):
        values = table[f"{name}.H1"].to_numpy()
        _scatter(axes, table, values, "gap")
        r = np.corrcoef(values, table["gap"])[0, 1]
        axes.set_title(f"r = {r:.2f} over {len(table)} networks")
        axes.set_xlabel(f"average {name} in H1 (ε)")
    life, midlife = (table[column].to_numpy() for column in gap_law.MODELS[gap_law.LAW])
    gaps = gap_law.POINTS * np.array(
        [fitted.gap(*pair) for pair in zip(life, midlife, strict=True)]
    )
    _scatter(panels[2], table, gaps, "gap")
    panels[2].plot([gaps.min(), gaps.max()], [gaps.min(), gaps.max()], color=BLACK, linewidth=0.8)
    panels[2].set_title(f"the law: $R^2$ = {fitted.determination:.2f}")
    panels[2].set_xlabel("fitted gap (points)")
    panels[0].set_ylabel("gap (points)")
    _legend(figure, table, "\n".join(filter(None, [fitted.equation(), omitted])))
    return figure


@styled
def _predicted_accuracy(table: pd.DataFrame) -> Figure:
    """Measured test accuracy against training accuracy minus the gap that the law predicts."""
    tables = gap_law.tables_by_seed(table)
    groupings = gap_law.groupings(tables)
    figure = new_figure(DOUBLE_COLUMN, 3.1)
    panels = figure.subplots(1, len(groupings), sharey=True, squeeze=False)[0]
    for axes, left_out in zip(panels, groupings, strict=True):
        # The law is fitted to each seed's networks by themselves, as in the claims.
        gaps = [gap_law.left_out_predictions(rows, left_out)[gap_law.LAW] for rows in tables]
        gap = pd.concat(gaps).loc[table.index].to_numpy()
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
def _law_errors(table: pd.DataFrame) -> Figure:
    """Mean absolute error of the law and of the baselines, by what is left out."""
    tables = gap_law.tables_by_seed(table)
    groupings = gap_law.groupings(tables)
    figure = new_figure(DOUBLE_COLUMN, 2.3)
    panels = figure.subplots(1, len(groupings), sharex=True, sharey=True, squeeze=False)[0]
    models = list(gap_law.MODELS)
    for axes, left_out in zip(panels, groupings, strict=True):
        errors = [gap_law.errors(rows, left_out) for rows in tables]
        for row, model in enumerate(models):
            mean, low, high = interval([means[model] for means in errors])
            colour = PALETTE[1] if model == gap_law.LAW else GREY
            if np.isfinite([low, high]).all():
                axes.plot([low, high], [row, row], color=colour)
            axes.plot(mean, row, marker="o", markersize=4, color=colour)
        axes.set_title(f"{left_out}s left out")
        axes.set_xlabel("error (points)")
    panels[0].set_xlim(left=0)
    panels[0].set_yticks(range(len(models)), models)
    panels[0].set_ylim(len(models) - 0.5, -0.5)
    notes_below(figure, [OVER_SEEDS])
    return figure


@styled
def _adversarial_curves(runs: Sequence[AdversarialRun]) -> Figure:
    """How the mean Betti curves of single images' graphs differ from those of clean images."""
    figure = new_figure(DOUBLE_COLUMN, 2.6)
    panels = figure.subplots(1, 2)
    clean, *others = (*HARMLESS, *runs[0].result.attacks)
    colours = dict(zip(others, PALETTE[1:], strict=False))
    for dimension, axes in enumerate(panels):
        for kind, colour in colours.items():
            curves = [run.result.curves for run in runs]
            differences = np.stack([by_kind[kind] - by_kind[clean] for by_kind in curves])
            plot_band(axes, runs[0].result.grid, differences[:, dimension], colour)
        axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)
        axes.set_xlabel("1 − difference of activations")
        axes.set_ylabel(f"$\\beta_{dimension}$ per node, minus clean")
        axes.set_xlim(0, 1)
    handles = [Line2D([], [], color=colour, label=KINDS[kind]) for kind, colour in colours.items()]
    legend_below(figure, handles, f"test images ({OVER_SEEDS})")
    return figure


@styled
def _adversarial_roc(runs: Sequence[AdversarialRun]) -> Figure:
    """ROC curves of the topological detector and of the network's confidence score."""
    names = list(runs[0].result.attacks)
    figure = new_figure(DOUBLE_COLUMN, 2.2 * len(names))
    panels = figure.subplots(len(names), len(HARMLESS), squeeze=False, sharex=True, sharey=True)
    for axes, (attack, kind) in zip(panels.flat, itertools.product(names, HARMLESS), strict=True):
        for name, (_, colour, height) in DETECTORS.items():
            detections = [run.result.attacks[attack].detectors[name][kind] for run in runs]
            rates = np.stack([detection.roc for detection in detections])
            plot_band(axes, runs[0].result.grid, rates, colour, highest=1)
            area = np.mean([detection.auc for detection in detections])
            axes.text(
                0.97, height, f"AUC {area:.2f}", color=colour, ha="right", transform=axes.transAxes
            )
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.5, linestyle=":")
        axes.set_title(f"{KINDS[attack]} against {KINDS[kind]}")
        axes.set(xlim=(0, 1), ylim=(0, 1))
    for axes in panels[:, 0]:
        axes.set_ylabel("attacks found")
    for axes in panels[-1]:
        axes.set_xlabel("false alarms")
    handles = [Line2D([], [], color=colour, label=label) for label, colour, _ in DETECTORS.values()]
    legend_below(figure, handles, OVER_SEEDS)
    return figure
