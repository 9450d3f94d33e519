"""Both pages in a real browser: what a reader does, and what the tables say must be there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from tests.dashboard.conftest import FAILED, PREDICTORS, Page, predictions

from gengap.dashboard import View, write_static_page
from gengap.figures import measure_label
from gengap.figures.labels import number
from gengap.figures.style import PALETTE

HOME, DOWN, ENTER = "\ue011", "\ue015", "\ue007"  # as WebDriver has them
VECTOR = "average_births_and_deaths.H1"
# Whether every figure that is shown is as large as its box, and covers nothing beside it.
FITTING = """return [...document.querySelectorAll(".figure.js-plotly-plot")]
  .filter((figure) => figure.checkVisibility())
  .every((figure) => {
    const [box, drawn] = [figure, figure.querySelector(".main-svg")]
      .map((part) => part.getBoundingClientRect());
    const panel = figure.closest(".panel").getBoundingClientRect();
    return Math.abs(box.width - drawn.width) < 2 && Math.abs(box.height - drawn.height) < 2
      && box.right <= panel.right && box.bottom <= panel.bottom;
  })"""


def option(view: View, measure: str) -> str:
    rank = view.row(measure)["rank"]
    place = "" if pd.isna(rank) else f", group {rank}"
    return f"{measure_label(measure)} ({view.measures[measure].family}{place})"


def drawn(page: Page) -> dict[str, float]:
    """Return the x of each network's point, by network."""
    return {
        network: x
        for trace in page.traces("scatter")
        for network, x in zip(trace.get("customdata", []), trace["x"], strict=False)
    }


def approximately(expected: Any) -> Any:
    """The file without a server rounds numbers to five digits."""
    return pytest.approx(expected, rel=1e-4, abs=1e-5)


def finite(series: pd.Series[float]) -> dict[str, float]:
    return {str(network): value for network, value in series.items() if np.isfinite(value)}


def show(page: Page, view: View, measure: str, component: str = "0") -> None:
    page.go("measures")
    page.choose("measure", option(view, measure))
    if len(view.measures[measure].components) > 1:
        constant = not np.ptp(view.values(measure, component).dropna())
        page.choose("component", f"{component} (constant)" if constant else component)
    expected = finite(view.values(measure, component))
    page.until(lambda: drawn(page) == approximately(expected))


def test_page_opens_with_the_best_scalar_and_says_what_failed(page: Page, view: View) -> None:
    best = view.default_measure()
    page.until(lambda: drawn(page) == approximately(finite(view.values(best, "0"))))
    assert page.run("return document.title") == "small · gengap"
    assert "a weight is NaN" in page.text("notes")
    assert "Left out of the statistics: network 5" in page.text("notes")


@pytest.mark.parametrize(
    ("measure", "component"),
    [("noise", "0"), ("persistent_entropy.H0", "0"), (VECTOR, "1"), ("signal", "0")],
)
def test_choosing_a_measure_draws_it_with_its_statistics(
    page: Page, view: View, measure: str, component: str
) -> None:
    show(page, view, measure, component)
    row = view.row(measure)
    page.until(lambda: number(row["r2_mean"]) in page.text("statistics"))
    statistics = page.text("statistics")
    assert f"group {row['rank']} of {view.leaderboard['rank'].max()}" in statistics
    if row["kind"] == "scalar":
        low, high = number(row["kendall_low"]), number(row["kendall_high"])
        assert f"{number(row['kendall'])}\n95 % interval [{low}, {high}]" in statistics
    else:
        assert number(view.kendall(measure, component)) in statistics


def test_choosing_a_predictor_draws_the_networks_held_out(page: Page, view: View) -> None:
    page.go("together")
    for name, shift in reversed(PREDICTORS.items()):  # the first is chosen already
        page.choose("predictor", measure_label(name))
        gaps = view.networks["gap"].drop(FAILED)

        def shown() -> dict[str, float]:
            return {
                network: x
                for trace in page.traces("held-out")
                for network, x in zip(trace.get("customdata", []), trace["x"], strict=False)
            }

        page.until(lambda: shown() == approximately(dict(gaps + shift)))  # noqa: B023
    half = view.leaderboard["width_90"]["signal"] / 2
    inside = "yes" if abs(PREDICTORS["signal"]) <= half else "no"
    assert page.text("held-out-table").count(inside) == len(view.networks) - 1
    combinations, importance = page.traces("combinations"), page.traces("importance")
    assert combinations[0]["y"][-1] == "all measures"
    together = view.combination.set_index("name")["r2_mean"]["combination.all"]
    assert combinations[0]["x"][-1] == approximately(together)
    assert sorted(importance[0]["x"]) == approximately(sorted(view.importance["importance"]))


