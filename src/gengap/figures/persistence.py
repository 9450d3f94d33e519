"""Persistence diagrams and barcodes of a few networks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from gengap.errors import GengapError
from gengap.figures.style import (
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    PALETTE,
    SINGLE_COLUMN,
    SMALL_SIZE,
    new_figure,
    styled,
)

INFINITE = "∞"
_MOST_VECTOR_MARKS = 2000  # more would make an SVG or PDF that no reader opens
_MARGIN = 0.04
_LARGE_MARK, _SMALL_MARK = 9.0, 3.0  # square points
_MARKS_UNTIL_PALE = 300  # from here on the density of marks shows by transparency


@styled
def persistence_diagrams(networks: Mapping[str, Sequence[Sequence[np.ndarray]]]) -> Figure:
    """Draw births against deaths of a few networks side by side, on equal axes.

    ``networks`` holds, by the title of a panel, per draw of neurons, one (bars, 2) array per
    dimension; the draws of one network lie on top of each other. Each dimension has its own colour
    and mark; infinite bars lie on the dashed line at the top.

    Returns:
        The figure.

    Raises:
        GengapError: a network has no draw or no bar, or an array has another shape.
    """
    dimensions = {title: _dimensions(draws) for title, draws in networks.items()}
    largest = max(map(_largest, dimensions.values()))
    width = SINGLE_COLUMN if len(networks) == 1 else DOUBLE_COLUMN * len(networks) / 2
    figure = new_figure(width, SINGLE_COLUMN + 0.2)
    panels = figure.subplots(1, len(networks), squeeze=False, sharey=True)[0]
    for axes, (title, bars) in zip(panels, dimensions.items(), strict=True):
        _plot_diagram(axes, bars, largest)
        axes.set_title("\n".join(filter(None, [title, _count(len(networks[title]))])))
    panels[0].set_ylabel("death")
    return figure


def _plot_diagram(axes: Axes, dimensions: list[np.ndarray], largest: float) -> None:
    at_infinity = largest * (1 + 2.5 * _MARGIN)
    axes.plot([0, largest], [0, largest], color=GREY, linewidth=0.6, zorder=0)
    for dimension, bars in enumerate(dimensions):
        if not len(bars):
            continue
        deaths = np.where(np.isinf(bars[:, 1]), at_infinity, bars[:, 1])
        axes.scatter(
            bars[:, 0],
            deaths,
            s=_LARGE_MARK if len(bars) <= _MOST_VECTOR_MARKS else _SMALL_MARK,
            marker=MARKERS[dimension],
            facecolors="none",
            edgecolors=PALETTE[dimension],
            linewidths=0.6,
            alpha=float(np.clip(_MARKS_UNTIL_PALE / len(bars), 0.05, 0.7)),
            label=f"H{dimension} ({len(bars)} bars)",
            rasterized=len(bars) > _MOST_VECTOR_MARKS,
            clip_on=False,
        )
    if any(np.isinf(bars).any() for bars in dimensions):
        axes.axhline(at_infinity, color=GREY, linewidth=0.6, linestyle="--", zorder=0)
        axes.annotate(
            INFINITE,
            (1, at_infinity),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_xlim(-_MARGIN * largest, largest * (1 + _MARGIN))
    axes.set_ylim(-_MARGIN * largest, largest * (1 + 4 * _MARGIN))
    axes.set_aspect("equal")
    axes.set_xlabel("birth")
    # The area under the diagonal is empty by definition: no bar dies before it is born.
    legend = axes.legend(loc="lower right", handletextpad=0.3)
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_alpha(1)
            handle.set_sizes([_LARGE_MARK])


@styled
def barcodes(networks: Mapping[str, Sequence[np.ndarray]]) -> Figure:
    """Draw the bars of one draw of a few networks side by side, sorted by birth, then death.

    ``networks`` holds, by the title of a column, one (bars, 2) array per dimension, each a panel.
    Infinite bars go to the right edge and end in an arrow.

    Returns:
        The figure.

    Raises:
        GengapError: a network has no bar, or an array has another shape.
    """
    columns = {title: _dimensions([diagrams]) for title, diagrams in networks.items()}
    largest = max(map(_largest, columns.values()))
    edge = largest * (1 + 2 * _MARGIN)
    rows = max(map(len, columns.values()))
    width = SINGLE_COLUMN if len(columns) == 1 else DOUBLE_COLUMN * len(columns) / 2
    figure = new_figure(width, 0.8 + 1.5 * rows)
    panels = figure.subplots(rows, len(columns), sharex=True, squeeze=False)
    for column, (title, dimensions) in enumerate(columns.items()):
        for dimension in range(rows):
            axes = panels[dimension, column]
            bars = dimensions[dimension] if dimension < len(dimensions) else np.zeros((0, 2))
            _plot_bars(axes, bars, edge, PALETTE[dimension])
            axes.set_ylabel(f"H{dimension}" if column == 0 else "")
            axes.set_title(f"{len(bars)} bars", loc="right", fontsize=SMALL_SIZE)
            axes.set_xlim(0, largest * (1 + 3 * _MARGIN))
        panels[0, column].set_title(title, loc="left")
        panels[-1, column].set_xlabel("dissimilarity")
    return figure


def _plot_bars(axes: Axes, bars: np.ndarray, edge: float, colour: str) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    room = 0.5 + _MARGIN * len(bars)
    axes.set_ylim(max(1, len(bars)) - 1 + room, -room)
    if not len(bars):
        axes.text(
            0.5, 0.5, "no bars", transform=axes.transAxes, ha="center", va="center", color=GREY
        )
        return
    bars = bars[np.lexsort((bars[:, 1], bars[:, 0]))]
    rows = np.arange(len(bars))
    infinite = np.isinf(bars[:, 1])
    ends = np.where(infinite, edge, bars[:, 1])
    segments = np.stack(
        [np.stack([bars[:, 0], rows], axis=1), np.stack([ends, rows], axis=1)], axis=1
    )
    height = 72.0 / len(bars)  # points; a panel is about an inch high
    axes.add_collection(
        LineCollection(
            list(segments),
            colors=colour,
            linewidths=float(np.clip(0.6 * height, 0.3, 3.0)),
            rasterized=len(bars) > _MOST_VECTOR_MARKS,
        )
    )
    if infinite.any():
        axes.plot(
            ends[infinite], rows[infinite], linestyle="", marker=">", markersize=4, color=colour
        )


def _dimensions(draws: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """The bars of all draws, one (bars, 2) float array per dimension."""
    for draw, diagrams in enumerate(draws):
        for dimension, bars in enumerate(diagrams):
            shape = np.shape(bars)
            if len(shape) != 2 or shape[1] != 2:
                raise GengapError(
                    f"The diagram of draw {draw}, H{dimension} has shape {shape}: "
                    "give one (bars, 2) array of births and deaths per dimension."
                )
    depth = max((len(diagrams) for diagrams in draws), default=0)
    dimensions = [
        np.concatenate(
            [np.asarray(draw[dimension], dtype=float) for draw in draws if len(draw) > dimension]
        )
        for dimension in range(depth)
    ]
    if not any(len(bars) for bars in dimensions):
        raise GengapError("The persistence diagrams have no bars: give a draw that has some.")
    return dimensions


def _largest(dimensions: list[np.ndarray]) -> float:
    finite = np.concatenate([bars[np.isfinite(bars)] for bars in dimensions])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def _count(draws: int) -> str:
    return "" if draws == 1 else f"{draws} draws of neurons"
