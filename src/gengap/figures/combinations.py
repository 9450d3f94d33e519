"""What each family contributes to the prediction by all measures together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gengap.figures.labels import words
from gengap.figures.style import BLACK, DOUBLE_COLUMN, GREY, PALE, PALETTE, new_figure, styled
from gengap.figures.tables import require

_ROW_HEIGHT = 0.24  # inches
_THICK = 3.0  # points
_PALER = 0.45


@styled
def families(combination: pd.DataFrame, importance: pd.DataFrame) -> Figure:
    """Draw what the measures of each family reach together, and what is lost without them.

    The left panel shows R2 of the ridge regression on the measures of one family, with the
    deviation over the repeats; the dashed line is that of all families. The right panel shows how
    much R2 of all families falls when the columns of one are permuted over the networks, with its
    interval. ``combination`` and ``importance`` are evaluation's tables.

    Returns:
        The figure.

    Raises:
        GengapError: a table is empty or lacks a column.
    """
    require(combination, ("name", "r2_mean", "r2_std"), "combination")
    require(importance, ("family", "importance", "low", "high"), "importance")
    rows = importance.sort_values("importance", ascending=False, kind="stable")
    names = [str(name) for name in rows["family"]]
    alone = combination.set_index("name")
    alone = alone.reindex([f"combination.{name}" for name in names])
    together = combination.loc[combination["name"] == "combination.all", "r2_mean"]
    figure = new_figure(DOUBLE_COLUMN, 0.9 + _ROW_HEIGHT * len(names))
    left, right = figure.subplots(1, 2, sharey=True)
    y = np.arange(len(names))
    r2, std = (alone[column].to_numpy(dtype=float) for column in ("r2_mean", "r2_std"))
    _bars(left, y, r2, r2 - std, r2 + std)
    for value in together:
        left.axvline(value, color=BLACK, linewidth=0.8, linestyle="--", zorder=0)
    left.set_xlabel("R² of the family's measures together")
    loss, low, high = (
        rows[column].to_numpy(dtype=float) for column in ("importance", "low", "high")
    )
    _bars(right, y, loss, low, high)
    right.set_xlabel("loss of R² when they are permuted")
    left.set_yticks(y, [words(name) for name in names])
    left.set_ylim(len(names) - 0.5, -0.5)
    return figure


def _bars(axes: Axes, y: np.ndarray, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    axes.hlines(y, low, high, color=PALETTE[0], linewidth=_THICK, alpha=_PALER)
    axes.plot(x, y, linestyle="", marker="o", markersize=4.5, color=PALETTE[0], zorder=3)
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.grid(axis="x", color=PALE)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
