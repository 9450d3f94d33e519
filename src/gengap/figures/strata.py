"""Figures of strata: whether a measure still ranks networks that share a hyper-parameter."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gengap.errors import GengapError
from gengap.figures.cells import BAR_WIDTH, CELL_WIDTH, cells_height, plot_cells
from gengap.figures.heatmaps import R2_NOTE, R2_RANGE, UNDERDETERMINED, UNDERDETERMINED_NOTE
from gengap.figures.labels import measure_label, words, wrapped
from gengap.figures.style import (
    BLACK,
    DIVERGING,
    DOUBLE_COLUMN,
    ORDERED,
    new_figure,
    notes_below,
    styled,
)
from gengap.figures.tables import require

ALL = "all"
_LABEL_SPACE = 2.4  # inches
_BAR_SPACE = 0.7
_TEXT_SPACE = 1.0
_LETTER = 0.062
_COLUMN_LETTERS = 12


@styled
def kendall_by_stratum(correlations: pd.DataFrame, *, top: int = 20) -> Figure:
    """Draw Kendall's tau with the gap over all networks, then within each stratum.

    A measure that only detects, say, label corruption is strong in the first column and near zero
    in the others. ``correlations`` is evaluation's table; the ``top`` measures by absolute tau
    over all networks are drawn. Bold values have an interval that excludes zero.

    Returns:
        The figure.

    Raises:
        GengapError: the table is empty, lacks a column, or has no Kendall's tau over all networks.
    """
    require(
        correlations,
        ("measure", "statistic", "stratum", "estimate", "low", "high", "networks"),
        "correlations",
    )
    kendall = correlations[correlations["statistic"] == "kendall"]
    overall = kendall[kendall["stratum"] == ALL].set_index("measure")["estimate"]
    if overall.empty:
        raise GengapError(
            "The correlations table has no Kendall's tau over all networks: "
            "evaluate at least one scalar measure."
        )
    rows = [str(name) for name in overall.abs().sort_values(ascending=False, kind="stable").index]
    return _plot(
        kendall.assign(
            bold=(kendall["low"] > 0) | (kendall["high"] < 0), shown=kendall["estimate"], suffix=""
        ),
        rows[:top],
        scale=(-1.0, 1.0),
        colormap=DIVERGING,
        bar="Kendall's τ",
        notes=["Kendall's τ with the gap; bold: its interval leaves out 0"],
    )


@styled
def r2_by_stratum(leaderboard: pd.DataFrame, strata: pd.DataFrame, *, top: int = 20) -> Figure:
    """Draw mean cross-validated R² over all networks, then within each stratum.

    ``leaderboard`` and ``strata`` are evaluation's tables; the ``top`` measures by rank and all
    reference rows are drawn. Colours go from 0 to 1, the numbers are not clipped. Bold marks the
    best eligible measure of the column among those drawn, a dagger an underdetermined one.

    Returns:
        The figure.

    Raises:
        GengapError: a table is empty or lacks a column.
    """
    shared = ("measure", "underdetermined", "eligible", "r2_mean", "networks")
    require(leaderboard, ("rank", "kind", *shared), "leaderboard")
    require(strata, ("stratum", *shared), "strata")
    reference = leaderboard["kind"] == "reference"
    ranked = leaderboard[~reference].sort_values("rank", kind="stable").head(top)
    rows = [str(name) for name in (*ranked["measure"], *leaderboard.loc[reference, "measure"])]
    inside = strata[strata["stratum"] != ALL]
    cells = pd.concat([leaderboard.assign(stratum=ALL), inside], ignore_index=True)
    cells = cells[cells["measure"].isin(rows)]
    eligible = cells["r2_mean"].where(cells["eligible"].astype(bool))
    flagged = cells["underdetermined"].astype(bool)
    notes = [R2_NOTE, "bold: the best eligible of its column"]
    if flagged.any():
        notes.append(UNDERDETERMINED_NOTE)
    return _plot(
        cells.assign(
            bold=eligible == eligible.groupby(cells["stratum"]).transform("max"),
            shown=cells["r2_mean"],
            suffix=np.where(flagged, UNDERDETERMINED, ""),
        ),
        rows,
        scale=R2_RANGE,
        colormap=ORDERED,
        bar="R²",
        notes=notes,
        references=int(reference.sum()),
    )


def _plot(
    cells: pd.DataFrame,
    rows: list[str],
    *,
    scale: tuple[float, float],
    colormap: str,
    bar: str,
    notes: list[str],
    references: int = 0,
) -> Figure:
    strata = [ALL, *(name for name in cells["stratum"].unique() if name != ALL)]
    counts = cells.groupby("stratum")["networks"].max()
    values, bold, suffixes = (
        cells.pivot(index="measure", columns="stratum", values=column).reindex(
            index=rows, columns=strata
        )
        for column in ("shown", "bold", "suffix")
    )
    hyper_parameters = {name.partition("=")[0] for name in strata if name != ALL}
    labels = [wrapped(measure_label(name)) for name in rows]
    columns = [_column(name, int(counts[name]), len(hyper_parameters) > 1) for name in strata]
    longest = max(len(line) for column in columns for line in column.split("\n"))
    width = len(strata) * max(CELL_WIDTH, _LETTER * longest) + _LABEL_SPACE + _BAR_SPACE
    height = cells_height(labels)
    figure = new_figure(max(DOUBLE_COLUMN * 0.7, width), height + _TEXT_SPACE)
    axes = figure.subplots()
    image = plot_cells(
        axes,
        values.to_numpy(dtype=float),
        rows=labels,
        columns=columns,
        scale=scale,
        colormap=colormap,
        bold=bold.fillna(False).to_numpy(dtype=bool),
        suffixes=suffixes.fillna("").to_numpy(),
    )
    axes.axvline(0.5, color=BLACK, linewidth=1.2, zorder=3)
    if references:
        axes.axhline(len(rows) - references - 0.5, color=BLACK, linewidth=1.2, zorder=3)
    if len(hyper_parameters) == 1:
        axes.set_title(f"{words(hyper_parameters.pop())} (number of networks)")
    end = "min" if scale == R2_RANGE else "neither"
    figure.colorbar(image, ax=axes, label=bar, extend=end, pad=0.02, aspect=height / BAR_WIDTH)
    notes_below(figure, notes)
    return figure


def _column(stratum: str, networks: int, named: bool) -> str:
    name, _, value = stratum.partition("=")
    if stratum == ALL:
        return f"all\n({networks})"
    return (
        f"{wrapped(words(name), _COLUMN_LETTERS)}\n= {value}\n({networks})"
        if named
        else f"{value}\n({networks})"
    )
