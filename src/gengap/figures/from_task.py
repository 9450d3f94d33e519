"""Figures of the networks of a task.

Each function plots one figure of :data:`gengap.planned_figures.FIGURES` from its files.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from gengap import figures, tasks
from gengap.figures.colouring import can_colour
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
        colours(loaded, colour),
        names=list(scalars[:PANELS]),
        gap_of=loaded.gap_of,
    )


def plot_held_out(*, task: str, held_out: str, leaderboard: str, colour: str | None) -> Figure:
    """Plot the measured gap against its held-out predictions."""
    predictions = pd.read_csv(held_out, dtype={"network": str})
    if predictions.empty:
        return figures.nothing_to_draw("Too few networks to predict any that is held out.")
    loaded = tasks.load(Path(task).parent)
    return figures.held_out_predictions(
        predictions,
        pd.read_csv(leaderboard),
        colours(loaded, colour),
        gap_of=loaded.gap_of,
    )


def plot_predictions(*, task: str, predictions: str) -> Figure:
    """Plot the gaps that a task's networks are predicted to have from a reference."""
    loaded = tasks.load(Path(task).parent)
    table = pd.read_csv(predictions, dtype={"network": str})
    return figures.predicted_gaps(table, loaded.gaps(), gap_of=loaded.gap_of)


def plot_training(*, task: str, colour: str | None) -> Figure:
    """Plot how the networks of a zoo were trained."""
    loaded = tasks.load(Path(task).parent)
    return figures.training_overview(
        {name: network.history() for name, network in loaded.networks.items()},
        loaded.gaps(),
        colours(loaded, colour),
        gap_of=loaded.gap_of,
    )


def plot_gaps(*, task: str, colour: str | None) -> Figure:
    """Plot the gap against each hyper-parameter."""
    loaded = tasks.load(Path(task).parent)
    return figures.gap_by_hyper_parameter(
        loaded.gaps(),
        loaded.hyper_parameters(),
        colour=str(colours(loaded, colour).name),
        gap_of=loaded.gap_of,
    )


def colours(task: tasks.Task, colour: str | None) -> pd.Series:
    """Return the hyper-parameter that colours the networks of a task.

    Args:
        task: the task.
        colour: the hyper-parameter's name; None takes the first that has few enough values.

    Returns:
        Its values, named, index network. A task without such a hyper-parameter has one colour.
    """
    table = task.hyper_parameters()
    if colour is not None:
        return table[colour]
    usable = (table[name] for name in task.grid if can_colour(table[name]))
    return next(usable, pd.Series("all", index=table.index, name="networks"))
