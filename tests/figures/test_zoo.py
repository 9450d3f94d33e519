"""The overview of a zoo shows each network once, with its own curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from tests.figures import drawn, synthetic

from gengap import figures
from gengap.errors import GengapError
from gengap.figures.colouring import colour_by

NETWORKS = 16


@pytest.fixture
def gaps() -> pd.Series:
    return synthetic.gaps(NETWORKS)


def test_each_network_has_its_curves_in_its_colour(gaps: pd.Series) -> None:
    histories = synthetic.histories(NETWORKS)
    colour = synthetic.grid(NETWORKS)["label_corruption"]
    figure = figures.training_overview(histories, gaps, colour)
    loss, accuracy, spread = figure.axes
    colours = colour_by(colour).colours
    for axes, column in ((loss, "train_loss"), (accuracy, "train_accuracy")):
        assert len(axes.lines) == NETWORKS
        for line, (network, history) in zip(axes.lines, histories.items(), strict=True):
            np.testing.assert_array_equal(drawn.x_of(line), history["epoch"])
            np.testing.assert_array_equal(drawn.y_of(line), history[column])
            assert to_rgba(line.get_color()) == colours[network]
    assert loss.get_yscale() == "log"
    bars = [patch for patch in spread.patches if isinstance(patch, Rectangle)]
    assert sum(bar.get_height() for bar in bars) == NETWORKS
    assert f"deviation {np.std(gaps):.3f}" in spread.get_title()


def test_a_loss_of_zero_has_a_linear_axis(gaps: pd.Series) -> None:
    histories = synthetic.histories(NETWORKS)
    histories["3"].loc[0, "train_loss"] = 0.0
    width = synthetic.grid(NETWORKS)["width"]
    assert figures.training_overview(histories, gaps, width).axes[0].get_yscale() == "linear"


def test_one_epoch_is_still_visible(gaps: pd.Series) -> None:
    histories = {k: history[:1] for k, history in synthetic.histories(NETWORKS).items()}
    width = synthetic.grid(NETWORKS)["width"]
    axes = figures.training_overview(histories, gaps, width).axes[0]
    assert {line.get_marker() for line in axes.lines} == {"o"}


def test_gap_by_hyper_parameter_draws_all_networks_and_their_means() -> None:
    gaps, grid = synthetic.gaps(96), synthetic.grid(96)
    figure = figures.gap_by_hyper_parameter(gaps, grid.assign(fixed=1), colour="width")
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "label corruption", "width", "optimiser", "batch normalisation", "weight decay", "depth"
    ]  # fmt: skip
    axes = figure.axes[0]
    points = drawn.points(axes)
    assert len(points) == 96
    assert sorted(points[:, 1]) == sorted(gaps)
    levels = np.round(points[:, 0]).astype(int)
    for level, value in enumerate((0.0, 0.1, 0.2, 0.3)):
        members = gaps[grid["label_corruption"] == value]
        assert sorted(points[levels == level, 1]) == sorted(members)
        assert np.abs(points[levels == level, 0] - level).max() < 0.31
    bars = [bar for bar in axes.collections if isinstance(bar, LineCollection)]
    means = [drawn.segments(bar)[0, 0, 1] for bar in bars]
    assert means == pytest.approx(gaps.groupby(grid["label_corruption"]).mean().to_list())
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.1", "0.2", "0.3"]


def test_many_numbers_have_a_real_axis() -> None:
    gaps = synthetic.gaps(40)
    rates = np.geomspace(0.001, 0.1, 40)
    grid = synthetic.grid(40)[["width"]].assign(learning_rate=rates)
    axes = figures.gap_by_hyper_parameter(gaps, grid, colour="width").axes[1]
    assert sorted(drawn.points(axes)[:, 0]) == sorted(rates)


def test_bad_input_is_refused_by_name(gaps: pd.Series) -> None:
    histories, grid = synthetic.histories(NETWORKS), synthetic.grid(NETWORKS)
    broken = {**histories, "2": histories["2"].drop(columns="train_loss")}
    with pytest.raises(GengapError, match="history of network 2 table lacks"):
        figures.training_overview(broken, gaps, grid["width"])
    with pytest.raises(GengapError, match=r"unknown: \['99'\]"):
        figures.training_overview({**histories, "99": histories["0"]}, gaps, grid["width"])
    with pytest.raises(GengapError, match="no hyper-parameter 'widht'"):
        figures.gap_by_hyper_parameter(gaps, grid, colour="widht")
    with pytest.raises(GengapError, match="No hyper-parameter of the grid varies"):
        figures.gap_by_hyper_parameter(gaps, grid[["width"]].assign(width=8), colour="width")


def test_a_zoo_of_numbers_has_no_accuracies_and_says_what_its_gap_is_of(gaps: pd.Series) -> None:
    histories = {
        name: history.assign(train_accuracy=np.nan)
        for name, history in synthetic.histories(NETWORKS).items()
    }
    grid = synthetic.grid(NETWORKS)
    figure = figures.training_overview(histories, gaps, grid["width"], gap_of="error")
    loss, spread = figure.axes
    assert loss.get_ylabel() == "training loss"
    assert spread.get_xlabel() == "gap in root-mean-square error"
    strips = figures.gap_by_hyper_parameter(gaps, grid, colour="width", gap_of="loss")
    assert strips.axes[0].get_ylabel() == "gap in loss"
