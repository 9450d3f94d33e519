"""The leaderboard draws what its table says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from tests.figures import drawn, synthetic

from gengap import figures
from gengap.errors import GengapError
from gengap.figures.labels import measure_label
from gengap.figures.style import GREY

OTHERS = 3 + len(synthetic.REFERENCES)


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


def order(table: pd.DataFrame, top: int) -> pd.DataFrame:
    """The rows as they should be drawn."""
    measures = table[table["rank"].notna()].sort_values(
        ["rank", "r2_mean"], ascending=[True, False]
    )
    together = table[table["measure"].str.fullmatch("combination.(all.*|best_single)")]
    return pd.concat([measures.head(top), together, table[table["kind"] == "reference"]])


def test_ranked_measures_then_combinations_then_references(table: pd.DataFrame) -> None:
    left, right = figures.leaderboard(table, top=7).axes
    rows = order(table, 7)
    assert len(rows) == 7 + OTHERS
    shown = [label.get_text().replace("\n", " ") for label in left.get_yticklabels()]
    assert shown == [measure_label(name) for name in rows["measure"]]
    shown_marks = points(left)
    assert [x for x, _, _ in shown_marks] == list(rows["r2_mean"])
    markers = [marker for _, marker, _ in shown_marks[7:]]
    assert markers == ["*"] * 3 + ["D"] * len(synthetic.REFERENCES)
    assert [x for x, _, _ in points(right)] == list(rows["kendall"].dropna())
    (ticks,) = (marks for marks in left.collections if isinstance(marks, PathCollection))
    new = rows["r2_new_draw"].dropna()
    np.testing.assert_allclose(np.asarray(ticks.get_offsets())[:, 0], new)
    assert left.get_xlim()[0] < new.min()


def test_a_mark_is_filled_where_the_measure_adds_to_hyper_parameters(table: pd.DataFrame) -> None:
    measures = table["rank"].notna()
    table = table.assign(
        p_mean=0.01,
        p_additive=np.where(measures, 0.2, np.nan),
        p_pairwise=np.where(measures, 0.2, np.nan),
    )
    best = order(table, 3).index
    table.loc[best[0], ["p_additive", "p_pairwise"]] = [0.01, 0.01]
    table.loc[best[1], "p_additive"] = 0.05
    left, _ = figures.leaderboard(table, top=3).axes
    marks = sorted((line for line in left.lines if line.get_marker() not in ("", "None", None)),
                   key=lambda line: drawn.y_of(line)[0])[:3]  # fmt: skip
    assert [line.get_fillstyle() for line in marks] == ["full", "left", "full"]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [False, False, True]
    # Without hyper-parameters the question is whether a measure beats the mean.
    alone = table.assign(p_additive=np.nan, p_pairwise=np.nan)
    figure = figures.leaderboard(alone, top=3)
    assert not any(hollow for _, _, hollow in points(figure.axes[0])[:3])
    assert "beats the mean gap" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_groups_are_shaded_in_turn_and_numbered(table: pd.DataFrame) -> None:
    left, right = figures.leaderboard(table, top=12).axes
    groups = order(table, 12)["rank"].dropna()
    names = [text.get_text() for text in right.texts if text.get_text().startswith("group")]
    assert names == [f"group {group}" for group in groups.unique()]
    ticks = np.asarray(left.get_yticks())[:12]
    bands = [patch for patch in left.patches if isinstance(patch, Rectangle)]
    spans = [sorted((patch.get_y(), patch.get_y() + patch.get_height())) for patch in bands]
    shaded = [any(low < tick < high for low, high in spans) for tick in ticks]
    assert shaded == [bool(group % 2) for group in groups]


def test_the_better_hyper_parameters_are_a_dashed_line(table: pd.DataFrame) -> None:
    def dashed(board: pd.DataFrame) -> list[float]:
        left = figures.leaderboard(board, top=3).axes[0]
        return [drawn.x_of(line)[0] for line in left.lines if line.get_linestyle() == "--"]

    assert dashed(table) == [0.64]
    assert dashed(table[~table["measure"].str.contains("hyper_parameters")]) == []


def test_intervals_are_the_deviation_and_the_bootstrap(table: pd.DataFrame) -> None:
    left, right = figures.leaderboard(table, top=len(table)).axes
    rows = order(table, len(table))
    mean, deviation = rows["r2_mean"], rows["r2_std"]
    expected = zip(mean - deviation, mean + deviation, strict=True)
    assert sorted(intervals(left)) == sorted(expected)
    scalars = rows[rows["kendall"].notna()]
    assert sorted(intervals(right)) == sorted(
        zip(scalars["kendall_low"], scalars["kendall_high"], strict=True)
    )
    dashes = [text for text in right.texts if text.get_text() == "–"]
    assert len(dashes) == len(rows) - len(scalars) > 0


def test_families_have_their_own_colour_and_mark_and_the_legend_says_so(
    table: pd.DataFrame,
) -> None:
    figure = figures.leaderboard(table, top=len(table))
    handles = [handle for handle in figure.legends[0].legend_handles if isinstance(handle, Line2D)]
    marked = {handle.get_label(): (handle.get_color(), handle.get_marker()) for handle in handles}
    families = {
        name: mark for name, mark in marked.items() if mark[0] != GREY and mark[1] != "None"
    }
    assert {"topology", "norms", "tangent", "reference", "combination"} <= set(families)
    assert len(set(families.values())) == len(families)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "adds to hyper-parameters" in texts
    assert "± std (R²), 95 % (τ)" in texts
    assert "hyper-parameters, at best" in texts


def test_axes_hold_all_points_and_a_hopeless_one_is_printed_at_the_edge(
    table: pd.DataFrame,
) -> None:
    worst = table.index[table["rank"].notna()][-1]
    table.loc[worst, "r2_mean"], table.loc[worst, "r2_std"] = -30.2, 50.0
    left, _ = figures.leaderboard(table, top=len(table)).axes
    low, high = left.get_xlim()
    assert -1.2 < low <= -1.0
    assert high >= table["r2_mean"].max()
    marks = points(left)
    assert all(low <= x <= high for x, _, _ in marks)
    assert [marker for _, marker, _ in marks].count("<") == 1
    assert "−30.2" in [text.get_text() for text in left.texts]


def test_a_measure_without_r2_keeps_its_row(table: pd.DataFrame) -> None:
    first = order(table, 1).index[0]
    table.loc[first, "r2_mean"], table.loc[first, "r2_std"] = np.nan, np.nan
    left, _ = figures.leaderboard(table, top=5).axes
    assert len(left.get_yticks()) == 5 + OTHERS
    assert len(points(left)) == 5 + OTHERS - 1


def test_without_ranked_measures_there_are_still_the_references(table: pd.DataFrame) -> None:
    left, _ = figures.leaderboard(table[table["kind"] == "reference"]).axes
    assert len(points(left)) == len(synthetic.REFERENCES)


def test_bad_tables_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(GengapError, match="leaderboard table has no rows"):
        figures.leaderboard(table[:0])
    with pytest.raises(GengapError, match=r"leaderboard table lacks the column\(s\) r2_std"):
        figures.leaderboard(table.drop(columns="r2_std"))
    with pytest.raises(GengapError, match="top=0"):
        figures.leaderboard(table, top=0)
    with pytest.raises(GengapError, match="no finite R²"):
        figures.leaderboard(table.assign(r2_mean=np.nan))
