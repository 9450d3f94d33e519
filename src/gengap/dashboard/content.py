"""The view's tables as JSON-ready dictionaries, which ``assets/view.js`` draws.

``page`` gives what does not change, ``column`` one component of a measure, ``network`` one network,
and ``measures_of`` the measures of one network.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from gengap.dashboard.view import CLUSTER, GAP, MEASURES, View
from gengap.errors import GengapError
from gengap.evaluation.designs import COMBINATION, HYPER_PARAMETERS, MEAN, Design
from gengap.figures import measure_label
from gengap.figures.colouring import colour_by
from gengap.figures.labels import gap_label, number, value_label, words
from gengap.figures.leaderboards import TOGETHER
from gengap.figures.scatters import least_squares_line
from gengap.figures.style import MARKERS, ORDERED, PALETTE
from gengap.names import PREDICTION_COLUMNS, reason_kind

Content = dict[str, Any]

MOST_LISTED = 64
"""A vector with more components than this is only named in a network's table."""
MOST_SINGULAR_VALUES = 48
"""Of a kernel with more singular values, this many are drawn."""
MOST_REASONS = 100
"""Of more networks or measures that failed or are left out, these many are named."""
DECIMALS = 3
"""Births and deaths are drawn, not computed with, so that a pixel's accuracy will do."""
BOARD_COLUMNS = (
    "group", "measure", "family", "R²", "p: beats the mean", "p: adds to hyper-parameters",
    "p: adds to their products", "τ", "width of a 90 % interval",
)  # fmt: skip
"""The heads of the leaderboard's table; p values are family-wise."""
_SYMBOLS = dict(
    zip(
        MARKERS,
        ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "pentagon"),
        strict=True,
    )
)
CLUSTERS = ("0, smaller gap", "1, larger gap")
"""What the two clusters are called."""
CONFIG = {
    "displaylogo": False,
    # The page itself tells a figure that its panel has another width.
    "responsive": False,
    # Plotly would offer to upload the figure to its own servers.
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}
"""Plotly's options for how readers handle a figure."""


def page(view: View) -> Content:
    """Return networks, colourings, choices and notes: what does not depend on a choice."""
    shown = view.networks.loc[list(view.drawn)]
    colours = _colourings(view) if view.is_evaluated else {}
    choices = _colour_names(view, colours) if view.is_evaluated else []
    offered = view.measures if view.is_evaluated else {}
    return {
        "task": view.name,
        "networks": list(view.drawn),
        "columns": [str(name) for name in shown.columns],
        "rows": [[_plain(value) for value in row] for row in shown.itertuples(index=False)],
        "gaps": [_plain(gap) for gap in shown[GAP]],
        "gap_label": gap_label(view.gap_of),
        "hover": [_hover(view, network) for network in view.drawn],
        "colours": colours,
        "measures": {name: _measure(view, name) for name in view.measures},
        "clusters": [
            {"label": label, "colour": to_hex(PALETTE[i]), "symbol": _SYMBOLS[MARKERS[i]]}
            for i, label in enumerate(CLUSTERS)
        ],
        "measure_options": [
            {"value": name, "label": _measure_option(view, name)} for name in offered
        ],
        "colour_options": [{"value": name, "label": words(name)} for name in choices],
        "network_options": [
            {"value": network, "label": f"network {_named(view, network)}"}
            for network in view.drawn
        ],
        "measure": view.default_measure() if view.is_evaluated else None,
        "colour": next(iter(choices), None),
        "heading": _heading(view),
        "notes": _notes(view, colours),
        "verdict": [" ".join(part.split()) for part in view.verdict.split("\n\n")],
        "on_size": _on_size(view),
        "board_columns": list(BOARD_COLUMNS),
        "board": _board(view),
        "together": _together(view) if view.is_evaluated else None,
        "held_out": _held_out(view),
        "predictor_options": [
            {"value": name, "label": measure_label(str(name))}
            for name in (view.held_out["name"].unique() if view.is_evaluated else ())
        ],
        "predictions": None if view.predictions is None else _predictions(view, view.predictions),
        "config": CONFIG,
    }


