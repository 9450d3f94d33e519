"""Figures of the tables of an evaluation.

Each function plots one figure of :data:`gengap.planned_figures.FIGURES` from its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from gengap import figures

TOO_FEW = "Too few networks or measures to predict the gap from all measures together."


def plot_leaderboard(*, leaderboard: str, top: int) -> Figure:
    """Plot the leaderboard of a task."""
    return figures.leaderboard(pd.read_csv(leaderboard), top=top)


def plot_correlations(*, correlations: str, top: int) -> Figure:
    """Plot Kendall's tau of the scalar measures, over all networks and within strata."""
    return figures.kendall_by_stratum(pd.read_csv(correlations), top=top)


def plot_environments(*, environments: str, top: int) -> Figure:
    """Plot psi of the scalar measures by hyper-parameter, and their sign errors."""
    table = pd.read_csv(environments)
    if table.empty:
        return figures.nothing_to_draw("No two networks differ in one hyper-parameter alone.")
    return figures.psi_by_hyper_parameter(table, top=top)


def plot_learning_curve(*, learning_curve: str) -> Figure:
    """Plot R2 and the width of an interval by the number of networks to learn from."""
    table = pd.read_csv(learning_curve)
    return figures.nothing_to_draw(TOO_FEW) if table.empty else figures.learning_curve(table)


def plot_families(*, combination: str, importance: str) -> Figure:
    """Plot what the measures of each family reach together, and what is lost without them."""
    losses = pd.read_csv(importance)
    if losses.empty:
        return figures.nothing_to_draw(TOO_FEW)
    return figures.families(pd.read_csv(combination), losses)


def plot_r2_heatmap(*, leaderboard: str, task_name: str) -> Figure:
    """Plot R2 of every vectorisation and set of dimensions; duplicates score as their row does."""
    board = pd.read_csv(leaderboard)
    names = board["measure"] + " " + board["duplicates"].fillna("").astype(str)
    rows = board.assign(measure=names.str.split()).explode("measure")
    return figures.r2_heatmap({task_name: rows})


def plot_r2_heatmaps(*, scores: Sequence[str]) -> Figure:
    """Plot R2 of every vectorisation and set of dimensions, tasks side by side, as the paper."""
    return figures.r2_heatmap({Path(path).parents[1].name: pd.read_csv(path) for path in scores})
