"""Held-out predictions, the learning curve and the families are drawn as their tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from tests.figures import drawn, synthetic

from gengap import figures
from gengap.errors import GengapError
from gengap.figures.predictions import predictors
from gengap.names import PREDICTION_COLUMNS

NETWORKS = 96


@pytest.fixture
def board() -> pd.DataFrame:
    return synthetic.leaderboard(synthetic.OTHERS)


def test_every_network_is_drawn_at_its_prediction_and_its_gap(board: pd.DataFrame) -> None:
    held_out = synthetic.held_out(board)
    colour = synthetic.grid(NETWORKS)["width"]
    figure = figures.held_out_predictions(held_out, board, colour, gap_of="loss")
    best = board.loc[board["rank"] == 1, "measure"].iloc[0]
    names = ["combination.all", best, "reference.hyper_parameters"]
    rows = board.set_index("measure")
    assert len(figure.axes) == len(names)
    for axes, name in zip(figure.axes, names, strict=True):
        table = held_out[held_out["name"] == name]
        expected = table[["prediction", "gap"]].to_numpy()
        assert sorted(drawn.points(axes).tolist()) == sorted(expected.tolist())
        assert axes.get_title().startswith(figures.measure_label(name))
        assert f"{rows['r2_mean'][name]:.2f}" in axes.get_title()
        (band,) = (part for part in axes.collections if isinstance(part, PolyCollection))
        corners = np.asarray(band.get_paths()[0].vertices)
        height = np.ptp(corners[corners[:, 0] == corners[:, 0].min(), 1])
        assert height == pytest.approx(rows["width_90"][name])
        (line,) = axes.lines
        np.testing.assert_array_equal(drawn.x_of(line), drawn.y_of(line))
    assert figure.axes[0].get_ylabel() == "measured gap in loss"


def test_the_better_hyper_parameters_and_one_measure_are_shown(board: pd.DataFrame) -> None:
    rows = board.set_index("measure")
    names = ["reference.mean", "brain", "combination.norms", "combination.all"]
    names += ["reference.hyper_parameters", "reference.hyper_parameters_pairwise"]
    assert predictors(rows, pd.Series(names)) == [
        "combination.all", "brain", "reference.hyper_parameters_pairwise",
    ]  # fmt: skip
    assert predictors(rows, pd.Series(["reference.mean"])) == ["reference.mean"]


def test_networks_without_a_colour_are_refused(board: pd.DataFrame) -> None:
    colour = synthetic.grid(NETWORKS)["width"].iloc[:5]
    with pytest.raises(GengapError, match="has no value for network"):
        figures.held_out_predictions(synthetic.held_out(board), board, colour)


def test_the_learning_curve_has_a_line_and_a_band_for_each_name() -> None:
    table = synthetic.learning_curve().sample(frac=1, random_state=1)
    figure = figures.learning_curve(table)
    left, right = figure.axes
    names = list(table["name"].unique())
    for i, name in enumerate(names):
        rows = table[table["name"] == name].sort_values("networks")
        for axes, column in ((left, "r2_mean"), (right, "width_90")):
            np.testing.assert_array_equal(drawn.x_of(axes.lines[i]), rows["networks"])
            np.testing.assert_array_equal(drawn.y_of(axes.lines[i]), rows[column])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [figures.measure_label(name) for name in names]
    bands = [part for part in left.collections if isinstance(part, PolyCollection)]
    assert len(bands) == len(names)
    assert right.get_ylim()[0] == 0


def test_families_are_in_the_order_of_what_is_lost_without_them() -> None:
    combination, importance = synthetic.combination(), synthetic.importance()[::-1]
    left, right = figures.families(combination, importance).axes
    rows = importance.sort_values("importance", ascending=False)
    assert [label.get_text() for label in left.get_yticklabels()] == list(rows["family"])
    np.testing.assert_array_equal(drawn.x_of(right.lines[0]), rows["importance"])
    (bars,) = (part for part in right.collections if isinstance(part, LineCollection))
    np.testing.assert_allclose(drawn.segments(bars)[:, :, 0], rows[["low", "high"]])
    scores = combination.set_index("name")["r2_mean"]
    alone = [scores.get(f"combination.{name}", np.nan) for name in rows["family"]]
    np.testing.assert_array_equal(drawn.x_of(left.lines[0]), alone)
    dashed = [line for line in left.lines if line.get_linestyle() == "--"]
    assert [drawn.x_of(line)[0] for line in dashed] == [scores["combination.all"]]


def test_predicted_gaps_have_their_intervals_and_declined_networks_their_kinds() -> None:
    nan = float("nan")
    rows = [
        ("b", 0.2, 0.1, 0.4, "predicted", ""),
        ("a", 0.1, 0.0, 0.15, "predicted", ""),
        ("far", nan, nan, nan, "declined", "It is too far from the reference's networks."),
        ("new", nan, nan, nan, "declined", "It was trained on another draw of the data."),
    ]
    names = ["network", "gap", "low", "high", "verdict", "reason"]
    table = pd.DataFrame(rows, columns=names).reindex(columns=list(PREDICTION_COLUMNS))
    measured = pd.Series({"a": 0.12, "b": nan, "far": 0.3, "new": nan})
    (axes,) = figures.predicted_gaps(table, measured, gap_of="loss").axes
    (intervals,) = (one for one in axes.collections if isinstance(one, LineCollection))
    ends = np.array(intervals.get_segments())
    np.testing.assert_allclose(ends, [[[0, 0.0], [0, 0.15]], [[1, 0.1], [1, 0.4]]])
    lines = {line.get_marker(): line for line in axes.lines if line.get_marker() != "None"}
    np.testing.assert_allclose(drawn.y_of(lines["o"]), [0.1, 0.2])
    np.testing.assert_allclose(drawn.y_of(lines["_"]), [0.12, nan])
    declined = [line for line in axes.lines if line.get_marker() == "x"]
    # By kind: another draw of the data, at the bottom; too far, at its measured gap.
    heights = [float(drawn.y_of(line)[0]) for line in declined]
    assert heights[0] < min(0.0, heights[1])
    assert heights[1] == 0.3
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "predicted, with its 90 % interval", "measured",
        "declined: another draw of the data", "declined: too far in its measures",
    ]  # fmt: skip
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "new", "far"]
