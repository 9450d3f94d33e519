"""The figures of the study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray
from scipy import stats

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
from gengap.studies import Run, interval
from gengap.studies.ortizjimenez2021.models_compared import ARMS, COLUMNS, LOSS, TEST_ACCURACY

Floats = NDArray[np.float64]

LABELS = {"network": "network", "linear": "linearisation"}
COLOURS = dict(zip(ARMS, PALETTE, strict=False))
MARKS = dict(zip(ARMS, MARKERS, strict=False))
WORDS = {"mlp": "MLP", "lenet": "LeNet", "resnet18": "ResNet-18"}

PANEL = 2.3  # inches, the height of a panel
SHOWN_PROFILES = 3
SHOWN_IMAGES = 7
LEAST_FOR_INTERVAL = 3


def grouped(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that differ by seed alone, by what sets them apart from the others."""
    keys = [key for key in runs[0].settings if len({repr(r.settings.get(key)) for r in runs}) > 1]
    keys = keys or ["architecture"]
    groups: dict[str, list[Run]] = {}
    for run in runs:
        values = [str(run.settings.get(key, "lenet")) for key in keys]
        groups.setdefault(", ".join(WORDS.get(value, value) for value in values), []).append(run)
    return groups


def accuracies(runs: Sequence[Run], arm: str) -> Floats:
    """Test accuracy at the end of training, (seeds, tasks)."""
    curves = np.array([run.outcome.arrays["curves"] for run in runs])
    final: Floats = curves[:, :, ARMS.index(arm), -1, TEST_ACCURACY]
    return final


@styled
def accuracy_by_index(runs: Sequence[Run], label: str) -> Figure:
    """Test accuracy of both arms on each task, one panel a group; bands are 95% intervals."""
    groups = grouped(runs)
    figure = new_figure(_width(len(groups)), PANEL + 0.4)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    handles: list[Line2D] = []
    for axes, (name, group) in zip(panels, groups.items(), strict=True):
        indices = group[0].settings["indices"]
        handles = [_with_band(axes, accuracies(group, arm), arm) for arm in ARMS]
        if "majority" in group[0].outcome.arrays:
            majority = np.mean([run.outcome.arrays["majority"] for run in group], axis=0)
            axes.plot(majority, color=GREY, linestyle=":", linewidth=1)
            handles.append(Line2D([], [], color=GREY, linestyle=":", label="larger class"))
        axes.set_xticks(range(len(indices)), [str(index) for index in indices])
        axes.set_xlabel(label)
        axes.set_title(f"{name}, {_seeds(group)}")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    panels[0].set_ylabel("test accuracy")
    legend_below(figure, handles)
    return figure


@styled
def alignment_by_index(runs: Sequence[Run]) -> Figure:
    """The kernel's share along the initial eigenfunctions, and along the labels of each task."""
    groups = grouped(runs)
    figure = new_figure(_width(len(groups)), 2 * PANEL + 0.5)
    exceeds, below = figure.subplots(2, len(groups), sharey="row", squeeze=False)
    for axes, (name, group) in zip(exceeds, groups.items(), strict=True):
        _profiles(axes, group)
        axes.set_title(f"{name}, {_seeds(group)}")
    for axes, group in zip(below, groups.values(), strict=True):
        indices = group[0].settings["indices"]
        for key, colour, marker in (
            ("alignment_before", BLACK, "o"),
            ("alignment_after", PALETTE[0], "s"),
        ):
            values = np.array([run.outcome.arrays[key] for run in group])
            for each in values:
                axes.plot(each, marker, color=colour, markersize=2, alpha=0.35)
            axes.plot(_geometric(values), "-", color=colour, marker=marker, markersize=4)
        axes.set_yscale("log")
        axes.set_xticks(range(len(indices)), [str(index) for index in indices])
        axes.set_xlabel("index of the eigenfunction that was learnt")
    exceeds[0].set_ylabel("share of the kernel's trace\nalong an initial eigenfunction")
    below[0].set_ylabel("share of the kernel's trace\nalong the labels")
    legend_below(
        figure,
        [
            Line2D([], [], color=BLACK, marker="o", markersize=4, label="at initialisation"),
            Line2D([], [], color=PALETTE[0], marker="s", markersize=4, label="after training"),
        ],
    )
    figure.align_ylabels()
    return figure


