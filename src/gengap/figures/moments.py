"""Moments of births and deaths against the gap (Ballester et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from gengap.errors import GengapError
from gengap.figures.colouring import colour_by
from gengap.figures.labels import gap_label, wrapped
from gengap.figures.scatters import plot_against_gap
from gengap.figures.style import DOUBLE_COLUMN, new_figure, styled
from gengap.figures.tables import by_network, component_values, matching

if TYPE_CHECKING:
    # Here, since the statistics load slowly and figures need none.
    from gengap.evaluation import Component

_MOST_COLUMNS = 4
_PANEL_HEIGHT = 1.95  # inches
_LETTERS = 22  # of an axis label


class ColouredTask(NamedTuple):
    """What the panel needs of a task: its tidy table; gap and hyper-parameter by network.

    ``gap_of`` is what the gaps are of, one of :data:`gengap.names.GAPS`.
    """

    measures: pd.DataFrame
    gaps: pd.Series
    colour: pd.Series
    gap_of: str = "accuracy"


@styled
def moments_panel(tasks: Mapping[str, ColouredTask], components: Mapping[str, Component]) -> Figure:
    """Draw components of measures against the gap, a block of panels per task.

    ``components`` maps a panel's label ("mean of deaths, H0") to the component it draws; four
    panels make a row. Two tasks and four components give the paper's 2 x 4 figure. Each task is
    coloured by its own hyper-parameter, with its legend under its block.

    Returns:
        The figure.

    Raises:
        GengapError: there is no task or component, one is unknown, or networks do not match.
    """
    if not tasks or not components:
        raise GengapError("The moments panel needs at least one task and one component: give both.")
    columns = min(len(components), _MOST_COLUMNS)
    rows = math.ceil(len(components) / columns)
    block_height = rows * _PANEL_HEIGHT + 0.65
    figure = new_figure(DOUBLE_COLUMN, block_height * len(tasks))
    blocks = figure.subfigures(len(tasks), 1, squeeze=False)[:, 0]
    for block, (name, task) in zip(blocks, tasks.items(), strict=True):
        gaps = by_network(task.gaps)
        hyper_parameter = f"Hyper-parameter {task.colour.name!r} of {name}"
        colouring = colour_by(matching(task.colour, gaps.index, hyper_parameter))
        panels = block.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, (label, chosen) in zip(panels, components.items(), strict=False):
            plot_against_gap(axes, component_values(task.measures, *chosen), gaps, colouring)
            axes.set_xlabel(wrapped(label, _LETTERS))
            if axes.get_subplotspec().is_first_col():
                axes.set_ylabel(gap_label(task.gap_of))
        for axes in panels[len(components) :]:
            axes.remove()
        block.suptitle(name)
        colouring.explain(block)
    return figure
