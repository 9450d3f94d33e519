"""Plots of the decision boundary and of alignments, over a plane and over embedded inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gengap.figures.style import (
    BLACK,
    DIVERGING,
    DOUBLE_COLUMN,
    MARKERS,
    PALETTE,
    SMALL_SIZE,
    legend_below,
    new_figure,
)
from gengap.studies.outcomes import Floats, Floats32, Integers
from gengap.studies.plotting import plot_boundary, plot_regions
from gengap.studies.sabanayagam2023.quantities import AlignmentMaps

ALIGNMENT = Normalize(-1.0, 1.0)
"""The scale of colours of all alignments."""

MOST_MAPS = 12
IMAGE_AREA = 7.0
MANY_IMAGES = 500
"""More images have smaller dots."""
MARKED = ListedColormap(["white", PALETTE[1]])


@dataclass(frozen=True)
class Row:
    """One solution in a figure of maps: its label, and the training inputs (n, 2) in the plane.

    The eigenvalues descend and are at least as many as maps.
    """

    label: str
    maps: AlignmentMaps
    eigenvalues: Floats
    points: Floats32
    labels: Integers


def map_figure(
    rows: Sequence[Row],
    width: float,
    height: float,
    *,
    maps: int | None = None,
    own_colours: bool = False,
) -> Figure:
    """Plot each solution's regions and its alignment with the top eigenvectors, a row each.

    Args:
        rows: the solutions.
        width: of the figure, in inches.
        height: likewise.
        maps: how many eigenvectors at most; None takes all that were mapped.
        own_colours: whether each map has a scale of colours of its own, from its largest size.

    Returns:
        The figure.
    """
    figure = new_figure(width, height)
    columns = 1 + min(maps or MOST_MAPS, max(len(row.maps.aligned) for row in rows))
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for panels, row in zip(grid, rows, strict=True):
        x, y, predicted = row.maps.x, row.maps.y, row.maps.predicted
        plot_regions(panels[0], x, y, predicted, row.points, row.labels)
        panels[0].set_ylabel(row.label, fontsize=SMALL_SIZE)
        for index, axes in enumerate(panels[1:]):
            if index == len(row.maps.aligned):
                break
            _plot_map(figure, axes, row, index, own_colours)
    finish_maps(figure, grid, "regions", bar=not own_colours)
    return figure


def _plot_map(figure: Figure, axes: Axes, row: Row, index: int, own_colours: bool) -> None:
    """One alignment over the plane, with the boundary."""
    x, y, predicted = row.maps.x, row.maps.y, row.maps.predicted
    aligned = row.maps.aligned[index]
    size = float(np.abs(aligned).max()) or 1.0
    norm = Normalize(-size, size) if own_colours else ALIGNMENT
    image = axes.pcolormesh(
        x, y, aligned, cmap=DIVERGING, norm=norm, shading="nearest", rasterized=True
    )
    if own_colours:
        bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
        bar.ax.tick_params(labelsize=SMALL_SIZE)
        bar.outline.set_visible(False)
    plot_boundary(axes, x, y, predicted)
    axes.set_xlabel(eigenvalue_label(index, row.eigenvalues[index]), fontsize=SMALL_SIZE)


def reconstruction_figure(
    rows: Sequence[Row], thresholds: Sequence[float], width: float, height: float
) -> Figure:
    """Plot each solution's boundary, and where the signs of its alignments alone put one."""
    figure = new_figure(width, height)
    grid = figure.subplots(len(rows), 2, squeeze=False)
    for panels, row, threshold in zip(grid, rows, thresholds, strict=True):
        maps = row.maps
        plot_regions(panels[0], maps.x, maps.y, maps.predicted, row.points, row.labels)
        panels[0].set_ylabel(row.label, fontsize=SMALL_SIZE)
        found, true = maps.reconstructed(threshold), maps.crossed
        panels[1].pcolormesh(maps.x, maps.y, found, cmap=MARKED, vmin=0, vmax=1, rasterized=True)
        plot_boundary(panels[1], maps.x, maps.y, maps.predicted)
        recovered = found[true].mean() if true.any() else np.nan
        panels[1].set_xlabel(
            f"at the boundary {recovered:.2f}\nelsewhere {found[~true].mean():.3f}",
            fontsize=SMALL_SIZE,
        )
    grid[0, 0].set_title("regions")
    grid[0, 1].set_title("changes of sign")
    return figure


