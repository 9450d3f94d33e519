"""The leaderboard: groups of measures, what needs none, and what all of them reach together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
LEVEL = 0.05
TOGETHER = (
    "combination.all", "combination.all_and_hyper_parameters", "combination.best_single",
)  # fmt: skip
"""The combinations that are drawn; those of single families are in the figure of families."""
HYPER_PARAMETERS = ("reference.hyper_parameters", "reference.hyper_parameters_pairwise")
_COLUMNS = (
    "rank", "measure", "family", "kind", "eligible", "r2_mean", "r2_std", "r2_new_draw",
    "p_mean", "p_additive", "p_pairwise", "kendall", "kendall_low", "kendall_high",
)  # fmt: skip
_OTHER_MARKERS = {"combination": "*", "reference": "D"}
_OTHER_SIZES = {"combination": 7.0, "reference": 4.0}
_TICK = 6.0
_SIZE = 4.8  # points
_THICK = 3.0
_PALER = 0.45
_LINE_HEIGHT = 0.125  # inches of one line of a label
_ROW_SPACE = 0.09
_BLOCK_SPACE = 0.08

Fill = Literal["full", "left", "none"]


@dataclass(frozen=True)
class _Mark:
    colour: str
    marker: str
    size: float = _SIZE
    fill: Fill = "full"


@styled
def leaderboard(table: pd.DataFrame, *, top: int = 15) -> Figure:
    """Draw the first ``top`` ranked measures by group, all measures together, and the references.

    The left panel shows the cross-validated R2, with a line of plus or minus one standard deviation
    over the repeats; the dashed line is the better of the two references of hyper-parameters. The
    right panel shows Kendall's tau of scalar measures with its interval. Groups of measures that
    cannot be told apart are shaded in turn and numbered at the right. ``table`` is evaluation's
    leaderboard; colours and marks stand for families. A mark is filled where the measure adds to
    the hyper-parameters with their pairwise products, half filled where it adds to the
    hyper-parameters alone, and hollow where neither is shown (family-wise p above ``LEVEL``).

    Returns:
        The figure.

    Raises:
        GengapError: the table is empty or lacks a column, or ``top`` is not positive.
    """
    require(table, _COLUMNS, "leaderboard")
    if top < 1:
        raise GengapError(f"The leaderboard cannot show top={top} measures: ask for at least 1.")
    ranked = table[table["rank"].notna()].sort_values(
        ["rank", "r2_mean"], ascending=[True, False], kind="stable"
    )
    blocks = [
        ranked.head(top),
        table[table["measure"].isin(TOGETHER)],
        table[table["kind"] == "reference"],
    ]
    rows = pd.concat(
        [
            block if block is blocks[0] else block.sort_values("r2_mean", ascending=False)
            for block in blocks
        ],
        ignore_index=True,
    )
    if not np.isfinite(rows["r2_mean"].to_numpy(dtype=float)).any():
        raise GengapError("The leaderboard table has no finite R²: evaluate more networks.")
    labels = [wrapped(measure_label(str(name))) for name in rows["measure"]]
    sizes = [len(block) for block in blocks]
    positions, borders = _positions(labels, sizes)
    measures = table["kind"].isin(["scalar", "vector"])
    families = _families(table.loc[measures, "family"])
    with_grid = bool(table["p_additive"].notna().any())
    shown = [_mark(row, families, with_grid) for _, row in rows.iterrows()]
    figure = new_figure(DOUBLE_COLUMN, 1.55 + positions[-1] + _ROW_SPACE)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    limit = _hyper_parameters(table)
    _plot_r2(left, rows, positions, shown, limit)
    _plot_kendall(right, rows, positions, shown)
    left.set_yticks(positions, labels)
    left.set_ylim(positions[-1] + _LINE_HEIGHT, positions[0] - _LINE_HEIGHT)
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        for border in borders:
            axes.axhline(border, color=GREY, linewidth=0.6)
    _shade(left, right, rows["rank"].iloc[: sizes[0]], positions)
    figure.suptitle(f"{sizes[0]} of {len(ranked)} ranked measures" if len(ranked) > top else "")
    drawn = blocks[0]["family"].unique()
    chosen = {name: mark for name, mark in families.items() if name in drawn}
    legend_below(figure, _handles(chosen, rows, shown, with_grid, limit is not None))
    return figure


def _positions(labels: list[str], blocks: list[int]) -> tuple[list[float], list[float]]:
    """Return rows' centres and blocks' borders in inches from the top; labels may have lines."""
    positions, borders = [], []
    top, row = 0.0, 0
    for block in blocks:
        if block and row:
            borders.append(top + _BLOCK_SPACE / 2)
            top += _BLOCK_SPACE
        for label in labels[row : row + block]:
            height = _LINE_HEIGHT * (1 + label.count("\n")) + _ROW_SPACE
            positions.append(top + height / 2)
            top += height
        row += block
    return positions, borders


def _families(families: pd.Series) -> dict[str, _Mark]:
    return {
        name: _Mark(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(sorted(families.astype(str).unique()))
    }


def _mark(row: pd.Series, families: dict[str, _Mark], with_grid: bool) -> _Mark:
    kind = str(row["kind"])
    if kind in _OTHER_MARKERS:
        return _Mark(BLACK, _OTHER_MARKERS[kind], _OTHER_SIZES[kind])
    family = families[str(row["family"])]
    fill: Fill = "none"
    if row["p_pairwise" if with_grid else "p_mean"] <= LEVEL:
        fill = "full"
    elif row["p_additive"] <= LEVEL:
        fill = "left"
    return _Mark(family.colour, family.marker, fill=fill)


def _hyper_parameters(table: pd.DataFrame) -> float | None:
    scores = table.loc[table["measure"].isin(HYPER_PARAMETERS), "r2_mean"].dropna()
    return None if scores.empty else float(scores.max())


def _shade(left: Axes, right: Axes, groups: pd.Series, positions: list[float]) -> None:
    """Shade every other group of measures, and number all of them at the right."""
    half = (_LINE_HEIGHT + _ROW_SPACE) / 2
    bottom = positions[0] - half
    for group in groups.unique():
        inside = [positions[i] for i in np.flatnonzero(groups == group)]
        after = positions[np.flatnonzero(groups == group)[-1] + 1 :][:1]
        top, bottom = bottom, (inside[-1] + after[0]) / 2 if after else inside[-1] + half
        if group % 2:
            for axes in (left, right):
                axes.axhspan(top, bottom, color=PALE, linewidth=0, zorder=-1)
        right.annotate(
            f"group {int(group)}",
            (1, (inside[0] + inside[-1]) / 2),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL_SIZE,
        )


def _point(axes: Axes, x: float, y: float, mark: _Mark) -> None:
    axes.plot(
        [x],
        [y],
        linestyle="",
        marker=mark.marker,
        markersize=mark.size,
        color=mark.colour,
        fillstyle="left" if mark.fill == "left" else "full",
        markerfacecolor="white" if mark.fill == "none" else mark.colour,
        markerfacecoloralt="white",
        zorder=3,
        clip_on=False,
    )


def _plot_r2(
    axes: Axes,
    rows: pd.DataFrame,
    positions: list[float],
    marks: list[_Mark],
    limit: float | None,
) -> None:
    mean, std, known = (
        rows[name].to_numpy(dtype=float) for name in ("r2_mean", "r2_std", "r2_new_draw")
    )
    finite = np.isfinite(mean)
    shown = finite & (mean >= LOWEST_R2)
    # A deviation may be longer than the axis, which the means alone determine.
    low = LOWEST_R2 if (finite & ~shown).any() else min(0.0, float(np.nanmin(mean)))
    high = max(0.1, float(np.max((mean + np.nan_to_num(std))[shown], initial=0.0)))
    beside = known[known >= LOWEST_R2]
    low = min(low, float(np.min(beside, initial=0.0)))
    high = max(high, float(np.max(beside, initial=0.0)))
    margin = 0.04 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    for r2, spread, there, y, mark in zip(mean, std, finite, positions, marks, strict=True):
        if not there:
            _undefined(axes, y)
        elif r2 < low:
            # A deviation as large as that would cross the whole axis and be meaningless.
            _point(axes, low, y, _Mark(mark.colour, "<", fill=mark.fill))
            _print_value(axes, low, y, r2)
        else:
            axes.hlines(
                y, r2 - spread, r2 + spread, color=mark.colour, linewidth=_THICK, alpha=_PALER
            )
            _point(axes, r2, y, mark)
    inside = np.isfinite(known) & (known >= low)
    axes.scatter(
        known[inside], np.array(positions)[inside], marker="|", s=_TICK**2, color=GREY, zorder=2
    )
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    if limit is not None:
        axes.axvline(limit, color=BLACK, linewidth=0.8, linestyle="--", zorder=0)
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
        _point(axes, tau, y, mark)
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


def _handles(
    families: dict[str, _Mark],
    rows: pd.DataFrame,
    shown: list[_Mark],
    with_grid: bool,
    limited: bool,
) -> list[Artist]:
    def point(label: str, mark: _Mark) -> Line2D:
        return Line2D(
            [], [], linestyle="", marker=mark.marker, markersize=mark.size, color=mark.colour,
            fillstyle="left" if mark.fill == "left" else "full", label=label,
            markerfacecolor="white" if mark.fill == "none" else mark.colour,
            markerfacecoloralt="white",
        )  # fmt: skip

    handles: list[Artist] = [point(words(name), mark) for name, mark in families.items()]
    for kind, marker in _OTHER_MARKERS.items():
        if (rows["kind"] == kind).any():
            handles.append(point(kind, _Mark(BLACK, marker, _OTHER_SIZES[kind])))
    meanings: dict[Fill, str] = {
        "full": "adds to pairwise products" if with_grid else "beats the mean gap",
        "left": "adds to hyper-parameters",
        "none": "not shown to add" if with_grid else "not shown to beat it",
    }
    fills = {mark.fill for mark, kind in zip(shown, rows["kind"], strict=True)
             if kind not in _OTHER_MARKERS}  # fmt: skip
    handles += [
        point(label, _Mark(GREY, "o", fill=fill))
        for fill, label in meanings.items()
        if fill in fills
    ]
    if limited:
        handles.append(
            Line2D(
                [],
                [],
                color=BLACK,
                linewidth=0.8,
                linestyle="--",
                label="hyper-parameters, at best",
            )
        )
    if rows["r2_new_draw"].notna().any():
        handles.append(
            Line2D(
                [], [], color=GREY, linestyle="", marker="|", markersize=_TICK,
                label="R² for a new draw",
            )
        )  # fmt: skip
    label = "± std (R²), 95 % (τ)"
    handles.append(Line2D([], [], color=GREY, linewidth=_THICK, alpha=_PALER, label=label))
    if rows[["r2_mean", "kendall"]].isna().to_numpy().any():
        handles.append(Line2D([], [], linestyle="", label=f"{MISSING} not defined"))
    return handles
