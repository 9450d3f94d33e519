"""Whether a measure ranks networks that differ in one hyper-parameter alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gengap.figures.cells import BAR_WIDTH, CELL_WIDTH, cells_height, plot_cells
from gengap.figures.labels import measure_label, words, wrapped
from gengap.figures.style import BLACK, DIVERGING, DOUBLE_COLUMN, new_figure, notes_below, styled
from gengap.figures.tables import require

ALL = "all"
_COLUMN_LETTERS = 10
_LETTER = 0.068  # inches
_LABEL_SPACE = 2.4
_BAR_SPACE = 1.5
_TEXT_SPACE = 1.2
_ERRORS = {"sign_error_mean": "mean", "sign_error_worst": "worst"}


@styled
def psi_by_hyper_parameter(environments: pd.DataFrame, *, top: int = 20) -> Figure:
    """Draw the granulated Kendall coefficient of each measure by hyper-parameter, and sign errors.

    Psi (Jiang et al. 2020) is Kendall's coefficient over pairs of networks that differ in one
    hyper-parameter alone; the first column is its mean over the hyper-parameters. The sign error
    (Dziugaite et al. 2020) is the share of pairs that a measure orders wrongly: its mean over the
    environments, and that of the worst one. The ``top`` measures by absolute mean psi are drawn.
    ``environments`` is evaluation's table.

    Returns:
        The figure.

    Raises:
        GengapError: the table is empty or lacks a column.
    """
    require(environments, ("measure", "hyper_parameter", "psi", *_ERRORS), "environments")
    overall = environments[environments["hyper_parameter"] == ALL].set_index("measure")
    order = overall["psi"].abs().sort_values(ascending=False, kind="stable").index[:top]
    rows = [str(name) for name in order]
    names = environments["hyper_parameter"].unique()
    columns = [ALL, *(str(name) for name in names if name != ALL)]
    psi = environments.pivot(index="measure", columns="hyper_parameter", values="psi")
    psi = psi.reindex(index=rows, columns=columns)
    errors = overall.loc[rows, list(_ERRORS)]
    labels = [wrapped(measure_label(name)) for name in rows]
    heads = ["mean", *(wrapped(words(name), _COLUMN_LETTERS) for name in columns[1:])]
    longest = max(len(line) for head in heads for line in head.split("\n"))
    cell = max(CELL_WIDTH, _LETTER * longest)
    height = cells_height(labels)
    width = (len(columns) + len(_ERRORS)) * cell + _LABEL_SPACE + _BAR_SPACE
    figure = new_figure(max(DOUBLE_COLUMN * 0.8, width), height + _TEXT_SPACE)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(len(columns), len(_ERRORS)))
    panels = (
        (left, psi, heads, (-1.0, 1.0), DIVERGING),
        (right, errors, list(_ERRORS.values()), (0.0, 1.0), f"{DIVERGING}_r"),
    )
    for axes, table, titles, scale, colormap in panels:
        image = plot_cells(
            axes,
            table.to_numpy(dtype=float),
            rows=labels,
            columns=titles,
            scale=scale,
            colormap=colormap,
            bold=np.zeros(table.shape, dtype=bool),
            suffixes=np.full(table.shape, ""),
        )
        bar = 0.02 * len(columns) / table.shape[1]
        figure.colorbar(image, ax=axes, pad=bar, aspect=height / BAR_WIDTH)
    left.axvline(0.5, color=BLACK, linewidth=1.2, zorder=3)
    left.set_title("ψ over networks that differ in one hyper-parameter")
    right.set_title("sign error")
    notes_below(
        figure,
        [
            "ψ: 1 ranks all such pairs rightly, 0 is chance, −1 ranks all wrongly",
            "sign error: share of pairs ranked wrongly, chance is 0.5",
        ],
    )
    return figure
