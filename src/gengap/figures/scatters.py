"""Scalar measures against the generalisation gap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gengap.errors import GengapError
from gengap.figures.colouring import Colouring, colour_by
from gengap.figures.labels import gap_label, measure_label, number, wrapped
from gengap.figures.style import BLACK, DOUBLE_COLUMN, SINGLE_COLUMN, new_figure, styled
from gengap.figures.tables import by_network, matching, scalar_values

_MOST_COLUMNS = 3
_PANEL_HEIGHT = 2.1  # inches
_LEGEND_SPACE = 0.6
_LETTERS = {1: 44, 2: 46, 3: 32}  # of an axis label, by panels in a row


@styled
def scatter(
    measures: pd.DataFrame,
    gaps: pd.Series,
    colour: pd.Series,
    *,
    names: Sequence[str],
    gap_of: str = "accuracy",
) -> Figure:
    """Draw each named scalar measure against the gap, one panel per measure.

    ``measures`` is the tidy table, ``gaps`` and ``colour`` (a hyper-parameter, by its name) are
    indexed by network. Points are coloured by ``colour``; the line is ordinary least squares over
    all finite points, the title gives Kendall's tau-b of the same points. ``gap_of`` is what the
    gaps are of, one of :data:`gengap.names.GAPS`.

    Returns:
        The figure.

    Raises:
        GengapError: no measure is named, one is unknown or not a scalar, or networks do not match.
    """
    if not names:
        raise GengapError("The scatter figure needs at least one measure: name a scalar one.")
    gaps = by_network(gaps)
    colouring = colour_by(matching(colour, gaps.index, f"Hyper-parameter {colour.name!r}"))
    columns = 2 if len(names) == 4 else min(len(names), _MOST_COLUMNS)
    rows = math.ceil(len(names) / columns)
    width = SINGLE_COLUMN if columns == 1 else DOUBLE_COLUMN
    height = rows * (SINGLE_COLUMN * 0.8 if columns == 1 else _PANEL_HEIGHT) + _LEGEND_SPACE
    figure = new_figure(width, height)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, name in zip(panels, names, strict=False):
        plot_against_gap(axes, scalar_values(measures, name), gaps, colouring)
        axes.set_xlabel(wrapped(measure_label(name), _LETTERS[columns]))
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel(gap_label(gap_of))
    for axes in panels[len(names) :]:
        axes.remove()
    colouring.explain(figure)
    return figure


def plot_against_gap(axes: Axes, x: pd.Series, gaps: pd.Series, colouring: Colouring) -> None:
    """Draw points, least-squares line and Kendall's tau of one measure against the gap.

    Networks without a finite measure or gap are left out and counted in the title.

    Raises:
        GengapError: no network has both a finite measure and a finite gap.
    """
    both = pd.DataFrame({"x": by_network(x), "gap": gaps}).reindex(gaps.index)
    both = both[np.isfinite(both.to_numpy()).all(axis=1)]
    if both.empty:
        raise GengapError(
            "No network has both a finite measure and a finite gap: "
            "compute the measure for the networks of this task."
        )
    colouring.scatter(axes, both["x"], both["gap"])
    if both["x"].nunique() > 1:
        slope, intercept = least_squares_line(both["x"].to_numpy(), both["gap"].to_numpy())
        ends = np.array([both["x"].min(), both["x"].max()])
        axes.plot(ends, intercept + slope * ends, color=BLACK, linewidth=0.9, zorder=0.5)
    axes.margins(0.06)
    axes.set_title(_tau(both) + _left_out(len(both), len(gaps)))


def least_squares_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of the ordinary least squares of ``y`` (n,) on ``x`` (n,)."""
    centred = x - x.mean()
    # Scaled first: squares of very large or very small measures leave the range of floats.
    unit = centred / np.abs(centred).max()
    slope = float(unit @ (y - y.mean()) / (unit @ unit) / np.abs(centred).max())
    return slope, float(y.mean() - slope * x.mean())


def _tau(both: pd.DataFrame) -> str:
    if both["x"].nunique() < 2 or both["gap"].nunique() < 2:
        return "τ not defined"
    from scipy.stats import kendalltau

    return f"τ = {number(float(kendalltau(both['x'], both['gap']).statistic))}"


def _left_out(drawn: int, total: int) -> str:
    return "" if drawn == total else f" ({drawn} of {total} networks)"
