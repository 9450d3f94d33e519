"""Numbers, colours and order of the heatmaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from tests.figures import drawn, synthetic

from gengap import figures
from gengap.errors import GengapError

STRATA = {
    "all": 32,
    "label_corruption=0.0": 8,
    "label_corruption=0.2": 8,
    "label_corruption=0.3": 1,
}


def texts(axes: Axes, columns: int) -> np.ndarray:
    return np.array([text.get_text() for text in axes.texts]).reshape(-1, columns)


def labels(axes: Axes) -> list[str]:
    return [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]


def bold(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_fontweight() == "bold"]


def board(cells: dict[str, float], underdetermined: tuple[str, ...] = ()) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "measure": list(cells),
            "r2_mean": list(cells.values()),
            "underdetermined": [name in underdetermined for name in cells],
            "eligible": [name not in underdetermined for name in cells],
        }
    )


def test_every_cell_shows_its_own_number_in_its_own_colour() -> None:
    first = board({"a.H0": 0.5, "a.H1": -30.0, "a.H0H1": 0.9, "b.H0": 0.2, "output_margin": 0.99},
                  ("a.H0H1",))  # fmt: skip
    second = board({"a.H0": 0.1, "b.H0": 0.75, "b.H1": np.nan})
    figure = figures.r2_heatmap({"task 1": first, "task 2": second})
    one, two, bar = figure.axes
    assert [axes.get_title() for axes in (one, two)] == ["task 1", "task 2"]
    assert [label.get_text() for label in one.get_xticklabels()] == ["H0", "H1", "H0, H1"]
    # Means of values cut to [0, 1]: b (0.2, 0.75), a (0.5, 0, 0.9, 0.1).
    assert labels(one) == ["b", "a"]
    assert texts(one, 3).tolist() == [["0.20", "–", "–"], ["0.50", "−30.0", "0.90†"]]
    assert texts(two, 3).tolist() == [["0.75", "–", "–"], ["0.10", "–", "–"]]
    assert bold(one) == ["0.50"]
    assert bold(two) == ["0.75"]
    for axes in (one, two):
        assert axes.images[0].get_clim() == (0, 1)
    colours = one.images[0].to_rgba(drawn.cells(one.images[0]))
    lowest = one.images[0].cmap(0.0)
    assert tuple(colours[1, 1]) == pytest.approx(lowest)
    assert tuple(colours[1, 2]) == pytest.approx(one.images[0].cmap(0.9))
    notes = figure.get_supxlabel()
    assert "colours end at 0" in notes
    assert "†" in notes
    assert bar.get_ylabel() == "R²"


def test_all_vectorisations_of_a_leaderboard_are_drawn() -> None:
    table = synthetic.leaderboard({**synthetic.topological(), **synthetic.OTHERS})
    axes = figures.r2_heatmap({"digits": table}).axes[0]
    values = drawn.cells(axes.images[0])
    assert values.shape == (len(synthetic.VECTORISATIONS), 3)
    assert np.isfinite(values.filled(np.nan)).all()


def test_text_is_readable_on_every_cell() -> None:
    axes = figures.r2_heatmap({"digits": synthetic.leaderboard(synthetic.topological())}).axes[0]
    image = axes.images[0]
    for text in axes.texts:
        column, row = map(int, text.get_position())
        red, green, blue, _ = image.to_rgba(drawn.cells(image))[row, column]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
                  for c in (red, green, blue)]  # fmt: skip
        back = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        contrast = 1.05 / (back + 0.05) if text.get_color() == "white" else (back + 0.05) / 0.05
        assert contrast > 4.5  # WCAG 2.1, level AA


def test_a_leaderboard_without_vectorisations_is_refused() -> None:
    with pytest.raises(GengapError, match="leaderboard of digits has no measure named"):
        figures.r2_heatmap({"digits": synthetic.leaderboard(synthetic.OTHERS)})
    with pytest.raises(GengapError, match="at least one task"):
        figures.r2_heatmap({})


def test_a_measure_that_only_detects_corruption_is_seen_to() -> None:
    table = synthetic.correlations(list(synthetic.OTHERS), STRATA)
    axes = figures.kendall_by_stratum(table, top=5).axes[0]
    kendall = table[table["statistic"] == "kendall"].set_index(["measure", "stratum"])["estimate"]
    overall = kendall.xs("all", level="stratum").abs().nlargest(5)
    assert labels(axes) == [figures.measure_label(name) for name in overall.index]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "all\n(32)", "0.0\n(8)", "0.2\n(8)", "0.3\n(1)"
    ]  # fmt: skip
    assert axes.get_title() == "label corruption (number of networks)"
    values = drawn.cells(axes.images[0]).filled(np.nan)
    assert axes.images[0].get_clim() == (-1, 1)
    for row, measure in enumerate(overall.index):
        for column, stratum in enumerate(STRATA):
            value = kendall[measure, stratum]
            if np.isnan(value):
                assert np.isnan(values[row, column])
                assert texts(axes, 4)[row, column] == "–"
            else:
                assert values[row, column] == value


def test_bold_correlations_exclude_zero() -> None:
    table = pd.DataFrame(
        [
            ("a", "kendall", "all", 0.5, 0.2, 0.7, 8), ("a", "kendall", "d=1", 0.4, -0.1, 0.7, 4),
            ("b", "kendall", "all", -0.3, -0.6, -0.1, 8), ("b", "kendall", "d=1", -0.2, -1, 1, 4),
        ],
        columns=["measure", "statistic", "stratum", "estimate", "low", "high", "networks"],
    )  # fmt: skip
    assert bold(figures.kendall_by_stratum(table).axes[0]) == ["0.50", "−0.30"]


def test_r2_within_strata_keeps_the_references_below() -> None:
    table = synthetic.leaderboard(synthetic.OTHERS)
    inside = pd.concat(
        [synthetic.leaderboard(synthetic.OTHERS, i).assign(stratum=name, networks=8)
         for i, name in enumerate(("depth=1", "depth=2"), start=1)]
    )  # fmt: skip
    axes = figures.r2_by_stratum(table, inside, top=4).axes[0]
    best = table[table["kind"] != "reference"].nsmallest(4, "rank")
    references = table[table["kind"] == "reference"]
    rows = [*best["measure"], *references["measure"]]
    assert labels(axes) == [figures.measure_label(name) for name in rows]
    values = drawn.cells(axes.images[0])
    expected = [
        source.set_index("measure").loc[rows, "r2_mean"]
        for source in (table, inside[inside["stratum"] == "depth=1"],
                       inside[inside["stratum"] == "depth=2"])
    ]  # fmt: skip
    np.testing.assert_array_equal(values, np.stack(expected, axis=1))


def test_r2_within_strata_marks_what_is_underdetermined_there() -> None:
    def ranking(values: dict[str, float], underdetermined: tuple[str, ...]) -> pd.DataFrame:
        table = board(values, underdetermined).assign(rank=range(1, 5), networks=8)
        kind = np.where(table["measure"].str.startswith("reference."), "reference", "scalar")
        return table.assign(kind=kind, eligible=table["eligible"] & (kind == "scalar"))

    whole = ranking({"a": 0.9, "b": 0.5, "c": 0.2, "reference.mean": 0.95}, ())
    small = {"a": 0.8, "b": 0.4, "c": 0.6, "reference.mean": -0.1}
    strata = [
        ranking(small, ("a",)).assign(stratum="depth=1"),
        ranking(small, ("a", "b", "c")).assign(stratum="depth=2"),
        ranking(dict.fromkeys(small, np.nan), ()).assign(stratum="depth=3"),
    ]
    figure = figures.r2_by_stratum(whole, pd.concat(strata))
    axes = figure.axes[0]
    assert texts(axes, 4).tolist() == [
        ["0.90", "0.80†", "0.80†", "–"],
        ["0.50", "0.40", "0.40†", "–"],
        ["0.20", "0.60", "0.60†", "–"],
        ["0.95", "−0.10", "−0.10", "–"],
    ]
    assert bold(axes) == ["0.90", "0.60"]
    assert "† underdetermined" in figure.get_supxlabel()
    unmarked = figures.r2_by_stratum(whole, strata[2])
    assert "†" not in unmarked.get_supxlabel()


def test_tables_without_an_overall_correlation_are_refused() -> None:
    table = synthetic.correlations(["output_margin"], STRATA)
    with pytest.raises(GengapError, match="no Kendall's tau over all networks"):
        figures.kendall_by_stratum(table[table["stratum"] != "all"])
    with pytest.raises(GengapError, match=r"correlations table lacks the column\(s\) low"):
        figures.kendall_by_stratum(table.drop(columns="low"))
    table = synthetic.leaderboard(synthetic.OTHERS)
    with pytest.raises(GengapError, match="strata table has no rows"):
        figures.r2_by_stratum(table, table.assign(stratum="x")[:0])
