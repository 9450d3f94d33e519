"""The leaderboard draws what its table says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from tests.figures import drawn, synthetic

from gengap import figures
from gengap.errors import GengapError
from gengap.figures.labels import measure_label

REFERENCES = 3


def points(axes: Axes) -> list[tuple[float, str, bool]]:
    """(x, marker, hollow) of every drawn mark, from top to bottom."""
    marks = [line for line in axes.lines if line.get_marker() not in ("", "None", None)]
    marks.sort(key=lambda line: drawn.y_of(line)[0])
    return [
        (drawn.x_of(line)[0], str(line.get_marker()), line.get_markerfacecolor() == "white")
        for line in marks
    ]


def intervals(axes: Axes) -> list[tuple[float, float]]:
    return [
        (float(drawn.segments(collection)[0, 0, 0]), float(drawn.segments(collection)[0, 1, 0]))
        for collection in axes.collections
        if isinstance(collection, LineCollection)
    ]


@pytest.fixture
def table() -> pd.DataFrame:
    return synthetic.leaderboard({**synthetic.topological(), **synthetic.OTHERS})


def test_top_measures_by_rank_then_the_references(table: pd.DataFrame) -> None:
    left, right = figures.leaderboard(table, top=7).axes
    best = table[table["kind"] != "reference"].nsmallest(7, "rank")
    references = table[table["kind"] == "reference"].sort_values("r2_mean", ascending=False)
    shown = [label.get_text().replace("\n", " ") for label in left.get_yticklabels()]
    assert shown == [measure_label(name) for name in (*best["measure"], *references["measure"])]
    shown_marks = points(left)
    assert [x for x, _, _ in shown_marks] == [*best["r2_mean"], *references["r2_mean"]]
    assert [hollow for _, _, hollow in shown_marks[:7]] == list(best["underdetermined"])
    assert {marker for _, marker, _ in shown_marks[7:]} == {"D"}
    taus = [*best["kendall"].dropna(), *references["kendall"].dropna()]
    assert [x for x, _, _ in points(right)] == taus


def test_intervals_are_the_folds_and_the_bootstrap(table: pd.DataFrame) -> None:
    left, right = figures.leaderboard(table, top=len(table)).axes
    lines = intervals(left)
    assert len(lines) == 2 * len(table)
    mean, deviation = table["r2_mean"], table["r2_std"]
    assert set(zip(table["r2_min"], table["r2_max"], strict=True)) <= set(lines)
    assert set(zip(mean - deviation, mean + deviation, strict=True)) <= set(lines)
    scalars = table[table["kendall"].notna()]
    assert sorted(intervals(right)) == sorted(
        zip(scalars["kendall_low"], scalars["kendall_high"], strict=True)
    )
    dashes = [text for text in right.texts if text.get_text() == "–"]
    assert len(dashes) == len(table) - len(scalars) > 0


def test_families_have_their_own_colour_and_mark_and_the_legend_says_so(
    table: pd.DataFrame,
) -> None:
    figure = figures.leaderboard(table, top=len(table))
    handles = [handle for handle in figure.legends[0].legend_handles if isinstance(handle, Line2D)]
    families = {
        handle.get_label(): (handle.get_color(), handle.get_marker()) for handle in handles[:-3]
    }
    assert {"topology", "norms", "tangent", "reference"} <= set(families)
    assert len(set(families.values())) == len(families)
    texts = " ".join(text.get_text() for text in figure.legends[0].get_texts())
    assert "R² ± std" in texts
    assert "smallest to largest fold" in texts
    assert "95 % interval" in texts
    assert "underdetermined" in texts


def test_axes_hold_all_points_and_a_hopeless_one_is_printed_at_the_edge(
    table: pd.DataFrame,
) -> None:
    table.loc[0, ["r2_mean", "r2_min", "r2_std"]] = [-30.2, -210.0, 50.0]
    left, _ = figures.leaderboard(table, top=len(table)).axes
    low, high = left.get_xlim()
    assert -1.2 < low <= -1.0
    assert high >= table["r2_max"].max()
    marks = points(left)
    assert all(low <= x <= high for x, _, _ in marks)
    assert [marker for _, marker, _ in marks].count("<") == 1
    assert "−30.2" in [text.get_text() for text in left.texts]
    assert (-210.0, table.loc[0, "r2_max"]) in intervals(left)


def test_a_measure_without_r2_keeps_its_row(table: pd.DataFrame) -> None:
    table.loc[2, ["r2_mean", "r2_std", "r2_min", "r2_max"]] = np.nan
    left, _ = figures.leaderboard(table, top=5).axes
    assert len(left.get_yticks()) == 5 + REFERENCES
    assert len(points(left)) == 5 + REFERENCES - 1


def test_bad_tables_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(GengapError, match="leaderboard table has no rows"):
        figures.leaderboard(table[:0])
    with pytest.raises(GengapError, match=r"leaderboard table lacks the column\(s\) r2_std"):
        figures.leaderboard(table.drop(columns="r2_std"))
    with pytest.raises(GengapError, match="top=0"):
        figures.leaderboard(table, top=0)
    columns = ["r2_mean", "r2_std", "r2_min", "r2_max"]
    with pytest.raises(GengapError, match="no finite R²"):
        figures.leaderboard(table.assign(**dict.fromkeys(columns, np.nan)))
