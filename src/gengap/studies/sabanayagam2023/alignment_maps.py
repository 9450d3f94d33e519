"""Plots of the decision boundary and of alignments over a plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gengap.figures.style import DIVERGING, SMALL_SIZE, new_figure
from gengap.studies.outcomes import Floats, Floats32, Integers
from gengap.studies.plotting import plot_boundary, plot_regions
from gengap.studies.sabanayagam2023.quantities import AlignmentMaps

ALIGNMENT = Normalize(-1.0, 1.0)
"""The scale of colours of all alignments."""


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


def map_figure(rows: Sequence[Row], width: float, height: float) -> Figure:
    """Plot each solution's regions and its alignment with the top eigenvectors, a row each."""
    figure = new_figure(width, height)
    columns = 1 + max(len(row.maps.aligned) for row in rows)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for panels, row in zip(grid, rows, strict=True):
        x, y, predicted = row.maps.x, row.maps.y, row.maps.predicted
        plot_regions(panels[0], x, y, predicted, row.points, row.labels)
        panels[0].set_ylabel(row.label, fontsize=SMALL_SIZE)
        for index, (axes, aligned) in enumerate(zip(panels[1:], row.maps.aligned, strict=True)):
            axes.pcolormesh(
                x, y, aligned, cmap=DIVERGING, norm=ALIGNMENT, shading="nearest", rasterized=True
            )
            plot_boundary(axes, x, y, predicted)
            axes.set_xlabel(eigenvalue_label(index, row.eigenvalues[index]), fontsize=SMALL_SIZE)
    finish_maps(figure, grid, "regions")
    return figure


def finish_maps(figure: Figure, grid: NDArray[np.object_], first: str) -> None:
    """Give a grid of panels its titles, ``first`` that of the first column, and one colour bar."""
    titles = [first, *(f"$v_{index}$" for index in range(1, grid.shape[1]))]
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    panels: list[Axes] = list(grid.ravel())
    bar = figure.colorbar(ScalarMappable(ALIGNMENT, DIVERGING), ax=panels, fraction=0.03, pad=0.02)
    bar.set_label("alignment $A_i(x)$", fontsize=SMALL_SIZE)
    bar.outline.set_visible(False)


def eigenvalue_label(index: int, value: float) -> str:
    """Return the name of an eigenvalue, counted from 1, with its value in few digits."""
    digits = 3 if abs(value) >= 100 else 2
    return rf"$\lambda_{index + 1}={value:.{digits}g}$"
