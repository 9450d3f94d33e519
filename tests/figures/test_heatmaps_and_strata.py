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
    # Means of values cut to [-1, 1]: b (0.2, 0.75), a (0.5, -1, 0.9, 0.1).
    assert labels(one) == ["b", "a"]
    assert texts(one, 3).tolist() == [["0.20", "–", "–"], ["0.50", "−30.0", "0.90†"]]
    assert texts(two, 3).tolist() == [["0.75", "–", "–"], ["0.10", "–", "–"]]
    assert bold(one) == ["0.50"]
    assert bold(two) == ["0.75"]
    for axes in (one, two):
        assert axes.images[0].get_clim() == (-1, 1)
    colours = one.images[0].to_rgba(drawn.cells(one.images[0]))
    lowest = one.images[0].cmap(0.0)
    assert tuple(colours[1, 1]) == pytest.approx(lowest)
    assert tuple(colours[1, 2]) == pytest.approx(one.images[0].cmap(0.95))
    notes = figure.get_supxlabel()
    assert "colours end at −1" in notes
    assert "†" in notes
    assert bar.get_ylabel() == "mean R²"


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
        "all\nn = 32", *(f"label\ncorruption\n= {value}\nn = {n}"
                        for value, n in (("0.0", 8), ("0.2", 8), ("0.3", 1)))
    ]  # fmt: skip
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


def test_correlations_show_their_interval_and_are_bold_where_p_is_small() -> None:
    table = pd.DataFrame(
        [
            ("a", "kendall", "all", 0.5, 0.2, 0.7, 0.05, 8),
            ("a", "kendall", "d=1", 0.4, -0.1, 0.7, 0.2, 4),
            ("b", "kendall", "all", -0.3, -0.6, -0.1, 0.01, 8),
            ("b", "kendall", "d=1", -0.2, np.nan, np.nan, np.nan, 4),
        ],
        columns=["measure", "statistic", "stratum", "estimate", "low", "high", "p_family",
                 "networks"],
    )  # fmt: skip
    axes = figures.kendall_by_stratum(table).axes[0]
    assert texts(axes, 2).tolist() == [
        ["0.50\n[0.20, 0.70]", "0.40\n[−0.10, 0.70]"],
        ["−0.30\n[−0.60, −0.10]", "−0.20"],
    ]
    assert bold(axes) == ["0.50\n[0.20, 0.70]", "−0.30\n[−0.60, −0.10]"]


def test_psi_is_drawn_by_hyper_parameter_beside_the_sign_errors() -> None:
    table = synthetic.environments(list(synthetic.OTHERS))
    left, right = figures.psi_by_hyper_parameter(table, top=5).axes[:2]
    psi = table.pivot(index="measure", columns="hyper_parameter", values="psi")
    rows = list(psi["all"].abs().nlargest(5).index)
    assert labels(left) == [figures.measure_label(name) for name in rows]
    shown = drawn.cells(left.images[0]).filled(np.nan)
    columns = ["all", *synthetic.HYPER_PARAMETERS]
    np.testing.assert_array_equal(shown, psi.loc[rows, columns])
    overall = table[table["hyper_parameter"] == "all"].set_index("measure").loc[rows]
    errors = overall[["sign_error_mean", "sign_error_worst"]]
    np.testing.assert_array_equal(drawn.cells(right.images[0]), errors)
    # White is chance, and purple is good, in both panels.
    assert left.images[0].get_clim() == (-1, 1)
    assert right.images[0].get_clim() == (0, 1)
    assert left.images[0].cmap(1.0) == right.images[0].cmap(0.0)


def test_tables_without_an_overall_correlation_are_refused() -> None:
    table = synthetic.correlations(["output_margin"], STRATA)
    with pytest.raises(GengapError, match="no Kendall's tau over all networks"):
        figures.kendall_by_stratum(table[table["stratum"] != "all"])
    with pytest.raises(GengapError, match=r"correlations table lacks the column\(s\) low"):
        figures.kendall_by_stratum(table.drop(columns="low"))