def column(view: View, measure: str, component: str) -> Content:
    """Return one component of a measure: values, clusters, least-squares line, tau.

    Values and clusters are those of the networks of the page, line and tau those of all networks.

    Returns:
        Content for ``assets/view.js``, ready for JSON. Clusters are missing where there are none.

    Raises:
        GengapError: an unknown measure or component.
    """
    values = view.values(measure, component).to_numpy()
    clusters = view.cluster(measure, component)
    content: Content = {
        "values": _plain_numbers(values[view.drawn_rows]),
        "line": _line(values, view.networks[GAP].to_numpy(dtype=float)),
    }
    if len(view.measures[measure].components) > 1:
        content["tau"] = _plain(view.kendall(measure, component))
    if np.isfinite(clusters).any():
        content["clusters"] = [
            None if math.isnan(value) else int(value) for value in clusters[view.drawn_rows]
        ]
    return content


def network(view: View, name: str, most_bars: int) -> Content:
    """Return one network: facts, spectra, margins, and its diagrams or why there are none.

    Args:
        view: the task.
        name: the network's id.
        most_bars: largest number of bars per dimension; of more, this many are kept, evenly
            spaced by length.

    Returns:
        Content for ``assets/view.js``, ready for JSON.
    """
    return {
        "name": name,
        "facts": _facts(view, name),
        "diagrams": _diagrams(view, name, most_bars),
        "spectra": {
            kernel: _thinned_spectrum(values) for kernel, values in view.spectra(name).items()
        },
        "margins": {words(layer): values for layer, values in view.margins(name).items()},
    }


def measures_of(view: View, network: str) -> list[Content]:
    """List the measures of a network by family, without the values of large vectors.

    Args:
        view: the task.
        network: the network's id.

    Returns:
        Content for ``assets/view.js``, ready for JSON.
    """
    position = view.networks.index.get_loc(network)
    measures = [measure_of(design, design.values[position]) for design in view.measures.values()]
    return sorted(measures, key=lambda entry: entry["family"])


def measure_of(design: Design, values: np.ndarray) -> Content:
    """Return a measure with its values for one network; a large vector is given without them."""
    listed = len(design.components) <= MOST_LISTED
    return {
        "family": design.family,
        "label": measure_label(design.name),
        "components": list(design.components) if listed else [],
        "values": _plain_numbers(values) if listed else [],
        "count": len(design.components),
    }


def _thinned_spectrum(values: np.ndarray) -> Content:
    """Return how many values there are, and ``MOST_SINGULAR_VALUES`` of them, evenly spaced."""
    count = min(len(values), MOST_SINGULAR_VALUES)
    ranks = np.linspace(0, len(values) - 1, count).round().astype(int)
    return {"total": len(values), "values": [float(f"{value:.4g}") for value in values[ranks]]}


def _plain_numbers(values: np.ndarray) -> list[float | None]:
    """Convert numbers to JSON; what is not finite becomes null."""
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _heading(view: View) -> str:
    """Count networks and measures as the run's summary does: those of equal values once."""
    compared = len(view.measures)
    if view.is_evaluated:
        compared = int(view.leaderboard["kind"].isin(MEASURES).sum())
    others = len(view.measures) - compared
    text = f"{len(view.networks)} networks, {compared} measures of the gap"
    return text + f", and {others} that equal one of them or were left out" * bool(others)


def _plain(value: Any) -> Any:
    """Convert a cell to JSON; what is no number there becomes null."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def _facts(view: View, network: str) -> list[tuple[str, str]]:
    row = view.networks.loc[network]
    facts = [(words(name), value_label(row[name])) for name in view.hyper_parameters]
    return facts + [
        (words(name), "not known" if pd.isna(row[name]) else f"{row[name]:.4f}")
        for name in view.outcomes
    ]


def _named(view: View, network: str) -> str:
    """Return a network's id, and what it is called where it comes from."""
    source = view.sources.get(network)
    return network if source is None else f"{network} ({source})"


def _hover(view: View, network: str) -> str:
    facts = "".join(
        f"<br>{html.escape(name)}: {html.escape(value)}" for name, value in _facts(view, network)
    )
    return f"<b>network {html.escape(_named(view, network))}</b>{facts}"


def _measure_option(view: View, name: str) -> str:
    rank = view.row(name)["rank"]
    place = "" if pd.isna(rank) else f", group {rank}"
    return f"{measure_label(name)} ({view.measures[name].family}{place})"


def _colour_names(view: View, colours: dict[str, Content]) -> list[str]:
    """List the choices of colour: hyper-parameters first, then the clusters, then the gap."""
    return [*(name for name in view.hyper_parameters if name in colours), CLUSTER, GAP]


def _colourings(view: View) -> dict[str, Content]:
    """Make colourings by the gap and by each hyper-parameter that has few enough values."""
    colourings = {}
    for name in (*view.hyper_parameters, GAP):
        try:
            colourings[name] = _colouring(view.networks[name], view.drawn)
        except GengapError:
            continue
    return colourings


