"""Figures of the tables of an evaluation.

Each function plots one figure of :data:`gengap.planned_figures.FIGURES` from its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from gengap import figures


def plot_leaderboard(*, leaderboard: str, top: int) -> Figure:
    """Plot the leaderboard of a task."""
    return figures.leaderboard(pd.read_csv(leaderboard), top=top)


def plot_strata(*, leaderboard: str, strata: str, top: int) -> Figure:
    """Plot the ranking within each value of a hyper-parameter."""
    return figures.r2_by_stratum(pd.read_csv(leaderboard), pd.read_csv(strata), top=top)


def plot_correlations(*, correlations: str, top: int) -> Figure:
    """Plot Kendall's tau of the scalar measures, over all networks and within strata."""
    return figures.kendall_by_stratum(pd.read_csv(correlations), top=top)


def plot_r2_heatmap(*, leaderboard: str, task_name: str) -> Figure:
    """Plot R2 of every vectorisation and set of dimensions."""
    return figures.r2_heatmap({task_name: pd.read_csv(leaderboard)})


def plot_r2_heatmaps(*, scores: Sequence[str]) -> Figure:
    """Plot R2 of every vectorisation and set of dimensions, tasks side by side, as the paper."""
    return figures.r2_heatmap({Path(path).parents[1].name: pd.read_csv(path) for path in scores})