@dataclass(frozen=True)
class EmbeddedRow:
    """One solution in a figure of embedded inputs.

    Its alignments (n, k) are with the eigenvectors of its largest eigenvalues, which descend.
    """

    label: str
    alignments: NDArray[np.floating]
    eigenvalues: Floats


def embedding_figure(
    rows: Sequence[EmbeddedRow],
    points: NDArray[np.floating],
    labels: Integers,
    names: Mapping[int, str],
    maps: int,
) -> Figure:
    """Plot embedded inputs by class and by alignment, and the spectrum, a row per solution.

    Args:
        rows: the solutions.
        points: the embedded inputs (n, 2).
        labels: their classes (n,).
        names: of the classes, for the legend.
        maps: how many eigenvectors at most.

    Returns:
        The figure.
    """
    maps = min(maps, *(row.alignments.shape[1] for row in rows))
    figure = new_figure(DOUBLE_COLUMN, 1.55 * len(rows) + 0.35)
    grid = figure.subplots(len(rows), maps + 2, squeeze=False)
    handles: list[Artist] = []
    area = IMAGE_AREA * min(1.0, MANY_IMAGES / len(labels))
    for panels, row in zip(grid, rows, strict=True):
        handles = [
            panels[0].scatter(
                *points[labels == label].T,
                s=area,
                marker=MARKERS[label % len(MARKERS)],
                color=PALETTE[label % len(PALETTE)],
                label=name,
                linewidths=0,
            )
            for label, name in names.items()
        ]
        panels[0].set_ylabel(row.label)
        for index, axes in enumerate(panels[1:-1]):
            axes.scatter(
                *points.T,
                c=row.alignments[:, index],
                cmap=DIVERGING,
                norm=ALIGNMENT,
                s=area,
                linewidths=0.15 if area == IMAGE_AREA else 0,
                edgecolors="grey",
            )
            axes.set_xlabel(eigenvalue_label(index, row.eigenvalues[index]))
        for axes in panels[:-1]:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
        order = np.arange(1, len(row.eigenvalues) + 1)
        panels[-1].plot(order, row.eigenvalues, "o", color=BLACK, markersize=1.5)
        panels[-1].set_xlabel("$i$", fontsize=SMALL_SIZE)
        panels[-1].yaxis.tick_right()
    finish_maps(figure, grid, "classes", last=r"$\lambda_i$")
    legend_below(figure, handles)
    return figure


def finish_maps(
    figure: Figure, grid: NDArray[np.object_], first: str, *, bar: bool = True, last: str = ""
) -> None:
    """Give a grid of panels its titles and one colour bar of all alignments.

    Args:
        figure: of the grid.
        grid: panels; the first column, and the last one if it has a title, are no maps.
        first: title of the first column.
        bar: whether the maps share a scale of colours.
        last: title of the last column.
    """
    maps = grid.shape[1] - 1 - bool(last)
    titles = [first, *(f"$v_{index}$" for index in range(1, maps + 1)), *([last] if last else [])]
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    if not bar:
        return
    panels: list[Axes] = list(grid.ravel())
    shared = figure.colorbar(
        ScalarMappable(ALIGNMENT, DIVERGING), ax=panels, fraction=0.03, pad=0.02
    )
    shared.set_label("alignment $A_i(x)$", fontsize=SMALL_SIZE)
    shared.outline.set_visible(False)


def eigenvalue_label(index: int, value: float) -> str:
    """Return the name of an eigenvalue, counted from 1, with its value in few digits."""
    digits = 3 if abs(value) >= 100 else 2
    return rf"$\lambda_{index + 1}={value:.{digits}g}$"
