"""The figures of each experiment, by a function of the experiment's name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
    StrMethodFormatter,
)

from gengap.figures.style import (
    BLACK,
    DIVERGING,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    PALETTE,
    SINGLE_COLUMN,
    legend_below,
    new_figure,
    styled,
)
from gengap.studies.estimates import rank_correlation
from gengap.studies.ortizjimenez2021.experiments.class_tasks import ClassTasksRun
from gengap.studies.ortizjimenez2021.experiments.directions import DirectionsRun
from gengap.studies.ortizjimenez2021.experiments.eigenfunction_tasks import EigenfunctionTasksRun
from gengap.studies.ortizjimenez2021.experiments.pretrained import LEARNERS, PretrainedRun
from gengap.studies.ortizjimenez2021.experiments.training_sizes import TrainingSizesRun
from gengap.studies.ortizjimenez2021.models_compared import (
    COLUMNS,
    LOSS,
    MODELS,
    NORMS,
    TEST_ACCURACY,
    HasCurves,
    final_accuracies,
    grouped,
)
from gengap.studies.outcomes import AnyRun, Floats, Floats32, Integers, Run, setting
from gengap.studies.plotting import plot_band, plot_seeds

LABELS = {"network": "network", "linear": "linearisation"}
COLOURS = dict(zip(MODELS, PALETTE, strict=False))
MARKS = dict(zip(MODELS, MARKERS, strict=False))
LEARNER_LABELS = {
    "network": "network",
    "initial": "kernel at initialisation",
    "trained": "kernel of the trained network",
    "rescaled": "the same at the initial trace",
}

NORM_LABELS = {
    "weight_norm": "norm of the weights",
    "distance": "distance from initialisation",
    "gradient_norm": "norm of the gradient",
}

TIMES = {"at initialisation": (BLACK, "o"), "after training": (PALETTE[0], "s")}
"""Colour and mark of alignments, by when they were taken."""

PANEL = 2.3  # inches, the height of a panel
SHOWN_PROFILES = 3
SHOWN_IMAGES = 7
MOST_DIVIDED = 300.0  # a logarithmic axis beyond this ratio has ticks at powers of ten alone


def eigenfunction_tasks(runs: Sequence[EigenfunctionTasksRun]) -> dict[str, Figure]:
    """Plot accuracy and alignment by index, both models' ranking, and norms along training."""
    return {
        "accuracy": _accuracies(runs, "indices", "index of the eigenfunction"),
        "alignment": _alignment_by_index(runs),
        "alignment_parts": _alignment_parts(runs),
        "ranking": _ranking(runs),
        "norms": _norms(runs, [f"index {index}" for index in runs[0].settings.indices]),
    }


def class_tasks(runs: Sequence[ClassTasksRun]) -> dict[str, Figure]:
    """Plot the accuracy of both models by task and architecture, and norms along training."""
    return {"accuracy": _accuracy_by_task(runs), "norms": _norms(runs, ["classes"])}


def training_sizes(runs: Sequence[TrainingSizesRun]) -> dict[str, Figure]:
    """Plot the accuracy of both models by the number of training inputs."""
    return {"accuracy": _accuracies(runs, "sizes", "training inputs")}


def directions(runs: Sequence[DirectionsRun]) -> dict[str, Figure]:
    """Plot the directions as images, singular values, accuracy by index, and norms."""
    return {
        "images": _direction_images(runs),
        "accuracy": _accuracies(runs, "indices", "index of the direction"),
        "norms": _norms(runs, [f"index {index}" for index in runs[0].settings.indices]),
    }


def pretrained(runs: Sequence[PretrainedRun]) -> dict[str, Figure]:
    """Plot loss and accuracy of the network and of its linearisations while they train."""
    return {"curves": _pretrained_curves(runs)}


@styled
def _accuracies(runs: Sequence[AnyRun], numbers: str, label: str) -> Figure:
    """Test accuracy by the numbers of a setting, a panel per group; the larger class, if known."""
    groups = grouped(runs)
    figure = new_figure(_width(len(groups)), PANEL + 0.4)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    handles: list[Line2D] = []
    for axes, (name, group) in zip(panels, groups.items(), strict=True):
        handles = _plot_accuracies(axes, group, setting(group[0].settings, numbers))
        axes.set_title(f"{name}, {_seeds(group)}")
        axes.set_xlabel(label)
        if hasattr(group[0].result, "majority"):
            majority = np.mean([run.result.majority for run in group], axis=0)
            axes.plot(majority, color=GREY, linestyle=":", linewidth=1)
            handles.append(Line2D([], [], color=GREY, linestyle=":", label="larger class"))
        if getattr(group[0].result, "baseline_curves", None) is not None:
            handles += _baseline(axes, group)
    panels[0].set_ylabel("test accuracy")
    legend_below(figure, handles)
    return figure


