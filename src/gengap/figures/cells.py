"""A table of numbers in coloured cells, of which every heatmap is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage

from gengap.figures.labels import number
from gengap.figures.style import BLACK, GREY, SMALL_SIZE

MISSING = "–"
CELL_WIDTH = 0.56  # inches
_LINE_HEIGHT = 0.12  # inches of one line of a row's label
_LEAST_HEIGHT = 0.27
_LEAST_PANEL = 0.8  # in less, a colour bar has no space for its ticks
BAR_WIDTH = 0.12
_MISSING_COLOUR = "#E0E0E0"
# WCAG 2.1, "relative luminance": black and white text contrast equally with 0.179.
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_DARK = 0.179


def cells_height(rows: Sequence[str]) -> float:
    """Return the inches that rows with these labels need, so that labels do not touch."""
    lines = max(1 + label.count("\n") for label in rows)
    height = max(_LEAST_HEIGHT, lines * _LINE_HEIGHT + 0.04)
    return max(_LEAST_PANEL, height * len(rows))


def plot_cells(
    axes: Axes,
    values: np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    scale: tuple[float, float],
    colormap: str,
    bold: np.ndarray,
    suffixes: np.ndarray,
) -> AxesImage:
    """Draw ``values`` (rows, columns) as coloured cells with the numbers in them.

    Colours are clipped to ``scale``, the numbers are not; NaN is a grey cell with a dash.
    ``bold`` (booleans) and ``suffixes`` (strings) have the shape of ``values``.

    Returns:
        The image, for a colour bar.
    """
    colours = matplotlib.colormaps[colormap].with_extremes(bad=_MISSING_COLOUR)
    norm = Normalize(*scale, clip=True)
    image = axes.imshow(
        np.ma.masked_invalid(values), cmap=colours, norm=norm, aspect="auto", origin="upper"
    )
    mapper = ScalarMappable(norm, colours)
    for (row, column), value in np.ndenumerate(values):
        missing = not np.isfinite(value)
        dark = not missing and _luminance(mapper.to_rgba(value)) < _DARK
        axes.text(
            column,
            row,
            MISSING if missing else number(float(value)) + str(suffixes[row, column]),
            ha="center",
            va="center",
            fontsize=SMALL_SIZE,
            color=GREY if missing else "white" if dark else BLACK,
            fontweight="bold" if bold[row, column] else "normal",
        )
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0, top=False, bottom=False, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.0)
    axes.tick_params(which="minor", length=0)
    axes.set_axisbelow(False)
    return image


def _luminance(colour: Any) -> float:
    rgb = np.array(colour[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(_LUMINANCE @ linear)
