"""Figures of the networks of a task.

Each function plots one figure of :data:`gengap.planned_figures.FIGURES` from its files.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from gengap import figures, tasks
from gengap.figures.tables import read_measures

PANELS = 6
"""Number of panels of the scatter figure: the best scalar measures of the leaderboard."""


def plot_scatter(*, task: str, measures: str, leaderboard: str, colour: str | None) -> Figure:
    """Plot the best scalar measures against the gap."""
    loaded = tasks.load(Path(task).parent)
    board = pd.read_csv(leaderboard)
    scalars = board.loc[(board["kind"] == "scalar") & board["kendall"].notna(), "measure"]
    return figures.scatter(
        read_measures(measures),
        loaded.gaps(),
        loaded.hyper_parameters()[colour_name(loaded, colour)],
        names=list(scalars[:PANELS]),
    )


def plot_training(*, task: str, colour: str | None) -> Figure:
    """Plot how the networks of a zoo were trained."""
    loaded = tasks.load(Path(task).parent)
    outcomes = {
        name: (network.metrics.train_accuracy, network.metrics.test_accuracy)
        for name, network in loaded.networks.items()
    }
    return figures.training_overview(
        {name: network.history() for name, network in loaded.networks.items()},
        pd.DataFrame.from_dict(
            outcomes, orient="index", columns=["train_accuracy", "test_accuracy"]
        ),
        loaded.hyper_parameters()[colour_name(loaded, colour)],
    )


def plot_gaps(*, task: str, colour: str | None) -> Figure:
    """Plot the gap against each hyper-parameter."""
    loaded = tasks.load(Path(task).parent)
    return figures.gap_by_hyper_parameter(
        loaded.gaps(), loaded.hyper_parameters(), colour=colour_name(loaded, colour)
    )


def colour_name(task: tasks.Task, colour: str | None) -> str:
    """Return ``colour``, or the task's first hyper-parameter where it is None."""
    return colour or next(iter(task.grid))