def _colouring(values: pd.Series, drawn: Sequence[str]) -> Content:
    """Groups of networks with their colour and symbol, or one number a network and its scale."""
    colouring, shown = colour_by(values), set(drawn)
    groups = [
        {
            "label": group.label,
            "colour": to_hex(group.colour),
            "symbol": _SYMBOLS[group.marker],
            "networks": sorted(group.networks & shown),
        }
        for group in colouring.groups
    ]
    numbers = None
    if colouring.scale is not None:
        numbers = {name: _plain(values[name]) for name in drawn}
    return {
        "title": words(colouring.name),
        "groups": groups,
        "numbers": numbers,
        "scale": ORDERED.capitalize(),
    }


def _line(x: np.ndarray, y: np.ndarray) -> list[list[float]] | None:
    """Return the ends of the least-squares line: [[x, x], [y, y]]."""
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(np.unique(x)) < 2:
        return None
    slope, intercept = least_squares_line(x, y)
    ends = [float(x.min()), float(x.max())]
    return [ends, [intercept + slope * end for end in ends]]


def _measure(view: View, name: str) -> Content:
    """Return what a measure shows before a component is chosen."""
    components = view.measures[name].components
    values = view.measures[name].values
    listed = len(components) <= MOST_LISTED
    return {
        "label": measure_label(name),
        "family": view.measures[name].family,
        "components": list(components),
        "constant": [
            component
            for component, column in zip(components, values.T, strict=True)
            if not _varies(column)
        ],
        "best": view.strongest_component(name) if listed else components[0],
        "statistics": _statistics(view, name) if view.is_evaluated else [],
    }