def _baseline(axes: Axes, group: Sequence[EigenfunctionTasksRun]) -> list[Line2D]:
    """Lines at both models' mean test accuracy on the groups of classes; entries of a legend."""
    handles = []
    for model in MODELS:
        curves = [run.result.baseline_curves for run in group]
        mean = np.mean(
            [
                curve[0, MODELS.index(model), -1, TEST_ACCURACY]
                for curve in curves
                if curve is not None
            ]
        )
        line = axes.axhline(float(mean), color=COLOURS[model], linestyle="--", linewidth=1)
        label = f"{LABELS[model]}, {group[0].settings.baseline} of the classes"
        line.set_label(label)
        handles.append(line)
    return handles


@styled
def _norms(runs: Sequence[AnyRun], tasks: Sequence[str]) -> Figure:
    """Norms of the network's weights, of their way and of the gradient along training."""
    groups = grouped(runs)
    figure = new_figure(DOUBLE_COLUMN, PANEL * len(groups) + 0.4)
    rows = figure.subplots(len(groups), len(NORMS), squeeze=False)
    shown = _shown(len(tasks))
    for row, (name, group) in zip(rows, groups.items(), strict=True):
        norms = np.array([run.result.norms for run in group])
        epochs = np.arange(1, norms.shape[2] + 1)
        for column, axes in enumerate(row):
            for colour, task in zip(PALETTE, shown, strict=False):
                _plot_curves(axes, epochs, norms[:, task, :, column], colour)
            axes.set_xlabel("epoch")
            axes.set_ylabel(NORM_LABELS[NORMS[column]])
        row[-1].set_yscale("log")
        row[0].set_title(f"{name}, {_seeds(group)}", loc="left")
    legend_below(
        figure,
        [
            Line2D([], [], color=colour, linewidth=1.5, label=tasks[task])
            for colour, task in zip(PALETTE, shown, strict=False)
        ],
    )
    return figure


def _plot_accuracies(
    axes: Axes, group: Sequence[Run[object, HasCurves]], numbers: Sequence[int]
) -> list[Line2D]:
    """Every seed's test accuracy on each task, and the mean with its 95% interval."""
    places = np.arange(len(numbers))
    handles = []
    for model in MODELS:
        accuracies = _accuracy_table(group, model)
        plot_seeds(axes, places, accuracies, COLOURS[model], marker=MARKS[model])
        line = plot_band(
            axes,
            places,
            accuracies,
            COLOURS[model],
            label=LABELS[model],
            marker=MARKS[model],
            markersize=3.5,
            highest=1.0,
        )
        handles.append(line)
    axes.set_xticks(places, [str(number) for number in numbers])
    _in_percent(axes.yaxis)
    return handles


def _plot_curves(axes: Axes, epochs: Integers, values: Floats, colour: str) -> None:
    """Every seed's curve (seeds, epochs), and their mean."""
    plot_seeds(axes, epochs, values, colour)
    axes.plot(epochs, values.mean(axis=0), color=colour, linewidth=1.5)


def _in_percent(axis: Axis) -> None:
    """Label the ticks of fractions in whole percent."""
    axis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _accuracy_table(group: Sequence[Run[object, HasCurves]], model: str) -> Floats:
    """Test accuracy at the end of training, (seeds, tasks)."""
    return np.array([final_accuracies(run.result, model) for run in group])


@styled
def _alignment_by_index(runs: Sequence[EigenfunctionTasksRun]) -> Figure:
    """The kernel's fraction along the initial eigenfunctions, and along the labels of each task."""
    groups = grouped(runs)
    figure = new_figure(_width(len(groups)), 2 * PANEL + 0.5)
    upper, lower = figure.subplots(2, len(groups), sharey="row", squeeze=False)
    for axes, (name, group) in zip(upper, groups.items(), strict=True):
        _profiles(axes, group)
        axes.set_title(f"{name}, {_seeds(group)}")
    for axes, group in zip(lower, groups.values(), strict=True):
        before = np.array([run.result.alignment_before for run in group])
        after = np.array([run.result.alignment_after for run in group])
        _plot_before_and_after(axes, before, after, group[0].settings.indices)
    upper[0].set_ylabel("fraction of the kernel's trace\nalong an initial eigenfunction")
    lower[0].set_ylabel("fraction of the kernel's trace\nalong the labels")
    legend_below(figure, _before_and_after())
    figure.align_ylabels()
    return figure


