"""Figures of how the networks of a task were trained, and of their gaps."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gengap.errors import GengapError
from gengap.figures.colouring import Colouring, colour_by, distinct
from gengap.figures.labels import gap_label, value_label, words, wrapped
from gengap.figures.style import BLACK, DOUBLE_COLUMN, GREY, new_figure, styled
from gengap.figures.tables import by_network, matching, require

_MOST_COLUMNS = 4
_STRIP_HALF_WIDTH = 0.3
_STRIP_MEAN_HALF_WIDTH = 0.38
_MOST_STRIPS = 12
_STRIP_LETTERS = 26  # of all tick labels of a panel
_TURNED_LETTERS = 14


@styled
def training_overview(
    histories: Mapping[str, pd.DataFrame],
    gaps: pd.Series,
    colour: pd.Series,
    *,
    gap_of: str = "accuracy",
) -> Figure:
    """Draw losses and accuracies while training, and the spread of the gap.

    ``histories`` maps a network to its history (columns epoch, train_loss, train_accuracy, which is
    NaN where the targets are numbers, and is then left out); ``gaps`` and ``colour`` (a
    hyper-parameter) are indexed by network. ``gap_of`` is one of :data:`gengap.names.GAPS`.

    Returns:
        The figure.

    Raises:
        GengapError: a table is empty or lacks a column, or networks do not match.
    """
    gaps = by_network(gaps)
    unknown = sorted(set(map(str, histories)) - set(gaps.index))
    if not histories or unknown:
        raise GengapError(
            f"The training histories do not match the networks (unknown: {unknown[:5]}): "
            "give one history for networks of the same task."
        )
    colouring = colour_by(matching(colour, gaps.index, f"Hyper-parameter {colour.name!r}"))
    for network, history in histories.items():
        require(history, ("epoch", "train_loss", "train_accuracy"), f"history of network {network}")
    curves = {"train_loss": "training loss", "train_accuracy": "training accuracy"}
    if all(history["train_accuracy"].isna().all() for history in histories.values()):
        del curves["train_accuracy"]
    figure = new_figure(DOUBLE_COLUMN * (len(curves) + 1) / 3, 2.9)
    *panels, spread = figure.subplots(1, len(curves) + 1)
    for axes, (column, label) in zip(panels, curves.items(), strict=True):
        for network, history in histories.items():
            if str(network) in colouring.drawn:
                _curve(axes, history, column, colouring.colours[str(network)])
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
    if all((history["train_loss"] > 0).all() for history in histories.values()):
        panels[0].set_yscale("log")
    _histogram(spread, gaps, colouring, gap_of)
    colouring.explain(figure)
    return figure


def _curve(axes: Axes, history: pd.DataFrame, column: str, colour: tuple[float, ...]) -> None:
    single = len(history) == 1
    axes.plot(
        history["epoch"].to_numpy(),
        history[column].to_numpy(),
        color=colour,
        alpha=0.75,
        linewidth=0.8,
        marker="o" if single else "",
        markersize=3,
    )


def _histogram(axes: Axes, gaps: pd.Series, colouring: Colouring, gap_of: str) -> None:
    finite = gaps[np.isfinite(gaps)]
    bins = max(5, min(20, round(2 * math.sqrt(len(finite)))))
    edges = np.histogram_bin_edges(finite, bins=bins).tolist()
    if colouring.groups:
        groups = [finite[finite.index.isin(group.networks)] for group in colouring.groups]
        colours = [group.colour for group in colouring.groups]
        axes.hist(groups, edges, stacked=True, color=colours, edgecolor="white", linewidth=0.4)
    else:
        axes.hist(finite, edges, color=GREY, edgecolor="white", linewidth=0.4)
    axes.set_xlabel(gap_label(gap_of))
    axes.set_ylabel("networks")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"{len(finite)} networks, deviation {finite.std(ddof=0):.3f}")


@styled
def gap_by_hyper_parameter(
    gaps: pd.Series, grid: pd.DataFrame, *, colour: str, gap_of: str = "accuracy"
) -> Figure:
    """Draw the gap of every network by the value of each hyper-parameter that varies.

    A few values are strips with their mean as a bar, many numbers a plain scatter. ``gaps`` and
    the rows of ``grid`` are indexed by network; ``colour`` is a column of ``grid``, and ``gap_of``
    what the gaps are of, one of :data:`gengap.names.GAPS`.

    Returns:
        The figure.

    Raises:
        GengapError: the grid lacks a network or ``colour``, or no hyper-parameter varies.
    """
    if colour not in grid.columns:
        raise GengapError(
            f"The grid has no hyper-parameter {colour!r}: choose among {', '.join(grid.columns)}."
        )
    gaps = by_network(gaps)
    values = {name: matching(grid[name], gaps.index, f"Hyper-parameter {name!r}") for name in grid}
    varying = {str(name): column for name, column in values.items() if len(distinct(column)) > 1}
    if not varying:
        raise GengapError("No hyper-parameter of the grid varies: there is nothing to compare.")
    colouring = colour_by(values[colour])
    columns = min(len(varying), _MOST_COLUMNS)
    rows = math.ceil(len(varying) / columns)
    figure = new_figure(max(3.5, DOUBLE_COLUMN * columns / _MOST_COLUMNS), 2.0 * rows + 0.6)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, (name, column) in zip(panels, varying.items(), strict=False):
        _strips(axes, column, gaps, colouring)
        axes.set_xlabel(words(name))
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel(gap_label(gap_of))
    for axes in panels[len(varying) :]:
        axes.remove()
    figure.suptitle("Gap of each network; bars are means")
    colouring.explain(figure)
    return figure


def _strips(axes: Axes, values: pd.Series, gaps: pd.Series, colouring: Colouring) -> None:
    levels = distinct(values)
    if len(levels) > _MOST_STRIPS and pd.api.types.is_numeric_dtype(values):
        colouring.scatter(axes, values.astype(float), gaps)
        return
    labels = values.map(value_label)
    positions = pd.Series(np.nan, index=gaps.index)
    for i, level in enumerate(levels):
        members = labels.index[labels == value_label(level)]
        positions[members] = i + _spread(len(members))
        mean = gaps[members].mean()
        axes.hlines(
            mean, i - _STRIP_MEAN_HALF_WIDTH, i + _STRIP_MEAN_HALF_WIDTH, color=BLACK, zorder=3
        )
    colouring.scatter(axes, positions, gaps)
    names = [value_label(level) for level in levels]
    letters = _STRIP_LETTERS // len(names)
    if max(len(word) for name in names for word in name.split()) <= letters:
        axes.set_xticks(range(len(levels)), [wrapped(name, letters) for name in names])
    else:
        turned = [wrapped(name, _TURNED_LETTERS) for name in names]
        axes.set_xticks(range(len(levels)), turned, rotation=90)
    axes.set_xlim(-0.6, len(levels) - 0.4)


def _spread(count: int) -> np.ndarray:
    """Return offsets that keep points of one strip apart, the same in every run."""
    if count == 1:
        return np.zeros(1)
    return np.linspace(-_STRIP_HALF_WIDTH, _STRIP_HALF_WIDTH, count)