def test_the_leaderboard_chooses_a_measure_by_the_keyboard(page: Page, view: View) -> None:
    show(page, view, "noise")
    assert "One measure is shown to predict the gap." in page.text("verdict")
    assert "hyper-parameters alone" in page.text("board")

    def focused() -> Any:
        return page.run("return document.activeElement.dataset.key")

    page.run("document.querySelector('#board tr[aria-selected=true]').focus()")
    assert focused() == "noise"
    page.press(HOME)
    first = focused()
    assert first == page.run("return document.querySelector('#board tr[data-key]').dataset.key")
    page.press(DOWN)
    second = focused()
    assert second != first
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.press(ENTER)
    page.until(lambda: page.run("return document.getElementById('measure').value") == second)
    best = page.run("return document.getElementById('component').value")
    page.until(lambda: drawn(page) == approximately(finite(view.values(second, best))))
    assert focused() == second  # choosing does not lose the place


def test_an_address_opens_what_it_was_copied_from(page: Page, view: View) -> None:
    show(page, view, VECTOR, "1")
    page.choose("network", "network 9")
    page.go("compare")
    page.choose("other", "network 0")
    page.until(lambda: "Network 0" in page.text("second-facts"))
    fragment = page.run("return location.hash")
    page.go("networks")
    page.run("location.hash = ''")
    page.until(lambda: "Network 0" in page.text("facts"))
    page.run("location.hash = arguments[0]", fragment)
    page.until(lambda: "Network 9" in page.text("first-facts"))
    page.go("measures")
    page.until(lambda: drawn(page) == approximately(finite(view.values(VECTOR, "1"))))
    assert "Network 9" in page.text("facts")
    page.run("location.hash = '#page=nothing&measure=nothing&network=99'")
    best = view.default_measure()
    page.until(lambda: drawn(page) == approximately(finite(view.values(best, "0"))))


def test_two_networks_are_compared(page: Page, view: View) -> None:
    page.go("compare")
    page.choose("network", "network 0")
    page.choose("other", "network 9")
    page.until(lambda: "Network 9" in page.text("second-facts"))
    page.until(lambda: page.text("both"))
    sizes = view.bars("9").groupby("dimension").size()
    assert [len(trace["x"]) for trace in page.traces("second-diagrams")] == list(sizes)
    ranges = [
        page.run(f"return document.getElementById('{name}-diagrams').layout.xaxis.range")
        for name in ("first", "second")
    ]
    assert ranges[0] == ranges[1]
    values = view.values("noise", "0")
    table = pd.DataFrame(page.rows("both")).set_index(1)
    shown = [float(str(table[column]["noise"]).replace("−", "-")) for column in (2, 3, 4)]
    expected = [values["0"], values["9"], values["9"] - values["0"]]
    assert shown == pytest.approx(expected, rel=1e-4, abs=1e-5)
    medians = {trace["name"]: trace["y"] for trace in page.traces("margins")}
    assert medians["network 9"] == approximately(
        [view.margins("9")[layer][2] for layer in ("input", "last_hidden")]
    )
    spectra = page.run(
        """return JSON.stringify(document.getElementById("spectra").data
        .map((trace) => [`${trace.name}, ${trace.meta[0]}`, trace.y]))"""
    )
    found = dict(json.loads(spectra))["network 9, dense.weight"]
    assert found == pytest.approx(list(view.spectra("9")["dense.weight"]), rel=1e-3, abs=1e-5)
    page.choose("other", "network 1")
    page.until(lambda: "network 1: the weights are not at hand" in page.text("spectra-note"))


WIDTHS = (1400, 1000, 500, 400, 1400)


