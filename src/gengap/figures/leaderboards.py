"""The leaderboard: R² with its spread, and Kendall's tau with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gengap.errors import GengapError
from gengap.figures.cells import MISSING
from gengap.figures.labels import measure_label, number, words, wrapped
from gengap.figures.style import (
    BLACK,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    PALE,
    PALETTE,
    SMALL_SIZE,
    legend_below,
    new_figure,
    styled,
)
from gengap.figures.tables import require

LOWEST_R2 = -1.0  # the axis goes no further; what lies beyond is printed at the edge
_COLUMNS = (
    "rank", "measure", "family", "kind", "underdetermined", "r2_mean", "r2_std", "r2_min",
    "r2_max", "kendall", "kendall_low", "kendall_high",
)  # fmt: skip
_REFERENCE_MARKER = "D"
_THICK, _THIN = 3.0, 0.8  # points
_PALER = 0.45
_LINE_HEIGHT = 0.125  # inches of one line of a label
_ROW_SPACE = 0.09


@dataclass(frozen=True)
class _Mark:
    colour: str
    marker: str


@styled
def leaderboard(table: pd.DataFrame, *, top: int = 15) -> Figure:
    """Draw the ``top`` measures by rank, then every reference row.

    The left panel shows mean R² over the ten folds, with a thick line of plus or minus one standard
    deviation and a thin one from the smallest to the largest fold. The right panel shows Kendall's
    tau of scalar measures with its bootstrap interval. ``table`` is evaluation's leaderboard;
    colours and marks stand for families, hollow marks for measures with more components than
    training networks.

    Returns:
        The figure.

    Raises:
        GengapError: the table is empty or lacks a column, or ``top`` is not positive.
    """
    require(table, _COLUMNS, "leaderboard")
    if top < 1:
        raise GengapError(f"The leaderboard cannot show top={top} measures: ask for at least 1.")
    reference = table["kind"] == "reference"
    measures = table[~reference].sort_values("rank", kind="stable").head(top)
    references = table[reference].sort_values("r2_mean", ascending=False, kind="stable")
    rows = pd.concat([measures, references]).reset_index(drop=True)
    labels = [wrapped(measure_label(str(name))) for name in rows["measure"]]
    marks = _marks(table.loc[~reference, "family"])
    positions = _positions(labels)
    figure = new_figure(DOUBLE_COLUMN, 1.5 + positions[-1] + _ROW_SPACE)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    shown = [_mark(row, marks) for _, row in rows.iterrows()]
    _plot_r2(left, rows, positions, shown)
    _plot_kendall(right, rows, positions, shown)
    left.set_yticks(positions, labels)
    left.set_ylim(positions[-1] + _LINE_HEIGHT, positions[0] - _LINE_HEIGHT)
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=PALE)
        if len(measures) and len(references):
            border = (positions[len(measures) - 1] + positions[len(measures)]) / 2
            axes.axhline(border, color=GREY, linewidth=0.6)
    total = int((~reference).sum())
    if total > top:
        figure.suptitle(f"The {len(measures)} best of {total} measures")
    drawn = measures["family"].unique()
    legend_below(figure, _handles({name: marks[name] for name in marks if name in drawn}, rows))
    return figure


def _positions(labels: list[str]) -> list[float]:
    """Return the centre of each row in inches from the top; labels may have several lines."""
    heights = np.array([_LINE_HEIGHT * (1 + label.count("\n")) + _ROW_SPACE for label in labels])
    return list(map(float, np.cumsum(heights) - heights / 2))


def _marks(families: pd.Series) -> dict[str, _Mark]:
    return {
        name: _Mark(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(sorted(families.astype(str).unique()))
    }


def _mark(row: pd.Series, marks: dict[str, _Mark]) -> _Mark:
    if row["kind"] == "reference":
        return _Mark(BLACK, _REFERENCE_MARKER)
    return marks[str(row["family"])]


def _point(axes: Axes, x: float, y: float, mark: _Mark, *, hollow: bool) -> None:
    axes.plot(
        [x],
        [y],
        linestyle="",
        marker=mark.marker,
        markersize=4.5,
        color=mark.colour,
        markerfacecolor="white" if hollow else mark.colour,
        zorder=3,
    )


def _plot_r2(axes: Axes, rows: pd.DataFrame, positions: list[float], marks: list[_Mark]) -> None:
    extent = rows[["r2_min", "r2_max", "r2_mean"]].to_numpy(dtype=float)
    finite = extent[np.isfinite(extent)]
    if finite.size == 0:
        raise GengapError("The leaderboard table has no finite R²: evaluate more networks.")
    low = max(LOWEST_R2, min(0.0, float(finite.min())))
    high = max(0.1, float(finite.max()))
    margin = 0.04 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    for (_, row), y, mark in zip(rows.iterrows(), positions, marks, strict=True):
        mean, std = float(row["r2_mean"]), float(row["r2_std"])
        if not np.isfinite(mean):
            _undefined(axes, y)
            continue
        axes.hlines(y, row["r2_min"], row["r2_max"], color=mark.colour, linewidth=_THIN)
        if mean < low:
            # A deviation as large as that would cross the whole axis and be meaningless.
            outside = _Mark(mark.colour, "<")
            _point(axes, low, y, outside, hollow=bool(row["underdetermined"]))
            _print_value(axes, low, y, mean)
            continue
        axes.hlines(y, mean - std, mean + std, color=mark.colour, linewidth=_THICK, alpha=_PALER)
        _point(axes, mean, y, mark, hollow=bool(row["underdetermined"]))
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.set_xlabel("cross-validated R² of the gap")


def _plot_kendall(
    axes: Axes, rows: pd.DataFrame, positions: list[float], marks: list[_Mark]
) -> None:
    for (_, row), y, mark in zip(rows.iterrows(), positions, marks, strict=True):
        tau = float(row["kendall"])
        if not np.isfinite(tau):
            _undefined(axes, y)
            continue
        low, high = row["kendall_low"], row["kendall_high"]
        axes.hlines(y, low, high, color=mark.colour, linewidth=_THICK, alpha=_PALER)
        _point(axes, tau, y, mark, hollow=bool(row["underdetermined"]))
    axes.set_xlim(-1.05, 1.05)
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.set_xlabel("Kendall's τ with the gap")


def _undefined(axes: Axes, y: float) -> None:
    axes.text(0, y, MISSING, ha="center", va="center", color=GREY, fontsize=SMALL_SIZE)


def _print_value(axes: Axes, x: float, y: float, value: float) -> None:
    axes.annotate(
        number(value),
        (x, y),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL_SIZE,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        zorder=4,
    )


def _handles(marks: dict[str, _Mark], rows: pd.DataFrame) -> list[Artist]:
    def point(label: str, mark: _Mark, *, hollow: bool = False) -> Line2D:
        return Line2D(
            [], [], linestyle="", marker=mark.marker, markersize=4.5, color=mark.colour,
            markerfacecolor="white" if hollow else mark.colour, label=label,
        )  # fmt: skip

    handles: list[Artist] = [point(words(name), mark) for name, mark in marks.items()]
    if (rows["kind"] == "reference").any():
        handles.append(point("reference", _Mark(BLACK, _REFERENCE_MARKER)))
    if rows["underdetermined"].astype(bool).any():
        handles.append(point("underdetermined", _Mark(GREY, "o"), hollow=True))
    handles += [
        Line2D(
            [], [], color=GREY, linewidth=_THICK, alpha=_PALER, label="R² ± std; τ 95 % interval"
        ),
        Line2D([], [], color=GREY, linewidth=_THIN, label="R² smallest to largest fold"),
    ]
    if rows[["r2_mean", "kendall"]].isna().to_numpy().any():
        handles.append(
            Line2D([], [], linestyle="", label=f"{MISSING} none (vector or not defined)")
        )
    return handles