@styled
def _alignment_parts(runs: Sequence[EigenfunctionTasksRun]) -> Figure:
    """The normalised alignment with the labels, within training inputs and within test inputs."""
    groups = grouped(runs)
    figure = new_figure(DOUBLE_COLUMN, PANEL * len(groups) + 0.4)
    rows = figure.subplots(len(groups), 2, sharey="row", squeeze=False)
    for row, (name, group) in zip(rows, groups.items(), strict=True):
        for part, axes in enumerate(row):
            before = np.array([run.result.parts_before[:, part] for run in group])
            after = np.array([run.result.parts_after[:, part] for run in group])
            _plot_before_and_after(axes, before, after, group[0].settings.indices)
            axes.set_title(f"{name}, {'test' if part else 'training'} inputs")
        row[0].set_ylabel("fraction of the kernel's trace\nalong the labels")
    legend_below(figure, _before_and_after())
    return figure


def _plot_before_and_after(
    axes: Axes, before: Floats, after: Floats, indices: Sequence[int]
) -> None:
    """Alignments (seeds, tasks) before and after learning each task: all, and geometric means."""
    places = np.arange(len(indices))
    for values, (colour, marker) in zip((before, after), TIMES.values(), strict=True):
        plot_seeds(axes, places, values, colour, marker=marker)
        axes.plot(places, _geometric_mean(values), color=colour, marker=marker, markersize=4)
    axes.set_yscale("log")
    axes.set_xticks(places, [str(index) for index in indices])
    axes.set_xlabel("index of the eigenfunction that was learnt")


def _before_and_after() -> list[Line2D]:
    return [
        Line2D([], [], color=colour, marker=marker, markersize=4, label=label)
        for label, (colour, marker) in TIMES.items()
    ]


def _profiles(axes: Axes, group: Sequence[EigenfunctionTasksRun]) -> None:
    """The profile before, and after learning a few of the tasks, over the eigenfunctions."""
    before = _geometric_mean(np.array([run.result.profile_before for run in group]))
    after = _geometric_mean(np.array([run.result.profile_after for run in group]))
    places = np.arange(len(before))
    axes.plot(places, before, color=BLACK, linewidth=1.2)
    indices = group[0].settings.indices
    for colour, task in zip(PALETTE[1:], _shown(len(indices)), strict=False):
        axes.plot(places, after[task], color=colour, linewidth=0.7)
        index = indices[task]
        if index < len(before):
            axes.plot(index, after[task, index], "v", color=colour, markersize=5)
            axes.annotate(
                f" learnt {index}", (index, after[task, index]), color=colour, va="bottom"
            )
    axes.set_xscale("symlog", linthresh=1.0)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_yscale("log")
    axes.set_xlabel("index of the initial eigenfunction")


