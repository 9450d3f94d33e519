"""Predictions: of networks held out, by the number of networks to learn from, from a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gengap.figures.colouring import Colouring, colour_by
from gengap.figures.labels import gap_label, measure_label, number, wrapped
from gengap.figures.leaderboards import HYPER_PARAMETERS, TOGETHER
from gengap.figures.style import (
    BLACK,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    PALETTE,
    SINGLE_COLUMN,
    legend_below,
    new_figure,
    styled,
)
from gengap.figures.tables import by_network, matching, require
from gengap.names import PREDICTION_COLUMNS, reason_kind

_BAND = 0.18  # opacity
_LETTERS = 34  # of a panel's title
_PANEL_HEIGHT = 3.0  # inches
_NAMED = 40  # most networks whose names fit below an axis


def predictors(board: pd.DataFrame, names: pd.Series) -> list[str]:
    """Choose the predictors that a figure shows of those whose predictions there are.

    Args:
        board: evaluation's leaderboard, index measure.
        names: names of predictors.

    Returns:
        All measures together, the best single measure, and the better of the two references of
        hyper-parameters, as far as there are any; the others where there is none of these.
    """
    known = [str(name) for name in pd.unique(names)]
    single = [name for name in known if not name.startswith(("reference.", "combination."))]
    references = [name for name in HYPER_PARAMETERS if name in known]
    best = [max(references, key=lambda name: float(board["r2_mean"][name]))] if references else []
    return [*(name for name in TOGETHER[:1] if name in known), *single[:1], *best] or known


@styled
def held_out_predictions(
    held_out: pd.DataFrame, board: pd.DataFrame, colour: pd.Series, *, gap_of: str = "accuracy"
) -> Figure:
    """Draw the measured gap of each network against its prediction while it was held out.

    One panel each shows all measures together, the best measure and the hyper-parameters. Points on
    the line are predicted exactly; the band is as wide as the 90 % interval of one new network.

    Args:
        held_out: evaluation's table: name, network, gap, prediction.
        board: evaluation's leaderboard.
        colour: a hyper-parameter, index network.
        gap_of: what the gap is of, one of :data:`gengap.names.GAPS`.

    Returns:
        The figure.

    Raises:
        GengapError: a table is empty or lacks a column, or networks do not match.
    """
    require(held_out, ("name", "network", "gap", "prediction"), "held-out predictions")
    require(board, ("measure", "r2_mean", "r2_new_draw", "width_90"), "leaderboard")
    rows = board.set_index("measure")
    names = predictors(rows, held_out["name"])
    shown = held_out[held_out["name"].isin(names)]
    networks = pd.Index(shown["network"].astype(str).unique())
    colouring = colour_by(matching(colour, networks, f"Hyper-parameter {colour.name!r}"))
    gaps = shown["gap"].to_numpy(dtype=float)
    margin = 0.06 * (np.ptp(gaps) or 1.0)
    limits = (float(gaps.min() - margin), float(gaps.max() + margin))
    width = SINGLE_COLUMN if len(names) == 1 else DOUBLE_COLUMN * len(names) / 3
    figure = new_figure(width, _PANEL_HEIGHT + 0.4)
    panels = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for axes, name in zip(panels, names, strict=True):
        table = shown[shown["name"] == name].set_index("network")
        _panel(axes, table, colouring, limits, half=float(rows["width_90"][name]) / 2)
        score = number(float(rows["r2_mean"][name]))
        new = float(rows["r2_new_draw"][name])
        beside = f", for a new draw {number(new)}" if np.isfinite(new) else ""
        axes.set_title(f"{wrapped(measure_label(name), _LETTERS)}\nR² {score}{beside}")
        axes.set_xlabel("predicted, held out")
    panels[0].set_ylabel(f"measured {gap_label(gap_of)}")
    colouring.explain(figure)
    return figure


def _panel(
    axes: Axes,
    table: pd.DataFrame,
    colouring: Colouring,
    limits: tuple[float, float],
    *,
    half: float,
) -> None:
    table = table.set_axis(table.index.astype(str))
    predictions = table["prediction"]
    margin = 0.03 * (limits[1] - limits[0])
    low = min(limits[0], float(predictions.min()) - margin)
    high = max(limits[1], float(predictions.max()) + margin)
    ends = np.array([low, high])
    if np.isfinite(half):
        axes.fill_between(ends, ends - half, ends + half, color=GREY, alpha=_BAND, linewidth=0)
    axes.plot(ends, ends, color=BLACK, linewidth=0.8, zorder=0.5)
    colouring.scatter(axes, predictions, table["gap"])
    axes.set_xlim(low, high)
    axes.set_ylim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(4))


@styled
def learning_curve(curve: pd.DataFrame) -> Figure:
    """Draw R2 and the width of a 90 % interval by the number of networks to learn from.

    ``curve`` is evaluation's table: name, networks, r2_mean, low, high, width_90; the bands go from
    ``low`` to ``high``.

    Returns:
        The figure.

    Raises:
        GengapError: the table is empty or lacks a column.
    """
    columns = ("name", "networks", "r2_mean", "low", "high", "width_90")
    require(curve, columns, "learning curve")
    figure = new_figure(DOUBLE_COLUMN, 2.9)
    left, right = figure.subplots(1, 2)
    handles = []
    for i, (name, rows) in enumerate(curve.groupby("name", sort=False)):
        rows = rows.sort_values("networks")
        networks = rows["networks"].to_numpy(dtype=float)
        colour, marker = PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]
        style: Any = {"color": colour, "marker": marker, "markersize": 4}
        left.plot(networks, rows["r2_mean"].to_numpy(dtype=float), **style)
        left.fill_between(
            networks,
            rows["low"].to_numpy(dtype=float),
            rows["high"].to_numpy(dtype=float),
            color=colour,
            alpha=_BAND,
            linewidth=0,
        )
        right.plot(networks, rows["width_90"].to_numpy(dtype=float), **style)
        handles.append(Line2D([], [], label=measure_label(str(name)), **style))
    lowest = float(np.nanmin(curve["r2_mean"]))
    left.set_ylim(max(-1.0, min(0.0, lowest)) - 0.04, 1.0)
    left.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    left.set_ylabel("R² on networks held out")
    right.set_ylim(bottom=0)
    right.set_ylabel("width of a 90 % interval of the gap")
    for axes in (left, right):
        axes.set_xlabel("networks to learn from")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    legend_below(figure, handles)
    return figure


@styled
def predicted_gaps(
    predictions: pd.DataFrame, measured: pd.Series, *, gap_of: str = "accuracy"
) -> Figure:
    """Draw the gap that each network is predicted to have, with its interval.

    Networks are in the order of the predicted gap. Those that are declined stand at the right, by
    the kind of the reason, at their measured gap, or at the bottom where it is not known.

    Args:
        predictions: columns :data:`gengap.names.PREDICTION_COLUMNS`.
        measured: gaps by network, NaN where they are not known.
        gap_of: what the gap is of, one of :data:`gengap.names.GAPS`.

    Returns:
        The figure.

    Raises:
        GengapError: the table is empty or lacks a column.
    """
    require(predictions, PREDICTION_COLUMNS, "predictions")
    table = predictions.set_index(predictions["network"].astype(str))
    gaps = by_network(measured).reindex(table.index).astype(float)
    rows = table[table["gap"].notna()].sort_values("gap", kind="stable")
    declined = table[table["gap"].isna()]
    kinds = declined["reason"].fillna("").map(reason_kind)
    order = [*rows.index, *kinds.sort_values(kind="stable").index]
    places = pd.Series(np.arange(len(order), dtype=float), index=order)
    figure = new_figure(DOUBLE_COLUMN, _PANEL_HEIGHT + 0.4)
    axes = figure.subplots()
    handles: list[Any] = []
    if len(rows):
        x, y = places[rows.index].to_numpy(), rows["gap"].to_numpy(dtype=float)
        errors = np.abs(np.vstack([rows["low"], rows["high"]]).astype(float) - y)
        handles.append(
            axes.errorbar(
                x, y, errors, fmt=MARKERS[0], color=PALETTE[0], markersize=3, elinewidth=0.8,
                label="predicted, with its 90 % interval",
            )
        )  # fmt: skip
        known = gaps[rows.index]
        if known.notna().any():
            style: Any = {"linestyle": "none", "marker": "_", "color": BLACK, "markersize": 6}
            axes.plot(x, known.to_numpy(), zorder=3, **style)
            handles.append(Line2D([], [], label="measured", **style))
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    bottom = axes.get_ylim()[0]
    for i, kind in enumerate(kinds.sort_values().unique()):
        names = kinds.index[kinds == kind]
        style = {"linestyle": "none", "marker": "x", "color": PALETTE[1:][i % 5], "markersize": 4}
        axes.plot(places[names].to_numpy(), gaps[names].fillna(bottom).to_numpy(), **style)
        handles.append(Line2D([], [], label=f"declined: {kind}", **style))
    axes.set_ylabel(gap_label(gap_of))
    axes.set_xlabel("network, by its predicted gap")
    few = len(order) <= _NAMED
    axes.set_xticks(places.to_numpy() if few else [], order if few else [], rotation=90)
    legend_below(figure, handles)
    return figure
