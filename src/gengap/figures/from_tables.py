"""Figures of the tables of an evaluation.

Each function draws one figure of :data:`gengap.planned_figures.FIGURES` from its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from gengap import figures


def draw_leaderboard(*, leaderboard: str, top: int) -> Figure:
    """Draw the leaderboard of a task."""
    return figures.leaderboard(pd.read_csv(leaderboard), top=top)


def draw_strata(*, leaderboard: str, strata: str, top: int) -> Figure:
    """Draw the ranking within each value of a hyper-parameter."""
    return figures.r2_by_stratum(pd.read_csv(leaderboard), pd.read_csv(strata), top=top)


def draw_correlations(*, correlations: str, top: int) -> Figure:
    """Draw Kendall's tau of the scalar measures, over all networks and within strata."""
    return figures.kendall_by_stratum(pd.read_csv(correlations), top=top)


def draw_r2_heatmap(*, leaderboard: str, task_name: str) -> Figure:
    """Draw R2 of every vectorisation and set of dimensions."""
    return figures.r2_heatmap({task_name: pd.read_csv(leaderboard)})


def draw_r2_heatmaps(*, leaderboards: Sequence[str]) -> Figure:
    """Draw R2 of every vectorisation and set of dimensions, tasks side by side."""
    return figures.r2_heatmap(
        {Path(path).parents[1].name: pd.read_csv(path) for path in leaderboards}
    )