def _profiles(axes: Axes, group: Sequence[Run]) -> None:
    """The spectrum before, and after learning a few of the tasks, over the eigenfunctions."""
    before = _geometric(np.array([run.outcome.arrays["profile_before"] for run in group]))
    after = _geometric(np.array([run.outcome.arrays["profile_after"] for run in group]))
    place = np.arange(len(before))
    axes.plot(place, before, color=BLACK, linewidth=1.2)
    indices = group[0].settings["indices"]
    shown = np.unique(np.linspace(0, len(indices) - 1, SHOWN_PROFILES).round().astype(int))
    for colour, task in zip(PALETTE[1:], shown, strict=False):
        axes.plot(place, after[task], color=colour, linewidth=0.7)
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
def ranking(runs: Sequence[Run]) -> Figure:
    """Test accuracy of the network against that of its linearisation, a point a task and seed."""
    groups = grouped(runs)
    figure = new_figure(SINGLE_COLUMN, SINGLE_COLUMN + 0.3)
    axes = figure.subplots()
    lowest = 1.0
    handles = []
    for (name, group), colour, marker in zip(groups.items(), PALETTE, MARKERS, strict=False):
        linear, network = accuracies(group, "linear"), accuracies(group, "network")
        rank = np.mean([spearman(one, other) for one, other in zip(linear, network, strict=True)])
        axes.plot(linear.ravel(), network.ravel(), marker, color=colour, markersize=3.5, alpha=0.6)
        label = f"{name}: Spearman {rank:.2f}"
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", label=label))
        lowest = min(lowest, linear.min(), network.min())
    span = [lowest - 0.02, 1.01]
    axes.plot(span, span, color=GREY, linewidth=0.8, zorder=0)
    axes.set(xlim=span, ylim=span, aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("test accuracy of the linearisation")
    axes.set_ylabel("test accuracy of the network")
    legend_below(figure, handles)
    return figure


@styled
def accuracy_by_task(runs: Sequence[Run]) -> Figure:
    """Test accuracy of both arms on each task of classes, all seeds."""
    groups = grouped(runs)
    figure = new_figure(max(SINGLE_COLUMN, 0.9 * len(groups) + 0.8), PANEL + 0.5)
    axes = figure.subplots()
    for place, group in enumerate(groups.values()):
        for shift, arm in zip((-0.16, 0.16), ARMS, strict=True):
            values = accuracies(group, arm)[:, 0]
            spread = np.linspace(-0.07, 0.07, len(values)) if len(values) > 1 else np.zeros(1)
            axes.plot(
                place + shift + spread, values, MARKS[arm], color=COLOURS[arm], markersize=3,
                alpha=0.6,
            )  # fmt: skip
            axes.hlines(
                values.mean(), place + shift - 0.12, place + shift + 0.12, color=COLOURS[arm]
            )
        majority = np.mean([run.outcome.values["majority"] for run in group])
        axes.hlines(majority, place - 0.3, place + 0.3, color=GREY, linestyle=":")
    axes.set_xticks(range(len(groups)), [name.replace(", ", "\n") for name in groups])
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylabel("test accuracy")
    marks = [
        Line2D([], [], color=COLOURS[arm], marker=MARKS[arm], linestyle="", label=LABELS[arm])
        for arm in ARMS
    ]
    legend_below(figure, [*marks, Line2D([], [], color=GREY, linestyle=":", label="larger class")])
    return figure


@styled
def direction_images(runs: Sequence[Run]) -> Figure:
    """Directions of the first seed of each group as images, and all seeds' singular values."""
    groups = grouped(runs)
    figure = new_figure(DOUBLE_COLUMN, 1.3 * len(groups) + 0.2)
    rows = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
    for row, (name, group) in zip(rows, groups.items(), strict=True):
        indices = group[0].settings["indices"][:SHOWN_IMAGES]
        panels = row.subplots(1, len(indices) + 1, width_ratios=[*[1.0] * len(indices), 1.7])
        for axes, index in zip(panels, indices, strict=False):
            image = group[0].outcome.arrays["directions"][index]
            _image(axes, image)
            axes.set_title(f"index {index}")
        for run in group:
            values = run.outcome.arrays["singular_values"]
            panels[-1].plot(values / values[0], color=PALETTE[0], linewidth=0.8, alpha=0.7)
        panels[-1].set_yscale("log")
        panels[-1].set_xlabel("index")
        panels[-1].set_ylabel("singular value\n(largest: 1)")
        panels[0].set_ylabel(name)
    return figure


def _image(axes: Axes, image: NDArray[np.float32]) -> None:
    limit = float(np.abs(image).max())
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap=DIVERGING, vmin=-limit, vmax=limit)
    else:
        axes.imshow(0.5 + image / (2 * limit))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