@styled
def _ranking(runs: Sequence[EigenfunctionTasksRun]) -> Figure:
    """Test accuracy of the network against that of its linearisation, a point a task and seed."""
    figure = new_figure(SINGLE_COLUMN, SINGLE_COLUMN + 0.3)
    axes = figure.subplots()
    lowest = 1.0
    handles = []
    for (name, group), colour, marker in zip(grouped(runs).items(), PALETTE, MARKERS, strict=False):
        linear, network = _accuracy_table(group, "linear"), _accuracy_table(group, "network")
        rank = np.mean([rank_correlation(*rows) for rows in zip(linear, network, strict=True)])
        axes.plot(linear.ravel(), network.ravel(), marker, color=colour, markersize=3.5, alpha=0.6)
        label = f"{name}: Spearman {rank:.2f}"
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", label=label))
        lowest = min(lowest, linear.min(), network.min())
    span = (lowest - 0.02, 1.01)
    axes.plot(span, span, color=GREY, linewidth=0.8, zorder=0)
    axes.set(xlim=span, ylim=span, aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        _in_percent(axis)
    axes.set_xlabel("test accuracy of the linearisation")
    axes.set_ylabel("test accuracy of the network")
    legend_below(figure, handles)
    return figure


@styled
def _accuracy_by_task(runs: Sequence[ClassTasksRun]) -> Figure:
    """Test accuracy of both models on each task of classes, all seeds."""
    groups = grouped(runs)
    figure = new_figure(max(SINGLE_COLUMN, 0.9 * len(groups) + 0.8), PANEL + 0.5)
    axes = figure.subplots()
    for place, group in enumerate(groups.values()):
        for shift, model in zip((-0.16, 0.16), MODELS, strict=True):
            values = _accuracy_table(group, model)[:, 0]
            spread = np.linspace(-0.07, 0.07, len(values)) if len(values) > 1 else np.zeros(1)
            axes.plot(
                place + shift + spread,
                values,
                MARKS[model],
                color=COLOURS[model],
                markersize=3,
                alpha=0.6,
            )
            ends = place + shift - 0.12, place + shift + 0.12
            axes.hlines(values.mean(), *ends, color=COLOURS[model])
        majority = np.mean([run.result.majority for run in group])
        axes.hlines(majority, place - 0.3, place + 0.3, color=GREY, linestyle=":")
    axes.set_xticks(range(len(groups)), [name.replace(", ", "\n") for name in groups])
    _in_percent(axes.yaxis)
    axes.set_ylabel("test accuracy")
    marks = [
        Line2D([], [], color=COLOURS[name], marker=MARKS[name], linestyle="", label=LABELS[name])
        for name in MODELS
    ]
    legend_below(figure, [*marks, Line2D([], [], color=GREY, linestyle=":", label="larger class")])
    return figure


@styled
def _direction_images(runs: Sequence[DirectionsRun]) -> Figure:
    """Directions of the first seed of each group as images, and all seeds' singular values."""
    groups = grouped(runs)
    figure = new_figure(DOUBLE_COLUMN, 1.3 * len(groups) + 0.2)
    rows = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
    for row, (name, group) in zip(rows, groups.items(), strict=True):
        indices = group[0].settings.indices[:SHOWN_IMAGES]
        panels = row.subplots(1, len(indices) + 1, width_ratios=[*[1.0] * len(indices), 1.7])
        for axes, index in zip(panels, indices, strict=False):
            _image(axes, group[0].result.directions[index])
            axes.set_title(f"index {index}")
        for run in group:
            values = run.result.singular_values
            panels[-1].plot(values / values[0], color=PALETTE[0], linewidth=0.8, alpha=0.7)
        panels[-1].set_yscale("log")
        panels[-1].set_xlabel("index")
        panels[-1].set_ylabel("singular value\n(largest: 1)")
        panels[0].set_ylabel(name)
    return figure


def _image(axes: Axes, image: Floats32) -> None:
    limit = float(np.abs(image).max())
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap=DIVERGING, vmin=-limit, vmax=limit)
    else:
        axes.imshow(0.5 + image / (2 * limit))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


@styled
def _pretrained_curves(runs: Sequence[PretrainedRun]) -> Figure:
    """Training loss and test accuracy of the network and of its linearisations."""
    groups = grouped(runs)
    figure = new_figure(DOUBLE_COLUMN, PANEL * len(groups) + 0.4)
    rows = figure.subplots(len(groups), 2, squeeze=False)
    colours = dict(zip(LEARNERS, PALETTE, strict=False))
    for row, (name, group) in zip(rows, groups.items(), strict=True):
        curves = np.array([run.result.curves for run in group])
        epochs = np.arange(1, curves.shape[2] + 1)
        for axes, column in zip(row, (LOSS, TEST_ACCURACY), strict=True):
            for place, colour in enumerate(colours.values()):
                _plot_curves(axes, epochs, curves[:, place, :, column], colour)
            axes.set_xlabel("epoch")
            axes.set_ylabel(COLUMNS[column].replace("_", " ").replace("train", "training"))
        row[0].set_yscale("log")
        low, high = row[0].get_ylim()
        few_decades = high < MOST_DIVIDED * low
        row[0].yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few_decades else (1.0,)))
        row[0].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        row[0].yaxis.set_minor_formatter(NullFormatter())
        row[0].set_title(f"{name}, {_seeds(group)}", loc="left")
        _in_percent(row[1].yaxis)
    legend_below(
        figure,
        [
            Line2D([], [], color=colour, linewidth=1.5, label=LEARNER_LABELS[name])
            for name, colour in colours.items()
        ],
    )
    return figure


def _shown(tasks: int) -> Integers:
    """The places of a few of so many tasks, from the first to the last."""
    return np.unique(np.linspace(0, tasks - 1, SHOWN_PROFILES).round().astype(int))


def _geometric_mean(values: Floats) -> Floats:
    """Geometric mean over seeds (seeds, ...); fractions up to rounding count as its size."""
    mean: Floats = np.exp(np.log(np.maximum(values, np.finfo(np.float32).eps)).mean(0))
    return mean


def _seeds(group: Sequence[AnyRun]) -> str:
    return f"{len(group)} seeds" if len(group) > 1 else "one seed"


def _width(panels: int) -> float:
    return SINGLE_COLUMN if panels == 1 else DOUBLE_COLUMN
