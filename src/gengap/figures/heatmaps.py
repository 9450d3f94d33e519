"""R² of every vectorisation and every choice of dimensions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gengap.errors import GengapError
from gengap.figures.cells import BAR_WIDTH, CELL_WIDTH, cells_height, plot_cells
from gengap.figures.labels import dimensions_label, measure_label, split_dimensions, wrapped
from gengap.figures.style import DIVERGING, new_figure, notes_below, styled
from gengap.figures.tables import require

R2_RANGE = (-1.0, 1.0)  # of colours
R2_NOTE = "R² below 0 is worse than the mean gap; colours end at −1, numbers do not"
UNDERDETERMINED = "†"
UNDERDETERMINED_NOTE = (
    f"{UNDERDETERMINED} underdetermined (too few training networks), not eligible"
)
_LABEL_SPACE = 2.5  # inches
_BAR_SPACE = 0.7
_TEXT_SPACE = 0.9


@styled
def r2_heatmap(leaderboards: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw mean R² by vectorisation (rows) and dimensions (columns), one block per task.

    ``leaderboards`` maps a task's name to evaluation's leaderboard, of which the measures named
    ``<vectorisation>.<dims>`` are drawn, best vectorisation first. Colours are clipped to -1
    and 1, white at 0; the numbers in the cells are not clipped. The best eligible cell of each task
    is bold.

    Returns:
        The figure.

    Raises:
        GengapError: there is no task, or a leaderboard has no such measure.
    """
    if not leaderboards:
        raise GengapError("The R² heatmap needs at least one task: give a leaderboard.")
    tables = {task: _cells(table, task) for task, table in leaderboards.items()}
    everything = pd.concat(tables.values())
    columns = sorted(everything["dimensions"].unique(), key=lambda name: (len(name), name))
    # Averages of clipped values: one wild score must not send a vectorisation to the bottom.
    order = everything.assign(score=everything["r2_mean"].clip(*R2_RANGE))
    means = order.groupby("vectorisation")["score"].mean()
    rows = sorted(means.index, key=lambda name: (-float(np.nan_to_num(means[name])), name))
    labels = [wrapped(measure_label(name)) for name in rows]
    height = cells_height(labels)
    figure = new_figure(
        _LABEL_SPACE + len(tables) * (len(columns) * CELL_WIDTH + 0.1) + _BAR_SPACE,
        height + _TEXT_SPACE,
    )
    panels = figure.subplots(1, len(tables), squeeze=False, sharey=True)[0]
    for axes, (task, table) in zip(panels, tables.items(), strict=True):
        image = plot_cells(
            axes,
            _grid(table, "r2_mean", rows, columns).to_numpy(dtype=float),
            rows=labels,
            columns=[dimensions_label(name).replace(" and ", ", ") for name in columns],
            scale=R2_RANGE,
            colormap=DIVERGING,
            bold=_best(table, rows, columns),
            suffixes=np.where(
                _grid(table, "underdetermined", rows, columns).fillna(False).astype(bool),
                UNDERDETERMINED,
                "",
            ),
        )
        axes.set_title(task)
    figure.colorbar(
        image, ax=list(panels), extend="min", pad=0.02, aspect=height / BAR_WIDTH, label="mean R²"
    )
    notes = [R2_NOTE, "bold: the task's best eligible"]
    if everything["underdetermined"].astype(bool).any():
        notes.append(UNDERDETERMINED_NOTE)
    notes_below(figure, notes)
    return figure


def _cells(table: pd.DataFrame, task: str) -> pd.DataFrame:
    require(table, ("measure", "eligible", "underdetermined", "r2_mean"), f"leaderboard of {task}")
    parts = [split_dimensions(str(name)) for name in table["measure"]]
    cells = table[[part is not None for part in parts]].copy()
    if cells.empty:
        raise GengapError(
            f"The leaderboard of {task} has no measure named <vectorisation>.<dims>: "
            "add the topological family to the configured families."
        )
    vectorisations = [part for part in parts if part is not None]
    cells["vectorisation"] = [stem for stem, _ in vectorisations]
    cells["dimensions"] = [dimensions for _, dimensions in vectorisations]
    return cells


def _grid(table: pd.DataFrame, column: str, rows: list[str], columns: list[str]) -> pd.DataFrame:
    grid = table.pivot(index="vectorisation", columns="dimensions", values=column)
    return grid.reindex(index=rows, columns=columns)


def _best(table: pd.DataFrame, rows: list[str], columns: list[str]) -> np.ndarray:
    eligible = table[table["eligible"].astype(bool) & table["r2_mean"].notna()]
    highest = eligible["r2_mean"].max()
    best = eligible[eligible["r2_mean"] == highest].assign(best=True)
    return _grid(best, "best", rows, columns).notna().to_numpy()