@styled
def pretrained_curves(runs: Sequence[Run]) -> Figure:
    """Training loss and test accuracy of the network and of its linearisations."""
    groups = grouped(runs)
    names = (
        "network",
        "kernel at initialisation",
        "kernel of the trained network",
        "the same at the initial trace",
    )
    figure = new_figure(DOUBLE_COLUMN, PANEL * len(groups) + 0.4)
    rows = figure.subplots(len(groups), 2, squeeze=False)
    for row, (name, group) in zip(rows, groups.items(), strict=True):
        curves = np.array([run.outcome.arrays["curves"] for run in group])
        epochs = np.arange(1, curves.shape[2] + 1)
        for axes, column in zip(row, (LOSS, TEST_ACCURACY), strict=True):
            for arm, colour in enumerate(PALETTE[: len(names)]):
                for each in curves[:, arm, :, column]:
                    axes.plot(epochs, each, color=colour, linewidth=0.5, alpha=0.35)
                mean = curves[:, arm, :, column].mean(0)
                axes.plot(epochs, mean, color=colour, linewidth=1.5)
            axes.set_xlabel("epoch")
            axes.set_ylabel(COLUMNS[column].replace("_", " ").replace("train", "training"))
        row[0].set_yscale("log")
        row[0].yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        row[0].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        row[0].yaxis.set_minor_formatter(NullFormatter())
        row[0].set_title(f"{name}, {_seeds(group)}", loc="left")
        row[1].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    legend_below(
        figure,
        [
            Line2D([], [], color=colour, linewidth=1.5, label=name)
            for colour, name in zip(PALETTE, names, strict=False)
        ],
    )
    return figure


def spearman(one: Floats, other: Floats) -> float:
    """Spearman's rank correlation; NaN where one of the two is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(stats.spearmanr(one, other).statistic)


def _with_band(axes: Axes, values: Floats, arm: str) -> Line2D:
    """Mean over seeds with its interval, and every seed as a faint mark."""
    place = np.arange(values.shape[1])
    for each in values:
        axes.plot(place, each, MARKS[arm], color=COLOURS[arm], markersize=2, alpha=0.35)
    if len(values) >= LEAST_FOR_INTERVAL:
        bands = np.array([interval(column.tolist()) for column in values.T])
        axes.fill_between(
            place, bands[:, 1], np.minimum(bands[:, 2], 1.0), color=COLOURS[arm], alpha=0.15,
            linewidth=0,
        )  # fmt: skip
    (line,) = axes.plot(
        place, values.mean(0), color=COLOURS[arm], marker=MARKS[arm], markersize=3.5,
        label=LABELS[arm],
    )  # fmt: skip
    return line


def _geometric(values: Floats) -> Floats:
    """Geometric mean over seeds (seeds, ...); shares of no more than rounding count as that."""
    mean: Floats = np.exp(np.log(np.maximum(values, np.finfo(np.float32).eps)).mean(0))
    return mean


def _seeds(group: Sequence[Run]) -> str:
    return f"{len(group)} seeds" if len(group) > 1 else "one seed"


def _width(panels: int) -> float:
    return SINGLE_COLUMN if panels == 1 else DOUBLE_COLUMN
