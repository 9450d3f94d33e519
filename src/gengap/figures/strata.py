"""Kendall's tau of the scalar measures, over all networks and within strata of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gengap.errors import GengapError
from gengap.figures.cells import BAR_WIDTH, cells_height, plot_cells
from gengap.figures.labels import measure_label, number, words, wrapped
from gengap.figures.style import BLACK, DIVERGING, DOUBLE_COLUMN, new_figure, notes_below, styled
from gengap.figures.tables import require

ALL = "all"
LEVEL = 0.05
_CELL_WIDTH = 0.86  # inches; an interval needs as much
_LABEL_SPACE = 2.4
_BAR_SPACE = 0.7
_TEXT_SPACE = 1.0
_COLUMN_LETTERS = 13


@styled
def kendall_by_stratum(correlations: pd.DataFrame, *, top: int = 20) -> Figure:
    """Draw Kendall's tau with the gap over all networks, then within each stratum.

    A measure that only detects, say, the width is strong in the first column and near zero in those
    of single widths. ``correlations`` is evaluation's table; the ``top`` measures by absolute tau
    over all networks are drawn, each tau with its 95 % interval. Values whose family-wise p is at
    most ``LEVEL`` are bold.

    Returns:
        The figure.

    Raises:
        GengapError: the table is empty, lacks a column, or has no Kendall's tau over all networks.
    """
    columns = ("measure", "statistic", "stratum", "estimate", "low", "high", "p_family", "networks")
    require(correlations, columns, "correlations")
    kendall = correlations[correlations["statistic"] == "kendall"]
    overall = kendall[kendall["stratum"] == ALL].set_index("measure")["estimate"]
    if overall.empty:
        raise GengapError(
            "The correlations table has no Kendall's tau over all networks: "
            "evaluate at least one scalar measure."
        )
    order = overall.abs().sort_values(ascending=False, kind="stable").index
    rows = [str(name) for name in order[:top]]
    strata = [ALL, *(name for name in kendall["stratum"].unique() if name != ALL)]
    counts = kendall.groupby("stratum")["networks"].max()
    cells = kendall.assign(bold=kendall["p_family"] <= LEVEL, interval=_intervals(kendall))
    values, bold, intervals = (
        cells.pivot(index="measure", columns="stratum", values=column).reindex(
            index=rows, columns=strata
        )
        for column in ("estimate", "bold", "interval")
    )
    labels = [wrapped(measure_label(name)) for name in rows]
    height = cells_height([f"{label}\n" if "\n" not in label else label for label in labels])
    width = len(strata) * _CELL_WIDTH + _LABEL_SPACE + _BAR_SPACE
    figure = new_figure(max(DOUBLE_COLUMN * 0.7, width), height + _TEXT_SPACE)
    axes = figure.subplots()
    image = plot_cells(
        axes,
        values.to_numpy(dtype=float),
        rows=labels,
        columns=[_column(name, int(counts[name])) for name in strata],
        scale=(-1.0, 1.0),
        colormap=DIVERGING,
        bold=bold.fillna(False).to_numpy(dtype=bool),
        suffixes=intervals.fillna("").to_numpy(),
    )
    if len(strata) > 1:
        axes.axvline(0.5, color=BLACK, linewidth=1.2, zorder=3)
    figure.colorbar(image, ax=axes, label="Kendall's τ", pad=0.02, aspect=height / BAR_WIDTH)
    notes_below(
        figure,
        [
            "Kendall's τ with the gap and its 95 % interval; n is the number of networks",
            f"bold: family-wise p of at most {LEVEL:g}",
        ],
    )
    return figure


def _intervals(cells: pd.DataFrame) -> np.ndarray:
    return np.array(
        [
            f"\n[{number(low)}, {number(high)}]" if np.isfinite([low, high]).all() else ""
            for low, high in zip(cells["low"], cells["high"], strict=True)
        ],
        dtype=object,
    )


def _column(stratum: str, networks: int) -> str:
    if stratum == ALL:
        return f"all\nn = {networks}"
    name, _, value = stratum.partition("=")
    return f"{wrapped(words(name), _COLUMN_LETTERS)}\n= {words(value)}\nn = {networks}"
