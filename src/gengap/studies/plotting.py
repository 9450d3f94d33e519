"""What figures of several studies share: bands over seeds, dots by setup, regions of a plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from gengap.figures.style import BLACK, GREY, MARKERS, PALETTE
from gengap.studies.estimates import interval
from gengap.studies.outcomes import Floats

BAND_ALPHA = 0.18
SEED_ALPHA = 0.35
REGION_ALPHA = 0.25
POINT_AREA = 6.0

LEAST_FOR_INTERVAL = 3
"""Fewer seeds have no band: the interval of two is over ten times as wide as their distance."""

OPEN_DOT: dict[str, Any] = {"markerfacecolor": "white", "markersize": 4, "linestyle": "none"}


def plot_band(
    axes: Axes,
    x: ArrayLike,
    values: NDArray[np.floating],
    colour: str,
    *,
    label: str | None = None,
    linestyle: str = "-",
    marker: str = "",
    markersize: float = 3,
    highest: float = math.inf,
) -> Line2D:
    """Plot the mean over seeds as a line, and its 95% Student t interval as a band.

    On a logarithmic axis a band that would reach 0 ends at the least of the seeds' positive values.

    Args:
        axes: to plot in; the scale is to be set before.
        x: (m,).
        values: (seeds, m); entries that are masked or not finite count as missing. Where all are
            missing the line has a gap, and where fewer than three are there it has no band.
        colour: of line and band.
        label: for a legend.
        linestyle: of the line.
        marker: of the means.
        markersize: of the marker, in points.
        highest: at which the band is cut off, such as 1 for accuracies.

    Returns:
        The line.
    """
    columns = np.ma.masked_invalid(values).T
    present = [column.compressed() for column in columns]
    bounds = np.array([interval(column) for column in present])
    (line,) = axes.plot(
        np.asarray(x),
        bounds[:, 0],
        color=colour,
        label=label,
        linestyle=linestyle,
        marker=marker,
        markersize=markersize,
    )
    bounds[~np.isfinite(bounds)] = np.nan
    few = np.array([len(column) < LEAST_FOR_INTERVAL for column in present])
    bounds[few] = np.nan
    if axes.get_yscale() == "log":
        least = np.array([column[column > 0].min(initial=np.inf) for column in present])
        reaching = bounds[:, 1] <= 0
        bounds[reaching, 1] = np.minimum(least, bounds[:, 2])[reaching]
    if np.isfinite(bounds[:, 1]).any():
        axes.fill_between(
            np.asarray(x),
            bounds[:, 1],
            np.minimum(bounds[:, 2], highest),
            color=colour,
            alpha=BAND_ALPHA,
            linewidth=0,
        )
    return line


def plot_seeds(
    axes: Axes, x: ArrayLike, values: NDArray[np.floating], colour: str, *, marker: str = ""
) -> None:
    """Plot every seed's values (seeds, m) at x (m,): as faint marks, or without them as lines."""
    style: dict[str, Any] = (
        {"linestyle": "none", "marker": marker, "markersize": 2} if marker else {"linewidth": 0.5}
    )
    for row in values:
        axes.plot(np.asarray(x), row, color=colour, alpha=SEED_ALPHA, **style)


def plot_dots(
    axes: Axes,
    table: NDArray[np.floating],
    colours: Sequence[str],
    *,
    filled: NDArray[np.bool_] | None = None,
) -> None:
    """Plot a dot per run and setup, the setups side by side at 0, 1, ..., a line joining a run's.

    The table is (runs, setups). Dots of runs that are not ``filled`` are open and their lines
    dashed; None fills all.
    """
    solid = np.ones(len(table), dtype=bool) if filled is None else filled
    places = np.arange(table.shape[1])
    axes.plot(places, table[solid].T, color=GREY, linewidth=0.5)
    axes.plot(places, table[~solid].T, color=GREY, linewidth=0.5, linestyle="--")
    for place, colour in zip(places, colours, strict=True):
        axes.plot(np.full(solid.sum(), place), table[solid, place], ".", color=colour)
        opened = table[~solid, place]
        axes.plot(np.full(len(opened), place), opened, "o", color=colour, **OPEN_DOT)


def plot_interval(axes: Axes, place: float, values: Sequence[float]) -> None:
    """Plot the mean of values as a dash, and its 95% interval, where it is finite, as a bar."""
    mean, low, high = interval(values)
    if np.isfinite([low, high]).all():
        axes.errorbar(place, mean, [[mean - low], [high - mean]], fmt="_", color=BLACK, capsize=2)


def plot_regions(
    axes: Axes,
    x: Floats,
    y: Floats,
    predicted: NDArray[np.integer],
    points: NDArray[np.floating],
    labels: NDArray[np.integer],
) -> None:
    """Plot regions of predicted classes (g, g), y first, their boundary, and inputs (n, 2)."""
    classes = max(int(predicted.max()), int(labels.max())) + 1
    axes.pcolormesh(
        x,
        y,
        predicted,
        cmap=ListedColormap(PALETTE[:classes]),
        norm=Normalize(-0.5, classes - 0.5),
        alpha=REGION_ALPHA,
        shading="nearest",
        rasterized=True,
        linewidth=0,
        antialiased=False,
    )
    plot_boundary(axes, x, y, predicted)
    plot_points(axes, points, labels)


def plot_boundary(axes: Axes, x: Floats, y: Floats, predicted: NDArray[np.integer]) -> None:
    """Plot the lines between the regions of predicted classes (g, g), in a frame without ticks."""
    for label in np.unique(predicted)[:-1]:
        inside = (predicted == label).astype(float)
        axes.contour(x, y, inside, levels=[0.5], colors=BLACK, linewidths=0.7)
    axes.set(xticks=[], yticks=[], xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    for spine in axes.spines.values():
        spine.set_visible(True)


def plot_points(axes: Axes, points: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
    """Plot inputs (n, 2) with the mark and the colour of their class (n,)."""
    for label in np.unique(labels):
        x, y = points[labels == label].T
        axes.scatter(
            x,
            y,
            s=POINT_AREA,
            marker=MARKERS[label % len(MARKERS)],
            color=PALETTE[label % len(PALETTE)],
            edgecolors="white",
            linewidths=0.2,
        )
