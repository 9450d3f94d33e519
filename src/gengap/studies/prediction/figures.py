"""Coverage and width of intervals, and R2 of left-out draws, as a figure."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gengap.figures.style import BLACK, GREY, MARKERS, PALETTE, legend_below, new_figure, styled
from gengap.prediction.intervals import LEVEL
from gengap.studies.prediction.left_out import (
    CONSTANT,
    DRAW,
    DRAW_OF_LARGE,
    HYPER_PARAMETERS,
    MEASURES,
    NETWORK,
    TRAINING,
)
from gengap.studies.prediction.summaries import ALL

PANELS = (NETWORK, DRAW, DRAW_OF_LARGE)
PREDICTORS = (MEASURES, HYPER_PARAMETERS, TRAINING, CONSTANT)


@styled
def plot_coverage(coverage: pd.DataFrame) -> Figure:
    """Plot the coverage of each predictor's intervals against their width.

    Args:
        coverage: from :func:`gengap.studies.prediction.summaries.coverage_table`.

    Returns:
        One panel for each thing that is left out; a colour a predictor, a marker a data set.
    """
    known = coverage[coverage["left_out"].isin(PANELS) & (coverage["task"] != ALL)]
    tasks = list(pd.unique(known["task"]))
    markers = dict(zip(tasks, MARKERS, strict=False))
    colours = dict(zip(PREDICTORS, PALETTE, strict=False))
    figure = new_figure(7.0, 3.0)
    for axes, left_out in zip(figure.subplots(1, len(PANELS), sharey=True), PANELS, strict=True):
        _panel(axes, known[known["left_out"] == left_out], colours, markers)
        axes.set_title(f"left out: {left_out}")
        axes.set_xlabel("mean width of the interval")
    figure.axes[0].set_ylabel("coverage")
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="none", label=name)
        for name, colour in colours.items()
    ]
    handles += [
        Line2D([], [], color=BLACK, marker=marker, linestyle="none", label=name)
        for name, marker in markers.items()
    ]
    legend_below(figure, handles)
    return figure


def _panel(
    axes: Axes, rows: pd.DataFrame, colours: dict[str, str], markers: dict[str, str]
) -> None:
    axes.axhline(LEVEL, color=GREY, linewidth=0.8)
    for task, predictor, width, coverage in zip(
        rows["task"], rows["predictor"], rows["width"], rows["coverage"], strict=True
    ):
        axes.plot(width, coverage, markers[task], color=colours[predictor])
    axes.set_xlim(left=0)