@pytest.mark.parametrize("name", ["measures", "together", "predictions", "networks", "compare"])
def test_no_page_is_wider_than_its_window_also_after_resizing(page: Page, name: str) -> None:
    page.go(name)
    try:
        for width in WIDTHS:
            page.resize(width)
            page.until(lambda: page.run(FITTING))
            sizes = page.run("return [document.documentElement.scrollWidth, innerWidth]")
            assert sizes[0] <= sizes[1] == width
    finally:
        page.resize(1500, 1300)


@pytest.mark.parametrize(
    ("label", "groups"),
    [
        ("label corruption", ["0", "0.1", "0.2", "0.3"]),
        ("augmentation", ["crop, flip </script>", "none"]),
        ("cluster", ["0, smaller gap", "1, larger gap"]),
    ],
)
def test_colouring_groups_the_networks(
    page: Page, view: View, label: str, groups: list[str]
) -> None:
    show(page, view, "signal")
    page.choose("colour", label)

    def named() -> dict[str, dict[str, Any]]:
        return {trace["name"]: trace for trace in page.traces("scatter") if "customdata" in trace}

    page.until(lambda: sorted(named()) == groups)
    if label != "label corruption":
        colours = [named()[group]["marker"]["color"] for group in groups]
        assert colours == [to_hex(colour) for colour in PALETTE[:2]]
    for group, trace in named().items():
        if label == "cluster":
            expected = view.networks.index[view.cluster("signal", "0") == int(group[0])]
        else:
            column = view.networks[label.replace(" ", "_")]
            expected = column.index[
                column.map(lambda value: f"{value}".replace("0.0", "0")) == group
            ]
        assert sorted(trace["customdata"]) == sorted(expected)


def test_colouring_by_the_gap_is_a_scale(page: Page, view: View) -> None:
    show(page, view, "signal")
    page.choose("colour", "gap")

    def scale() -> Any:
        marker = page.traces("scatter")[0]["marker"]
        return marker.get("colorscale") == "Viridis" and marker["color"]

    assert page.until(scale) == approximately(list(view.networks["gap"]))


def test_hover_names_the_hyper_parameters(page: Page, view: View) -> None:
    show(page, view, "signal")
    page.choose("colour", "gap")
    page.until(lambda: "3" in page.traces("scatter")[0]["customdata"])
    traces = page.traces("scatter")
    hover = dict(zip(traces[0]["customdata"], traces[0]["text"], strict=True))["3"]
    facts = dict(line.split(": ", 1) for line in hover.split("<br>")[1:])
    row = view.networks.loc["3"]
    assert facts["width"] == str(row["width"])
    assert facts["augmentation"] == "crop, flip &lt;/script&gt;"
    assert float(facts["gap"]) == pytest.approx(row["gap"], abs=1e-4)


def test_clicking_a_point_shows_its_diagrams_and_measures(page: Page, view: View) -> None:
    show(page, view, "noise")
    page.choose("network", "network 3")
    page.until(lambda: "Network 3" in page.text("facts"))
    page.click_network("9")
    page.until(lambda: "Network 9" in page.text("facts"))
    bars = view.bars("9")
    sizes = bars.groupby("dimension").size()

    def counts() -> list[int]:
        return [len(trace["x"]) for trace in page.traces("diagrams")]

    page.until(lambda: counts() == list(sizes))
    first = page.traces("diagrams")[1]
    assert first["x"] == pytest.approx(bars.loc[bars["dimension"] == 1, "birth"], abs=1e-3)
    assert first["y"] == pytest.approx(bars.loc[bars["dimension"] == 1, "death"], abs=1e-3)
    page.choose("draw", "draw 2")
    second = bars[bars["draw"] == 1].groupby("dimension").size()
    page.until(lambda: counts() == list(second))
    page.go("networks")
    page.until(lambda: "network 9" in page.text("measures-title"))
    table = page.text("measures")
    for measure in view.measures:
        assert measure_label(measure) in table
    assert f"{float(view.values('noise', '0')['9']):.5g}".replace("-", "−") in table


def test_a_network_without_diagrams_says_why(page: Page) -> None:
    page.go("measures")
    page.choose("network", "network 5")
    page.until(lambda: "a weight is NaN" in page.text("diagrams-note"))
    assert not page.run("return document.getElementById('diagrams').checkVisibility()")
    page.choose("network", "network 6")
    page.until(lambda: page.run("return document.getElementById('diagrams').checkVisibility()"))


