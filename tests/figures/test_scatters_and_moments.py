"""Points, lines and coefficients of measures against the gap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgba
from scipy.stats import kendalltau, linregress
from tests.figures import drawn, synthetic

from gengap import figures
from gengap.errors import GengapError
from gengap.evaluation import Component
from gengap.figures import colouring
from gengap.figures.colouring import colour_by
from gengap.figures.labels import number
from gengap.figures.scatters import least_squares_line

NETWORKS = 24
Task = tuple[pd.DataFrame, "pd.Series[float]", "pd.Series[Any]"]


@pytest.fixture
def task() -> Task:
    gaps = synthetic.gaps(NETWORKS)
    rng = np.random.default_rng(0)
    values: dict[str, dict[str | int, np.ndarray]] = {
        "output_margin": {0: gaps.to_numpy() * 3 + rng.normal(0, 0.1, NETWORKS)},
        "parameter_count": {0: rng.integers(1_000, 9_000_000, NETWORKS).astype(float)},
        "moments.H0": {"mean": rng.normal(size=NETWORKS), "std": rng.normal(size=NETWORKS)},
    }
    return synthetic.tidy(values), gaps, synthetic.grid(NETWORKS)["label_corruption"]


def test_every_network_is_drawn_in_the_colour_of_its_hyper_parameter(task: Task) -> None:
    measures, gaps, colour = task
    figure = figures.scatter(measures, gaps, colour, names=["output_margin"])
    axes = figure.axes[0]
    values = measures[measures["measure"] == "output_margin"].set_index("network")["value"]
    colours = colour_by(colour).colours
    expected = [[values[k], gaps[k], *colours[k]] for k in gaps.index]
    marks = np.concatenate(
        [np.hstack([drawn.offsets(c), drawn.face_colours(c)]) for c in axes.collections]
    )
    assert sorted(marks.tolist()) == sorted(expected)
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries == ["0", "0.1", "0.2", "0.3"]
    assert figure.legends[0].get_title().get_text() == "label corruption"


def test_of_very_many_networks_some_are_drawn_the_same_in_all_panels(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(colouring, "MOST_DRAWN", 10)
    measures, gaps, colour = task
    names = ["output_margin", "parameter_count"]
    figure = figures.scatter(measures, gaps, colour, names=names)
    gaps_drawn = [np.sort(drawn.points(axes)[:, 1]) for axes in figure.axes]
    assert len(gaps_drawn[0]) == 10
    np.testing.assert_array_equal(gaps_drawn[0], gaps_drawn[1])
    assert set(gaps_drawn[0]) <= set(gaps)
    title = figure.legends[0].get_title().get_text()
    assert title == "label corruption (10 of 24 networks drawn, at random)"
    # The coefficient is of all networks.
    x = measures[measures["measure"] == "output_margin"]["value"]
    tau = kendalltau(x, gaps).statistic
    assert figure.axes[0].get_title() == f"τ = {number(float(tau))}"


def test_line_title_and_limits(task: Task) -> None:
    measures, gaps, colour = task
    names = ["output_margin", "parameter_count"]
    figure = figures.scatter(measures, gaps, colour, names=names)
    for axes, name in zip(figure.axes, names, strict=True):
        x = measures[measures["measure"] == name]["value"].to_numpy()
        expected = linregress(x, gaps.to_numpy())
        (line,) = axes.lines
        np.testing.assert_allclose(
            drawn.y_of(line), expected.intercept + expected.slope * drawn.x_of(line), rtol=1e-9
        )
        tau = kendalltau(x, gaps).statistic
        assert axes.get_title() == f"τ = {tau:.2f}".replace("-", "−")
        low, high = axes.get_xlim()
        assert low < x.min() < x.max() < high
        low, high = axes.get_ylim()
        assert low < gaps.min() < gaps.max() < high
        assert axes.get_xlabel() == figures.measure_label(name)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-10, 10), st.floats(-1, 1)), min_size=3, max_size=20),
    st.sampled_from([1e-200, 1e-9, 1.0, 1e9, 1e200]),
)
def test_least_squares_line_is_numpys_at_any_scale(
    points: list[tuple[float, float]], scale: float
) -> None:
    x, y = np.array(points).T
    if np.ptp(x) < 1e-3:
        return
    slope, intercept = least_squares_line(x * scale, y)
    expected = np.polyfit(x, y, 1)
    assert slope * scale == pytest.approx(expected[0], rel=1e-6, abs=1e-7)
    assert intercept == pytest.approx(expected[1], rel=1e-6, abs=1e-6)


def test_undefined_values_are_left_out_and_counted(task: Task) -> None:
    measures, gaps, colour = task
    measures.loc[[0, 1], "value"] = [np.nan, np.inf]
    axes = figures.scatter(measures, gaps, colour, names=["output_margin"]).axes[0]
    assert len(drawn.points(axes)) == NETWORKS - 2
    assert f"({NETWORKS - 2} of {NETWORKS} networks)" in axes.get_title()


def test_a_constant_measure_has_neither_line_nor_tau() -> None:
    measures = synthetic.tidy({"constant": {0: np.full(NETWORKS, 3.0)}})
    figure = figures.scatter(
        measures, synthetic.gaps(NETWORKS), synthetic.grid(NETWORKS)["width"], names=["constant"]
    )
    assert figure.axes[0].get_title() == "τ not defined"
    assert len(figure.axes[0].lines) == 0


def test_ids_may_be_numbers_as_csv_reads_them(task: Task) -> None:
    measures, gaps, colour = task
    measures["network"] = measures["network"].astype(int)
    gaps.index = gaps.index.astype(int)
    axes = figures.scatter(measures, gaps, colour, names=["output_margin"]).axes[0]
    assert len(drawn.points(axes)) == NETWORKS


def test_bad_input_is_refused_by_name(task: Task) -> None:
    measures, gaps, colour = task
    for names, message in (
        ([], "at least one measure"),
        (["margin"], "no measure 'margin'"),
        (["moments.H0"], "'moments.H0' has 2 components"),
    ):
        with pytest.raises(GengapError, match=message):
            figures.scatter(measures, gaps, colour, names=names)
    with pytest.raises(GengapError, match=r"'label_corruption' has no value for network\(s\) 0"):
        figures.scatter(measures, gaps, colour[1:], names=["output_margin"])
    with pytest.raises(GengapError, match="No network has both"):
        figures.scatter(measures, gaps * np.nan, colour, names=["output_margin"])


def test_two_tasks_and_four_components_make_the_papers_panel() -> None:
    rng = np.random.default_rng(1)
    tasks = {}
    for name, networks, hyper_parameter in (("task 1", 12, "width"), ("task 2", 9, "depth")):
        moments: dict[str, dict[str | int, np.ndarray]] = {
            f"moments.{d}": {c: rng.normal(size=networks) for c in ("mean_deaths", "std_deaths")}
            for d in ("H0", "H1")
        }
        tasks[name] = figures.ColouredTask(
            synthetic.tidy(moments), synthetic.gaps(networks),
            synthetic.grid(networks)[hyper_parameter],
        )  # fmt: skip
    components = {
        f"{word} of deaths, {d}": Component(f"moments.{d}", f"{word}_deaths")
        for d in ("H0", "H1")
        for word in ("mean", "std")
    }
    figure = figures.moments_panel(tasks, components)
    assert len(figure.axes) == 8
    for block, (name, task) in zip(figure.subfigs, tasks.items(), strict=True):
        assert block.get_suptitle() == name
        assert block.legends[0].get_title().get_text() == task.colour.name
        for axes, (label, (measure, component)) in zip(
            block.axes, components.items(), strict=True
        ):  # fmt: skip
            assert axes.get_xlabel().replace("\n", " ") == label
            rows = task.measures[
                (task.measures["measure"] == measure) & (task.measures["component"] == component)
            ]
            expected = np.column_stack([rows["value"], task.gaps])
            found = drawn.points(axes)
            assert found[np.lexsort(found.T)].tolist() == expected[np.lexsort(expected.T)].tolist()


def test_five_components_take_a_second_row(task: Task) -> None:
    measures, gaps, colour = task
    components = {str(i): Component("output_margin", "0") for i in range(5)}
    figure = figures.moments_panel({"digits": figures.ColouredTask(*task)}, components)
    assert len(figure.axes) == 5
    with pytest.raises(GengapError, match="no component 'skew': choose among mean, std"):
        figures.moments_panel(
            {"digits": figures.ColouredTask(measures, gaps, colour)},
            {"skew": Component("moments.H0", "skew")},
        )
    with pytest.raises(GengapError, match="at least one task"):
        figures.moments_panel({}, components)


def test_colours_of_a_scale_follow_the_value(task: Task) -> None:
    measures, gaps, _ = task
    rates = pd.Series(np.linspace(0, 1, NETWORKS), index=gaps.index, name="learning_rate")
    figure = figures.scatter(measures, gaps, rates, names=["output_margin"])
    (collection,) = figure.axes[0].collections
    first, last = drawn.face_colours(collection)[[0, -1]]
    assert tuple(first) == pytest.approx(to_rgba("#440154"), abs=0.01)
    assert tuple(last) == pytest.approx(to_rgba("#fde725"), abs=0.01)
    assert figure.axes[-1].get_xlabel() == "learning rate"