def _varies(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return bool(len(finite) and np.ptp(finite) > 0)


def _statistics(view: View, measure: str) -> list[Content]:
    """List what the leaderboard says about a measure: label, value, explanation."""
    row, plain = view.row(measure), view.leaderboard["width_90"][MEAN]
    cards = [
        {
            "label": "R² on networks held out",
            "value": f"{_number(row['r2_mean'])} ± {_number(row['r2_std'])}",
            "detail": f"± over repeats of the cross-validation; {_place(view, measure)}",
        },
        _gain(view, row),
        {
            "label": "90 % interval of one network",
            "value": _decimals(row["width_90"]),
            "detail": f"its width; {_decimals(plain)} without a measure",
        },
    ]
    if row["kind"] != "scalar":
        return cards
    for statistic, label in (
        ("kendall", "Kendall’s τ"),
        ("spearman", "Spearman’s ρ"),
        ("pearson", "Pearson’s r"),
    ):
        low, high = _number(row[f"{statistic}_low"]), _number(row[f"{statistic}_high"])
        cards.append(
            {
                "label": label,
                "value": _number(row[statistic]),
                "detail": f"95 % interval [{low}, {high}]; p = {row[f'{statistic}_p']:.2g}",
            }
        )
    return cards


def _place(view: View, measure: str) -> str:
    """Say which group a measure is in, or why in none, and which measures are its duplicates."""
    row = view.row(measure)
    if not pd.isna(row["rank"]):
        place = f"group {row['rank']} of {view.leaderboard['rank'].max()}"
    elif row["underdetermined"]:
        place = "underdetermined: as many coefficients as networks to fit them"
    else:
        place = "not ranked: constant over the networks"
    alike = (view.row_name(measure), *row["duplicates"].split())
    same = ", ".join(measure_label(name) for name in alike if name != measure)
    return f"{place}; the same over these networks: {same}" if same else place


def _gain(view: View, row: dict[Any, Any]) -> Content:
    """Say what a measure adds to what is known without it, with its family-wise p."""
    if HYPER_PARAMETERS not in view.leaderboard.index:
        return {
            "label": "gain over the mean",
            "value": _number(row["r2_mean"] - view.leaderboard["r2_mean"][MEAN]),
            "detail": f"in R²; {_p(row['p_mean'])}",
        }
    additive, pairwise = _number(row["increment_additive"]), _number(row["increment_pairwise"])
    return {
        "label": "gain over hyper-parameters",
        "value": pairwise,
        "detail": f"in R², over them and their products ({_p(row['p_pairwise'])}); {additive} over "
        f"them alone ({_p(row['p_additive'])})",
    }


def _p(value: float) -> str:
    return f"family-wise p = {value:.2g}" if math.isfinite(value) else "not tested"


def _decimals(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "not defined"


def _board(view: View) -> list[Content]:
    """List the rows of the leaderboard, groups of measures first.

    Returns:
        For each row its ``cells`` in the order of ``BOARD_COLUMNS``, and the ``measure`` that can
        be chosen, or None.
    """
    board = view.leaderboard
    if not view.is_evaluated:
        return []
    order = board.sort_values(["rank", "r2_mean"], ascending=[True, False], kind="stable").index
    columns = ["r2_mean", "p_mean", "p_additive", "p_pairwise", "kendall", "width_90"]
    numbers = board[columns].astype(float).round(3).to_dict("index")
    return [
        {
            "measure": name if name in view.measures else None,
            "cells": [
                None if pd.isna(board["rank"][name]) else int(board["rank"][name]),
                measure_label(str(name)),
                str(board["family"][name]),
                *map(_plain, numbers[name].values()),
            ],
        }
        for name in order
    ]


def _together(view: View) -> Content:
    """Return what all measures reach together, the share of families, and the learning curves."""
    rows = view.combination.set_index("name")
    importance = view.importance.sort_values("importance", ascending=False, kind="stable")
    families = {f"{COMBINATION}.{name}": words(str(name)) for name in importance["family"]}
    labels = {name: measure_label(name) for name in TOGETHER} | families
    alone = rows[rows.index.isin(families)].sort_values("r2_mean", ascending=False, kind="stable")
    shown = pd.concat([rows.reindex([name for name in TOGETHER if name in rows.index]), alone])
    curves = view.learning_curve.sort_values("networks", kind="stable").groupby("name", sort=False)
    return {
        "combinations": [
            _interval(labels[str(name)], mean, mean - deviation, mean + deviation)
            for name, mean, deviation in zip(
                shown.index,
                shown["r2_mean"].to_numpy(dtype=float),
                shown["r2_std"].to_numpy(dtype=float),
                strict=True,
            )
        ],
        "importance": [
            _interval(words(str(family)), *values)
            for family, values in zip(
                importance["family"],
                importance[["importance", "low", "high"]].to_numpy(dtype=float),
                strict=True,
            )
        ],
        "curves": [
            {
                "label": measure_label(str(name)),
                "colour": PALETTE[i % len(PALETTE)],
                **{
                    column: _plain_numbers(rows[column].to_numpy(dtype=float))
                    for column in ("networks", "r2_mean", "low", "high", "width_90")
                },
            }
            for i, (name, rows) in enumerate(curves)
        ],
    }


def _interval(label: str, value: float, low: float, high: float) -> Content:
    return {"label": label, "value": _plain(value), "low": _plain(low), "high": _plain(high)}


def _held_out(view: View) -> dict[str, Content]:
    """Return held-out predictions by predictor, in the order of the networks of the page."""
    found: dict[str, Content] = {}
    if not view.is_evaluated:
        return found
    for name, rows in view.held_out.groupby("name", sort=False):
        predictions = rows.set_index("network")["prediction"].reindex(list(view.drawn))
        found[str(name)] = {
            "label": measure_label(str(name)),
            "values": [_plain(value) for value in predictions],
            "half": _plain(view.leaderboard["width_90"][name] / 2),
            "title": f"R² {_number(view.leaderboard['r2_mean'][name])}",
        }
    return found


def _on_size(view: View) -> str:
    """Say how the interval of a network depends on the number of networks to learn from."""
    if view.learning_curve.empty:
        return ""
    curve = view.learning_curve[view.learning_curve["name"] == TOGETHER[0]].sort_values("networks")
    if len(curve) < 2:
        return ""
    widths = [
        f"{width:.3f} with {networks}"
        for networks, width in zip(curve["networks"], curve["width_90"], strict=True)
    ]
    return (
        "Width of a 90 % interval of one network, from all measures together, by the number of "
        f"networks to learn from: {', '.join(widths)}."
    )


def _predictions(view: View, table: pd.DataFrame) -> Content:
    """Return the predictions from a reference: a table, and what is drawn in their order."""
    measured = view.networks[GAP]
    kinds = table["reason"].fillna("").astype(str).map(reason_kind)
    table = table.assign(
        kind=kinds.where(table["gap"].isna(), ""),
        measured_gap=table["network"].map(measured),
    )
    shown = [name for name in PREDICTION_COLUMNS if name not in ("network", "rank")]
    shown = ["network", "rank", "measured_gap", *shown]
    said = f"{table['gap'].notna().sum()} of {len(table)} networks are predicted"
    table = table[table["network"].isin(view.drawn)]
    table = table.sort_values(["gap", "kind"], kind="stable")
    rows, declined = table[table["gap"].notna()], table[table["gap"].isna()]
    known = [name for name in rows["network"] if math.isfinite(measured.get(name, math.nan))]
    return {
        "columns": [words(name) for name in shown],
        "rows": [
            [_plain(value) for value in row] for row in table[list(shown)].itertuples(index=False)
        ],
        "networks": list(table["network"]),
        "said": f"{said}; bars are 90 % intervals.",
        "x": list(rows["network"]),
        "y": [_plain(gap) for gap in rows["gap"]],
        "above": [_plain(value) for value in rows["high"] - rows["gap"]],
        "below": [_plain(value) for value in rows["gap"] - rows["low"]],
        "colour": PALETTE[0],
        "measured": {"x": known, "y": [_plain(measured[name]) for name in known]},
        "declined": [
            {
                "kind": kind,
                "colour": PALETTE[1:][position % (len(PALETTE) - 1)],
                "x": list(group["network"]),
                "y": [_plain(measured.get(name, math.nan)) for name in group["network"]],
                "reasons": [html.escape(str(reason)) for reason in group["reason"]],
            }
            for position, (kind, group) in enumerate(declined.groupby("kind"))
        ],
    }


def _number(value: float) -> str:
    return number(float(value)) if math.isfinite(value) else "not defined"


def _notes(view: View, colours: dict[str, Content]) -> list[str]:
    """List what a reader must know about what is not on the page."""
    notes = []
    if len(view.drawn) < len(view.networks):
        notes.append(
            f"Of {len(view.networks)} networks, {len(view.drawn)} are drawn and listed. They were "
            "chosen at random, the same as in the figures. All statistics, lines and τ are of all "
            "networks."
        )
    if len(view.failed):
        reasons = [
            f"network {row.network} at {row.stage}: {row.reason}"
            for row in view.failed.head(MOST_REASONS).itertuples()
        ]
        notes.append(f"Failed: {_first_of(reasons, len(view.failed), 'failed.csv')}")
    if len(view.left_out):
        reasons = [
            f"{row.kind} {row.name} ({row.reason})"
            for row in view.left_out.head(MOST_REASONS).itertuples()
        ]
        listed = _first_of(reasons, len(view.left_out), "evaluation/left_out.csv")
        notes.append(f"Left out of the statistics: {listed}.")
    if view.not_computed:
        labels = ", ".join(map(measure_label, view.not_computed))
        notes.append(
            f"Measures left out for the whole task: {labels}; left_out_measures.csv says why."
        )
    if view.diagrams is None:
        notes.append("No persistence diagrams: the family topology was not run for this task.")
    unused = [words(name) for name in view.hyper_parameters if name not in colours]
    if unused and view.is_evaluated:
        notes.append(f"Too many values to colour by: {', '.join(unused)}.")
    return notes


def _first_of(reasons: Sequence[str], total: int, file: str) -> str:
    """Join reasons; of more than these, say how many there are and which file lists them."""
    others = [f"and {total - len(reasons)} more, which {file} lists"] * (len(reasons) < total)
    return "; ".join([*reasons, *others])


def _diagrams(view: View, network: str, most_bars: int) -> Content:
    try:
        bars = view.bars(network)
    except GengapError as error:
        return {"missing": str(error), "draws": 0, "dimensions": []}
    dimensions = []
    for dimension, rows in bars.groupby("dimension"):
        drawn = thinned(rows, most_bars)
        dimensions.append(
            {
                "label": f"H{dimension}",
                "colour": PALETTE[int(str(dimension))],
                "symbol": _SYMBOLS[MARKERS[int(str(dimension))]],
                "total": len(rows),
                "births": _rounded(drawn["birth"]),
                "deaths": _rounded(drawn["death"]),
                "draws": drawn["draw"].tolist(),
            }
        )
    return {"missing": None, "draws": int(bars["draw"].max()) + 1, "dimensions": dimensions}


def thinned(bars: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return at most ``most`` bars, evenly spaced in their order by falling length."""
    if len(bars) <= most:
        return bars
    lengths = (bars["death"] - bars["birth"]).rename("length")
    order = pd.concat([lengths, bars], axis=1).sort_values(
        ["length", "birth", "draw"], ascending=[False, True, True], kind="stable"
    )
    chosen = np.linspace(0, len(bars) - 1, most).round().astype(int)
    return bars.loc[order.index[chosen]]


def _rounded(values: pd.Series) -> list[float | None]:
    return [_plain(value) for value in np.round(values.to_numpy(dtype=float), DECIMALS)]