@pytest.mark.parametrize(
    ("measure", "component"), [("signal", "0"), (VECTOR, "1"), ("persistent_entropy.H1", "0")]
)
def test_download_is_the_table(page: Page, view: View, measure: str, component: str) -> None:
    show(page, view, measure, component)
    expected = view.networks.reset_index()
    expected[view.column_name(measure, component)] = view.values(measure, component).to_numpy()
    expected["cluster"] = view.cluster(measure, component)
    page.go("networks")
    page.until(lambda: expected.columns[-2].replace("_", " ") in page.text("table"))
    path = page.downloads / f"{view.name}.{expected.columns[-2]}.csv"
    path.unlink(missing_ok=True)
    page.click("download")
    page.until(path.exists)
    found = pd.read_csv(path, dtype={"network": str})
    # Without a server, numbers have five digits.
    exact: dict[str, Any] = {"check_exact": True} if page.dash else {"rtol": 1e-4}
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, **exact)


def test_figures_cannot_be_sent_away(page: Page) -> None:
    buttons = page.run(
        """return [...document.querySelectorAll(".modebar-btn")]
        .map((button) => button.dataset.title)"""
    )
    assert "Download plot as a PNG" in buttons
    assert not [title for title in buttons if "Share" in title or "Cloud" in title]


def test_predictions_are_drawn_with_their_intervals_and_reasons(page: Page, view: View) -> None:
    page.go("predictions")
    page.until(lambda: page.text("prediction-table"))
    table = predictions().set_index("network")
    shown = {trace["name"]: trace for trace in page.traces("predictions")}
    assert set(shown) == {
        "predicted", "measured", "declined: too far in its measures", "declined: trained otherwise",
    }  # fmt: skip
    predicted = shown["predicted"]
    assert predicted["x"] == ["0", "1", "2", "3", "4"]
    assert predicted["y"] == approximately(table["gap"].dropna().to_list())
    highs = np.add(predicted["y"], predicted["error_y"]["array"])
    lows = np.subtract(predicted["y"], predicted["error_y"]["arrayminus"])
    assert (highs, lows) == (pytest.approx([0.3] * 5), pytest.approx([0.05] * 5))
    measured = dict(zip(shown["measured"]["x"], shown["measured"]["y"], strict=True))
    assert measured == approximately(view.networks["gap"][list("01234")].to_dict())
    assert shown["declined: trained otherwise"]["x"] == ["7"]
    assert "5 of 8 networks are predicted" in page.text("predictions-note")
    heads = ["network", "measured gap", "low", "high", "distance p", "verdict", "reason"]
    assert all(name in page.text("prediction-table").splitlines()[0] for name in heads)
    assert "It is too far from the reference's networks </script>." in page.text("prediction-table")


def test_a_task_without_gaps_shows_predictions_networks_and_measures(
    without_gaps: Path, browser: Any, downloads: Path, tmp_path: Path
) -> None:
    path = tmp_path / "dashboard.html"
    write_static_page(without_gaps, path)
    page = Page(browser, downloads, path.as_uri(), dash=False)
    page.errors()
    browser.get(page.origin)
    page.until(lambda: page.run("return document.body.dataset.ready"))
    links = page.run("return [...document.querySelectorAll('#pages a')].map((a) => a.innerText)")
    assert links == ["Predictions", "Networks", "Compare two networks"]
    names = {trace["name"] for trace in page.traces("predictions")}
    assert "predicted" in names
    assert "measured" not in names
    page.go("networks")
    page.until(lambda: "signal" in page.text("measures"))
    assert "label corruption" in page.text("table")
    for name in ("measure", "component", "colour"):
        assert not page.run(f"return document.getElementById('{name}').checkVisibility()"), name
    assert [entry for entry in page.errors() if entry["level"] == "SEVERE"] == []


def test_nothing_is_asked_of_anyone_else(page: Page) -> None:
    allowed = (page.origin, "data:", "blob:", "chrome:", "chrome-extension:")
    strangers = [address for address in page.requests() if not address.startswith(allowed)]
    assert strangers == []
    assert [entry for entry in page.errors() if entry["level"] == "SEVERE"] == []
