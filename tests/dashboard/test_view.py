"""The tables behind the pages, against what they were made from."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.dashboard.conftest import FAILED, KERNELS, PREDICTORS, write_evaluation

from gengap import tasks
from gengap.dashboard import View, content, page_data, read_view, static_page
from gengap.dashboard.view import FIVE_NUMBERS, GAP, MARGIN_LAYERS
from gengap.errors import GengapError
from gengap.figures import colouring, measure_label
from gengap.figures.labels import number
from gengap.figures.tables import component_values
from gengap.measures.margins import HIDDEN, INPUT
from gengap.topology import read_diagrams


@pytest.fixture(scope="module")
def measures(task_folder: Path) -> pd.DataFrame:
    return pd.read_csv(task_folder / "measures.csv", dtype={"network": str, "component": str})


def test_networks_are_those_of_the_task(view: View, task_folder: Path) -> None:
    task = tasks.load(task_folder)
    pd.testing.assert_series_equal(view.networks[GAP], task.gaps())
    pd.testing.assert_series_equal(view.networks["train_accuracy"], task.training_outcomes())
    columns = list(view.hyper_parameters)
    pd.testing.assert_frame_equal(view.networks[columns], task.hyper_parameters())


def test_values_are_those_of_the_tidy_table(view: View, measures: pd.DataFrame) -> None:
    assert set(view.measures) == set(measures["measure"])
    for name, design in view.measures.items():
        assert set(design.components) == set(measures.loc[measures["measure"] == name, "component"])
        for component in design.components[:3]:
            expected = component_values(measures, name, component)
            found = view.values(name, component)
            assert found.dropna().to_dict() == expected.to_dict()
            assert list(found.index) == list(view.networks.index)


def test_measures_come_best_first(view: View) -> None:
    scores = [view.row(name)["r2_mean"] for name in view.measures]
    assert scores == sorted(scores, reverse=True)
    best = view.default_measure()
    scalars = [name for name, design in view.measures.items() if len(design.components) == 1]
    assert best == scalars[0]


def clusters(view: View, measure: str, component: str) -> pd.Series[float]:
    return pd.Series(view.cluster(measure, component), index=view.networks.index).dropna()


def test_clusters_are_those_of_the_evaluation(view: View, task_folder: Path) -> None:
    expected = pd.read_csv(task_folder / "evaluation" / "clusters.csv", dtype={"network": str})
    moments, lives = "deviations_and_averages_of_births_and_deaths", "average_lives_and_midlives"
    where = {
        "average_of_births": (moments, "2"),
        "average_of_deaths": (moments, "3"),
        "deviation_of_births": (moments, "0"),
        "deviation_of_deaths": (moments, "1"),
        "average_of_lives": (lives, "0"),
        "average_of_midlives": (lives, "1"),
        "persistent_entropy": ("persistent_entropy", "0"),
    }
    summaries = {
        f"{name}.{dimension}": (f"{measure}.{dimension}", component)
        for name, (measure, component) in where.items()
        for dimension in ("H0", "H1")
    }
    assert len(summaries) == 14
    assert set(expected["measure"]) == {"signal", "noise", *summaries}
    # They come from the file: with the file's clusters exchanged, so are the page's.
    swapped = replace(view, clusters=expected.assign(cluster=1 - expected["cluster"]))
    for name, rows in expected.groupby("measure"):
        component = summaries.get(str(name), (str(name), "0"))
        found = clusters(view, *component)
        assert found.to_dict() == dict(zip(rows["network"], rows["cluster"], strict=True))
        assert (clusters(swapped, *component) == 1 - found).all()


def test_components_that_the_evaluation_did_not_cluster_have_no_clusters(view: View) -> None:
    measure = "average_births_and_deaths.H0H1"
    assert view.column_name(measure, "3") == f"{measure}[3]"
    assert view.values(measure, "3").notna().any()
    assert np.isnan(view.cluster(measure, "3")).all()
    assert "clusters" not in content.column(view, measure, "3")


def test_of_many_networks_some_are_drawn_and_statistics_are_of_all(
    view: View, task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every, column = content.page(view), content.column(view, "signal", "0")
    moments = "deviations_and_averages_of_births_and_deaths.H0"
    tau = content.column(view, moments, "2")["tau"]
    monkeypatch.setattr(colouring, "MOST_DRAWN", 6)
    few = replace(view)
    page, part = content.page(few), content.column(few, "signal", "0")
    assert len(page["networks"]) == 6
    places = [every["networks"].index(name) for name in page["networks"]]
    assert places == sorted(places)
    assert places != list(range(6))
    for name in ("rows", "gaps", "hover", "network_options"):
        assert page[name] == [every[name][place] for place in places], name
    for name in ("values", "clusters"):
        assert part[name] == [column[name][place] for place in places], name
    for predictor, drawn in page["held_out"].items():
        whole = every["held_out"][predictor]["values"]
        assert drawn["values"] == [whole[place] for place in places]
    for name, colours in page["colours"].items():
        named = [network for group in colours["groups"] for network in group["networks"]]
        assert sorted(named or colours["numbers"]) == sorted(page["networks"]), name
    assert part["line"] == column["line"]
    assert content.column(few, moments, "2")["tau"] == tau
    for name in ("heading", "measures", "board", "together", "verdict", "on_size"):
        assert page[name] == every[name], name
    assert page["notes"][0].startswith("Of 16 networks, 6 are drawn and listed.")
    assert page["notes"][1:] == every["notes"]
    assert [*page_data(static_page(task_folder))["networks"]] == page["networks"]


def test_the_heading_counts_equal_measures_once(view: View) -> None:
    rows = view.leaderboard[view.leaderboard["kind"].isin(["scalar", "vector"])]
    twins = sum(len(names.split()) for names in rows["duplicates"])
    unranked = len(view.measures) - len(rows) - twins
    assert twins + unranked > 0
    assert content.page(view)["heading"] == (
        f"16 networks, {len(rows)} measures of the gap, and {twins + unranked} that equal one of "
        "them or were left out"
    )


def test_of_many_reasons_some_are_named(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MOST_REASONS", 1)
    left_out = pd.DataFrame(
        {"kind": "network", "name": ["1", "2", "3"], "reason": ["no gap", "unfit", "unfit"]}
    )
    notes = content.page(replace(view, left_out=left_out))["notes"]
    assert (
        "Left out of the statistics: network 1 (no gap); and 2 more, which "
        "evaluation/left_out.csv lists."
    ) in notes


def test_a_measure_that_is_not_ranked_is_named_and_not_offered(copy: Path) -> None:
    measures = pd.read_csv(copy / "measures.csv", dtype={"network": str, "component": str})
    measures = measures[(measures["network"] != "2") | (measures["measure"] != "noise")]
    measures.to_csv(copy / "measures.csv", index=False)
    write_evaluation(copy, measures)
    view = read_view(copy)
    assert "noise" not in view.measures
    notes = " ".join(content.page(view)["notes"])
    assert "measure noise (no finite value for 1 of 15 networks)" in notes
    assert "network 5 (no finite" in notes
    assert "left out for the whole task: distance from initialisation; left_out_mea" in notes


def test_the_page_has_the_verdict_the_groups_and_what_needs_no_measure(view: View) -> None:
    page = content.page(view)
    assert page["verdict"] == ["One measure is shown to predict the gap.", "Nothing was left out."]
    curve = view.learning_curve.query("name == 'combination.all'").sort_values("networks")
    pairs = zip(curve["networks"], curve["width_90"], strict=True)
    widths = [f"{width:.3f} with {networks}" for networks, width in pairs]
    assert page["on_size"].endswith(f"networks to learn from: {', '.join(widths)}.")
    assert [row["measure"] for row in page["board"] if row["measure"]] != []
    cells = [row["cells"] for row in page["board"]]
    board = pd.DataFrame(cells, columns=page["board_columns"]).set_index("measure")
    assert set(board.index) == {measure_label(name) for name in view.leaderboard.index}
    groups = board["group"].dropna()
    assert list(groups) == sorted(view.leaderboard["rank"].dropna())
    assert list(board.index[: len(groups)]) == list(groups.index)
    row = view.row("signal")
    assert board["R²"]["signal"] == round(float(row["r2_mean"]), 3)
    assert board["τ"]["signal"] == round(float(row["kendall"]), 3)
    assert np.isnan(board["group"]["the mean gap"])


def cards_of(view: View, measure: str) -> list[dict[str, str]]:
    cards: list[dict[str, str]] = content.page(view)["measures"][measure]["statistics"]
    return cards


def test_duplicates_share_a_row_and_name_each_other(view: View) -> None:
    first, other = "average_births_and_deaths.H1", "average_lives_and_midlives.H1"
    assert view.row_name(first) == view.row_name(other) == first
    assert other not in view.leaderboard.index
    for measure, same in ((first, other), (other, first)):
        detail = cards_of(view, measure)[0]["detail"]
        assert f"the same over these networks: {measure_label(same)}" in detail


def test_held_out_predictions_are_in_the_order_of_the_networks(view: View) -> None:
    page = content.page(view)
    assert [option["value"] for option in page["predictor_options"]] == list(PREDICTORS)
    for name, shift in PREDICTORS.items():
        shown = page["held_out"][name]
        for network, value, gap in zip(
            page["networks"], shown["values"], page["gaps"], strict=True
        ):
            assert (value is None) == (network == FAILED)
            assert value is None or value == pytest.approx(gap + shift)
        assert shown["half"] == pytest.approx(view.leaderboard["width_90"][name] / 2)


def test_a_measure_says_its_group_and_what_it_adds(view: View) -> None:
    row = view.row("signal")
    cards = cards_of(view, "signal")
    assert f"group {row['rank']} of {view.leaderboard['rank'].max()}" in cards[0]["detail"]
    assert cards[1]["value"] == number(float(row["increment_pairwise"]))
    assert f"family-wise p = {row['p_pairwise']:.2g}" in cards[1]["detail"]
    assert cards[2]["value"] == f"{row['width_90']:.3f}"


def test_kendall_counts_pairs(view: View) -> None:
    table = view.values("persistent_entropy.H0", "0").dropna()
    values, gaps = table.to_numpy(), view.networks[GAP][table.index].to_numpy()
    signs = [
        np.sign((values[i] - values[j]) * (gaps[i] - gaps[j]))
        for i, j in itertools.combinations(range(len(table)), 2)
    ]
    assert view.kendall("persistent_entropy.H0", "0") == pytest.approx(np.mean(signs))


def test_bars_are_those_of_the_file(view: View, task_folder: Path) -> None:
    draws, _ = read_diagrams(task_folder / "topology" / "diagrams" / "0.npz", "9")
    bars = view.bars("9")
    assert len(bars) == sum(len(part) for draw in draws for part in draw)
    for draw, dimension in itertools.product(range(2), range(2)):
        rows = bars[(bars["draw"] == draw) & (bars["dimension"] == dimension)]
        np.testing.assert_array_equal(rows[["birth", "death"]], draws[draw][dimension])
    assert np.isinf(bars["death"]).sum() == 2  # the one component that never dies, in each draw


@pytest.mark.parametrize("most", [1, 2, 5, 40])
def test_thinning_keeps_the_spread_of_lengths(view: View, most: int) -> None:
    bars = view.bars("9")
    bars = bars[bars["dimension"] == 0].reset_index(drop=True)
    kept = content.thinned(bars, most)
    assert len(kept) == min(most, len(bars))
    assert kept.index.is_unique
    lengths = bars["death"] - bars["birth"]
    assert lengths[kept.index].max() == lengths.max()
    if most > 1:
        assert lengths[kept.index].min() == lengths.min()


def test_content_is_strict_json(view: View) -> None:
    page = content.page(view)
    json.dumps(page, allow_nan=False)
    for name in view.measures:
        first = view.measures[name].components[0]
        json.dumps(content.column(view, name, first), allow_nan=False)
    for network in view.networks.index:
        json.dumps(content.network(view, network, 10), allow_nan=False)
        json.dumps(content.measures_of(view, network), allow_nan=False)


def test_a_vector_opens_on_its_strongest_component(view: View) -> None:
    moments = "deviations_and_averages_of_births_and_deaths.H0"  # of births, all of which are 0
    measure = content.page(view)["measures"][moments]
    assert measure["constant"] == ["0", "2"]
    gaps = view.networks[GAP]
    taus = {
        part: abs(gaps.corr(view.values(moments, part), method="kendall")) for part in ("1", "3")
    }
    assert measure["best"] == max(taus, key=lambda part: taus[part])
    assert content.column(view, moments, "0")["tau"] is None


def test_spectra_are_singular_values(view: View) -> None:
    for network, kernels in KERNELS.items():
        found = view.spectra(network)
        assert list(found) == ["conv.weight", "dense.weight"]
        for name, values in found.items():
            kernel = kernels[name]
            expected = np.linalg.svd(kernel.reshape(len(kernel), -1), compute_uv=False)
            np.testing.assert_allclose(values, expected, atol=1e-5 * expected[0])
    assert view.spectra("1") == {}


def test_margins_are_in_the_order_of_the_layers(view: View) -> None:
    assert {*MARGIN_LAYERS} == {INPUT, *HIDDEN}
    found = view.margins("9")
    assert list(found) == ["input", "last_hidden"]
    assert found["last_hidden"] == [
        view.values("negative_log_margins", f"last_hidden_{part}")["9"] for part in FIVE_NUMBERS
    ]


def test_all_measures_together_are_the_tables_of_the_evaluation(view: View) -> None:
    together = content.page(view)["together"]
    combination = view.combination.set_index("name")
    first = together["combinations"][0]
    row = list(combination.index).index("combination.all")
    mean, deviation = combination[["r2_mean", "r2_std"]].to_numpy(dtype=float)[row]
    assert (first["label"], first["value"]) == ("all measures", mean)
    assert (first["low"], first["high"]) == pytest.approx((mean - deviation, mean + deviation))
    assert len(together["combinations"]) == len(combination)
    losses = view.importance.set_index("family")["importance"]
    found = {row["label"].replace(" ", "_"): row["value"] for row in together["importance"]}
    assert found == losses.to_dict()
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_line_is_the_least_squares_line(view: View) -> None:
    (left, right), (low, high) = content.column(view, "signal", "0")["line"]
    slope, intercept = np.polyfit(view.values("signal", "0"), view.networks[GAP], 1)
    assert (left, right) == (view.values("signal", "0").min(), view.values("signal", "0").max())
    assert low == pytest.approx(intercept + slope * left)
    assert high == pytest.approx(intercept + slope * right)


def test_task_without_topology_says_so(copy: Path) -> None:
    (copy / "topology").rename(copy / "elsewhere")
    view = read_view(copy)
    assert any("No persistence diagrams" in note for note in content.page(view)["notes"])
    missing = content.network(view, "0", 10)["diagrams"]["missing"]
    assert "family 'topology'" in missing


def test_diagrams_of_a_run_before_topology_was_dropped_are_not_shown(copy: Path) -> None:
    measures = pd.read_csv(copy / "measures.csv", dtype=str)
    measures[measures["family"] != "topology"].to_csv(copy / "measures.csv", index=False)
    write_evaluation(copy, pd.read_csv(copy / "measures.csv", dtype={"network": str}))
    # A network that failed in it is told of; the others are in no stage of topology any more.
    assert read_view(copy).diagrams == copy / "topology" / "diagrams"
    (copy / "failed.csv").write_text("network,stage,reason\n")
    assert read_view(copy).diagrams is None


def test_a_missing_file_of_diagrams_is_said(copy: Path) -> None:
    (copy / "topology" / "diagrams" / "0.npz").unlink()
    with pytest.raises(GengapError, match=r"Network 3 has no persistence diagrams in .*: run the"):
        read_view(copy).bars("3")


def test_many_names_cannot_be_colours(copy: Path) -> None:
    content_of_task = json.loads((copy / "task.json").read_text())
    content_of_task["grid"]["name"] = [f"run {index}" for index in range(16)]
    for index, entry in content_of_task["networks"].items():
        entry["hyper_parameters"]["name"] = f"run {index}"
    (copy / "task.json").write_text(json.dumps(content_of_task))
    page = content.page(read_view(copy))
    assert "name" not in {option["value"] for option in page["colour_options"]}
    assert "Too many values to colour by: name." in page["notes"]


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        (".", "There is no folder"),
        ("task.json", r"no folder of a task"),
        ("measures.csv", r"measures\.csv is missing, so the task is not finished"),
        ("failed.csv", r"failed\.csv is missing, so the task is not finished"),
        ("evaluation/leaderboard.csv", r"leaderboard\.csv is missing"),
    ],
)
def test_unfinished_task_is_refused(copy: Path, lost: str, sentence: str) -> None:
    (copy / lost).rename(copy.parent / "lost")
    with pytest.raises(GengapError, match=sentence):
        read_view(copy)


def test_tables_of_different_runs_are_refused(copy: Path) -> None:
    path = copy / "measures.csv"
    table = pd.read_csv(path)
    table[table["measure"] != "noise"].to_csv(path, index=False)
    with pytest.raises(GengapError, match="'noise' is in only one of"):
        read_view(copy)


def test_unknown_measure_and_component_are_refused(view: View) -> None:
    with pytest.raises(GengapError, match="no measure 'nothing'"):
        view.values("nothing", "0")
    with pytest.raises(GengapError, match="'signal' has no component '1'"):
        view.values("signal", "1")


def test_a_task_of_losses_without_hyper_parameters_is_shown_as_such(
    copy: Path,
) -> None:
    path = copy / "task.json"
    written = json.loads(path.read_text())
    written |= {"grid": {}, "gap_of": "loss"}
    for position, (name, entry) in enumerate(written["networks"].items()):
        entry |= {"train_loss": 0.1, "test_loss": 0.1 + 0.01 * position, "source_id": f"run {name}"}
    path.write_text(json.dumps(written))
    measures = pd.read_csv(copy / "measures.csv", dtype={"network": str, "component": str})
    write_evaluation(copy, measures)
    view = read_view(copy)
    page = content.page(view)
    assert page["gap_label"] == "gap in loss"
    assert page["colour"] == "cluster"
    assert page["network_options"][3]["label"] == "network 3 (run 3)"
    assert "train loss: 0.1000<br>test loss: 0.1300<br>gap: 0.0300" in page["hover"][3]
    cards = cards_of(view, "signal")
    assert cards[1]["label"] == "gain over the mean"
    assert "reference.hyper_parameters" not in view.leaderboard.index
    assert "reference.training_loss" in view.leaderboard.index
