"""The whole evaluation on a task whose answers are known."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gengap.errors import GengapError
from gengap.evaluation import Evaluation, paired_t_test
from gengap.evaluation.leaderboard import LEADERBOARD_COLUMNS

if TYPE_CHECKING:
    from tests.evaluation.conftest import Zoo


def row(evaluation: Evaluation, measure: str) -> pd.Series:
    rows = evaluation.leaderboard
    return rows[rows["measure"] == measure].iloc[0].drop("measure")


def same(first: Evaluation, second: Evaluation) -> None:
    """Every table equal, bit for bit."""
    for field in fields(Evaluation):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, str):
            assert one == other
        else:
            pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_the_right_measure_wins_and_the_references_are_there(zoo: Zoo) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = zoo.evaluate()
    board = found.leaderboard
    assert list(board.columns) == list(LEADERBOARD_COLUMNS)
    assert board["measure"].iloc[0] == "pair"
    assert list(board["rank"]) == list(range(1, 11))
    assert board["r2_mean"].is_monotonic_decreasing
    assert set(board.loc[board["kind"] == "reference", "measure"]) == {
        "reference.mean", "reference.hyper_parameters", "reference.training_accuracy",
    }  # fmt: skip
    assert row(found, "pair")["r2_mean"] > 0.95
    assert row(found, "noise")["r2_mean"] < row(found, "corruption_detector")["r2_mean"]
    # The signal explains what corruption leaves open, so it adds much to the hyper-parameters.
    assert row(found, "signal")["r2_increment"] > 0.02
    assert row(found, "corruption_detector")["r2_increment"] < 0.01
    assert row(found, "reference.hyper_parameters")["r2_increment"] == 0
    assert row(found, "reference.mean")["r2_increment"] == 0
    assert row(found, "reference.mean")["r2_max"] <= 0
    assert (board["networks"] == 24).all()
    assert (board["left_out"] == 0).all()


def test_summaries_are_of_the_ten_folds_alone(zoo: Zoo) -> None:
    found = zoo.evaluate()
    for measure, folds in found.folds.groupby("measure"):
        summary, r2 = row(found, str(measure)), folds["r2"].to_numpy()
        assert sorted(zip(folds["repeat"], folds["fold"], strict=True)) == [
            (repeat, fold) for repeat in range(5) for fold in range(2)
        ]
        expected = [r2.mean(), r2.std(ddof=1), np.median(r2), r2.min(), r2.max()]
        columns = ["r2_mean", "r2_std", "r2_median", "r2_min", "r2_max"]
        np.testing.assert_allclose(summary[columns].astype(float), expected)


def test_underdetermined_and_constant_measures_cannot_be_best(zoo: Zoo) -> None:
    found = zoo.evaluate()
    wide, constant = row(found, "wide"), row(found, "constant")
    assert wide["underdetermined"]
    assert not wide["eligible"]
    assert not constant["underdetermined"]
    assert not constant["eligible"]
    assert constant["r2_mean"] == row(found, "reference.mean")["r2_mean"]
    image = row(found, "persistence_image.H0")
    assert image["eligible"]
    assert image["components"] == 30
    assert not row(zoo.evaluate(reduce=()), "persistence_image.H0")["eligible"]
    keep = zoo.measures["measure"].isin(["wide", "constant"])
    none = zoo.with_measures(zoo.measures[keep]).evaluate()
    assert none.leaderboard["t_vs_best"].isna().all()
    assert "No measure is eligible" in none.best_ols


@pytest.mark.parametrize(("components", "flagged"), [(11, False), (12, True)])
def test_underdetermined_begins_where_coefficients_outnumber_networks(
    zoo: Zoo, components: int, flagged: bool
) -> None:
    wide = zoo.measures[zoo.measures["measure"] == "wide"]
    chosen = wide[wide["component"] < components]
    assert row(zoo.with_measures(chosen).evaluate(), "wide")["underdetermined"] == flagged


def test_tests_are_dietterichs_on_the_folds(zoo: Zoo) -> None:
    found = zoo.evaluate()
    scores = {
        name: folds.sort_values(["repeat", "fold"])["r2"].to_numpy().reshape(5, 2)
        for name, folds in found.folds.groupby("measure")
    }
    assert set(found.tests["against"]) == {
        "pair", "reference.mean", "reference.hyper_parameters", "reference.training_accuracy",
    }  # fmt: skip
    for _, test in found.tests.iterrows():
        expected = paired_t_test(scores[test["measure"]], scores[test["against"]])
        assert (test["t"], test["p"]) == pytest.approx(expected)
        assert test["measure"] != test["against"]
    versus = found.tests[found.tests["against"] == "pair"].set_index("measure")
    smallest = versus.loc[str(versus["p"].idxmin())]
    assert smallest["p_holm"] == pytest.approx(min(1.0, 9 * smallest["p"]))
    noise = row(found, "noise")
    assert noise["p_vs_best_holm"] == versus.loc["noise", "p_holm"]
    assert noise["t_vs_best"] < 0
    best = row(found, "pair")
    assert (best["t_vs_best"], best["p_vs_best"], best["p_vs_best_holm"]) == (0, 1, 1)


def test_correlations_are_scipys_over_all_and_within_values(zoo: Zoo) -> None:
    found = zoo.evaluate(correlate_within="corruption").correlations
    signal = zoo.measures[zoo.measures["measure"] == "signal"].set_index("network")["value"]
    strata = {"all": zoo.gaps.index} | {
        f"corruption={value}": zoo.grid.index[zoo.grid["corruption"] == value]
        for value in (0.0, 0.2, 0.4)
    }
    assert list(found["stratum"].unique()) == list(strata)
    functions: dict[str, Callable[..., Any]] = {
        "kendall": stats.kendalltau,
        "spearman": stats.spearmanr,
        "pearson": stats.pearsonr,
    }
    for stratum, networks in strata.items():
        for name, function in functions.items():
            chosen = found[(found["measure"] == "signal") & (found["statistic"] == name)]
            line = chosen[chosen["stratum"] == stratum].iloc[0]
            expected = function(signal[networks], zoo.gaps[networks]).statistic
            assert line["estimate"] == pytest.approx(expected)
            assert line["networks"] == len(networks)
            assert line["low"] <= line["high"]
    flat = found[found["measure"] == "constant"]
    assert flat["estimate"].isna().all()
    assert (flat["p"] == 1).all()
    assert not set(found["measure"]) & {"pair", "wide", "reference.mean"}


def test_strata_unmask_what_only_detects_the_hyper_parameter(zoo: Zoo) -> None:
    found = zoo.evaluate(rank_within="corruption")
    whole = found.leaderboard.set_index("measure")["r2_mean"]
    assert whole["corruption_detector"] > 0.8
    assert whole["corruption_detector"] > whole["signal"]
    for _, table in found.strata.groupby("stratum"):
        inside = table.set_index("measure")
        assert inside["r2_mean"]["signal"] > 0.5
        assert inside["r2_mean"]["corruption_detector"] < 0.3
        assert (inside["networks"] == 8).all()
        assert sorted(inside["rank"]) == list(range(1, 11))


@pytest.mark.parametrize("hyper_parameters", [1, 2, 3])
def test_increments_within_small_strata_need_a_training_network_for_each_coefficient(
    zoo: Zoo, hyper_parameters: int
) -> None:
    # Each stratum has 8 networks, so 4 to train on: room for one principal component of the image.
    places = np.arange(24)
    added = {f"added{bit}": places >> bit & 1 for bit in range(hyper_parameters - 1)}
    found = replace(zoo, grid=zoo.grid.assign(**added)).evaluate(rank_within="corruption").strata
    increments = found.set_index(["measure", "stratum"])["r2_increment"]
    columns = {"signal": 1, "pair": 2, "wide": 20, "persistence_image.H0": 1, "reference.mean": 0}
    for measure, count in columns.items():
        lacking = 1 + hyper_parameters + count > 4
        assert increments[measure].isna().tolist() == [lacking] * 3, measure


def test_a_stratum_too_small_for_folds_has_correlations_only(zoo: Zoo) -> None:
    grid = zoo.grid.assign(part=["few"] * 5 + ["many"] * 19)
    found = replace(zoo, grid=grid).evaluate(rank_within="part").strata
    few = found[found["stratum"] == "part=few"].set_index("measure")
    assert few["rank"].isna().all()
    assert few["r2_mean"].isna().all()
    assert (few["networks"] == 5).all()
    signal = zoo.measures[zoo.measures["measure"] == "signal"]["value"]
    expected = stats.kendalltau(signal[:5], zoo.gaps.iloc[:5]).statistic
    assert few.loc["signal", "kendall"] == pytest.approx(expected)
    assert found[found["stratum"] == "part=many"]["rank"].notna().all()


def test_order_of_rows_changes_nothing(zoo: Zoo) -> None:
    shuffled = replace(
        zoo,
        measures=zoo.measures.sample(frac=1, random_state=1),
        gaps=zoo.gaps.sample(frac=1, random_state=2),
        grid=zoo.grid.sample(frac=1, random_state=3)[["corruption", "width"]],
        training_accuracy=zoo.training_accuracy.sample(frac=1, random_state=4),
    )
    arguments = {"correlate_within": "width", "rank_within": "corruption"}
    same(zoo.evaluate(**arguments), shuffled.evaluate(**arguments))


def test_network_ids_may_be_numbers(zoo: Zoo) -> None:
    numbered = replace(
        zoo,
        measures=zoo.measures.astype({"network": int}),
        gaps=zoo.gaps.rename(int),
        grid=zoo.grid.rename(int),
    )
    same(zoo.evaluate(), numbered.evaluate())


def test_units_of_a_measure_change_nothing(zoo: Zoo) -> None:
    moved = zoo.measures.assign(value=1e-3 * zoo.measures["value"] + 7)
    plain, other = zoo.evaluate(), zoo.with_measures(moved).evaluate()
    for name in ("leaderboard", "folds", "tests", "correlations"):
        pd.testing.assert_frame_equal(
            getattr(plain, name), getattr(other, name), rtol=1e-6, atol=1e-9
        )


def test_a_measure_does_not_depend_on_its_neighbours(zoo: Zoo) -> None:
    alone = zoo.with_measures(zoo.measures[zoo.measures["measure"] == "signal"]).evaluate()
    whole = zoo.evaluate()
    own = [c for c in LEADERBOARD_COLUMNS if c != "rank" and "best" not in c]
    first, second = (row(result, "signal")[own[1:]] for result in (alone, whole))
    pd.testing.assert_series_equal(first, second, check_names=False)


def test_seed_decides_all(zoo: Zoo) -> None:
    same(zoo.evaluate(rank_within="width"), zoo.evaluate(rank_within="width"))
    assert not zoo.evaluate().folds.equals(zoo.evaluate(seed=2).folds)


def test_best_ols_is_the_regression_over_all_networks_and_has_no_date(zoo: Zoo) -> None:
    text = zoo.evaluate().best_ols
    pair = zoo.measures[zoo.measures["measure"] == "pair"].pivot_table(
        index="network", columns="component", values="value"
    )
    columns = np.column_stack([np.ones(24), pair.loc[zoo.gaps.index]])
    coefficients, residual, *_ = np.linalg.lstsq(columns, zoo.gaps, rcond=None)
    r2 = 1 - residual[0] / np.sum((zoo.gaps - zoo.gaps.mean()) ** 2)
    assert f"R-squared:                       {r2:.3f}" in text
    printed = dict(re.findall(r"^(intercept|pair\[\d\])\s+(-?[\d.]+)", text, flags=re.M))
    for name, value in zip(["intercept", "pair[0]", "pair[1]"], coefficients, strict=True):
        assert float(printed[name]) == pytest.approx(value, abs=6e-5)
    assert re.search(r"Date: +Prob \(F-statistic\)", text)
    assert re.search(r"Time: +Log-Likelihood", text)
    assert not re.search(r"\d\d:\d\d:\d\d|20\d\d", text)


def test_a_reduced_measure_can_be_summarised(zoo: Zoo) -> None:
    image = zoo.measures[zoo.measures["measure"] == "persistence_image.H0"]
    text = zoo.with_measures(image).evaluate().best_ols
    assert "persistence_image.H0[PC6]" in text
    assert "PC7" not in text


def test_written_tables_come_back_and_bytes_repeat(zoo: Zoo, tmp_path: Path) -> None:
    found = zoo.evaluate(correlate_within="width", rank_within="corruption")
    for name in ("one", "two"):
        found.write(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [
        "best_ols.txt", "correlations.csv", "folds.csv", "leaderboard.csv", "left_out.csv",
        "strata.csv", "tests.csv",
    ]  # fmt: skip
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    back = Evaluation.read(tmp_path / "one")
    for field in fields(Evaluation):
        one, other = getattr(found, field.name), getattr(back, field.name)
        if isinstance(one, str):
            assert one == other
        elif len(one):
            pd.testing.assert_frame_equal(one, other, check_exact=True, check_dtype=False)
    (tmp_path / "one" / "folds.csv").unlink()
    with pytest.raises(GengapError, match=r"folds\.csv is missing: run the evaluation"):
        Evaluation.read(tmp_path / "one")


def test_networks_without_a_family_or_a_gap_are_left_out_by_name(zoo: Zoo) -> None:
    measures = zoo.measures
    failed = (measures["network"] == "3") & (measures["family"] == "made")
    holed = (measures["network"] == "10") & (measures["family"] == "other")
    table = measures[~failed].copy()
    table.loc[holed & (measures["component"] == 0), "value"] = np.nan
    partial = replace(zoo, measures=table, gaps=zoo.gaps.drop("20"))
    found = partial.evaluate(rank_within="corruption")
    assert (found.leaderboard["networks"] == 21).all()
    assert (found.leaderboard["left_out"] == 3).all()
    assert found.left_out.to_dict("records") == [
        {
            "kind": "network",
            "name": "3",
            "reason": "no finite corruption_detector, noise, pair, signal",
        },
        {
            "kind": "network",
            "name": "10",
            "reason": "no finite constant, persistence_image.H0, wide",
        },
        {"kind": "network", "name": "20", "reason": "no finite gap"},
    ]
    dropped = found.strata.groupby("stratum")["left_out"].first()
    assert dropped.to_dict() == {"corruption=0.0": 1, "corruption=0.2": 0, "corruption=0.4": 2}
    rest = ~measures["network"].isin(["3", "10", "20"])
    without = zoo.with_measures(measures[rest]).evaluate()
    pd.testing.assert_frame_equal(found.folds, without.folds)


def test_a_measure_that_some_networks_lack_is_not_ranked_and_costs_nothing_else(
    zoo: Zoo, tmp_path: Path
) -> None:
    measures = zoo.measures
    missing = measures["network"].isin(["3", "7"]) & (measures["measure"] == "noise")
    table = measures[~missing].copy()
    holed = (table["network"] == "10") & (table["measure"] == "wide") & (table["component"] == 4)
    table.loc[holed, "value"] = np.inf
    found = zoo.with_measures(table).evaluate(correlate_within="width", rank_within="corruption")
    assert found.left_out.to_dict("records") == [
        {"kind": "measure", "name": "noise", "reason": "no finite value for 2 of 24 networks"},
        {"kind": "measure", "name": "wide", "reason": "no finite value for 1 of 24 networks"},
    ]
    assert (found.leaderboard["left_out"] == 0).all()
    # As if these two measures had not been computed at all.
    whole = measures[~measures["measure"].isin(["noise", "wide"])]
    expected = zoo.with_measures(whole).evaluate(correlate_within="width", rank_within="corruption")
    same(replace(found, left_out=expected.left_out), expected)
    found.write(tmp_path)
    assert Evaluation.read(tmp_path).left_out.equals(found.left_out)


def test_a_measure_is_compared_on_the_networks_that_did_not_fail(zoo: Zoo) -> None:
    # Network 3 failed in a whole family; that it lacks a measure of another says nothing of it.
    measures = zoo.measures
    failed = (measures["network"] == "3") & (measures["family"] == "other")
    lacking = (measures["network"] == "3") & (measures["measure"] == "noise")
    found = zoo.with_measures(measures[~failed & ~lacking]).evaluate()
    assert list(found.left_out["kind"]) == ["network"]
    assert "noise" in set(found.leaderboard["measure"])
    assert (found.leaderboard["networks"] == 23).all()


def test_bad_input_is_refused_in_one_sentence(zoo: Zoo) -> None:
    few = zoo.measures[zoo.measures["network"].isin(list("0123456"))]
    table = zoo.measures
    cases: list[tuple[Zoo, dict[str, Any], str]] = [
        (zoo.with_measures(few), {}, r"Only 7 networks .*17 left out.* at least 8: use more"),
        (replace(zoo, gaps=0 * zoo.gaps), {}, r"gap is 0 for all 24 networks.*vary"),
        (zoo, {"correlate_within": "depth"}, r"Unknown hyper-parameter 'depth'.*width, corruption"),
        (zoo, {"rank_within": "depth"}, r"Unknown hyper-parameter 'depth'"),
        (zoo, {"resamples": 0}, r"resamples is 0"),
        (zoo, {"permutations": 0}, r"permutations is 0"),
        (zoo.with_measures(table.iloc[:0]), {}, r"is empty: choose"),
        (zoo.with_measures(table.drop(columns="family")), {}, r"lacks the column 'family'"),
        (
            zoo.with_measures(pd.concat([table, table.iloc[[5]]])),
            {},
            r"pair, component 1 is given twice for network 2",
        ),
        (
            zoo.with_measures(pd.concat([table, table.iloc[:5].assign(task="b")])),
            {},
            r"several tasks \(b, synthetic\)",
        ),
        (
            zoo.with_measures(pd.concat([table, table.iloc[:5].assign(family="b")])),
            {},
            r"pair occurs in the families made and b",
        ),
        (
            zoo.with_measures(table.replace({"measure": {"signal": "reference.mean"}})),
            {},
            r"reference\.mean of the family made looks like a reference row",
        ),
        (
            zoo.with_measures(table.assign(family="reference")),
            {},
            r"pair of the family reference looks like a reference row",
        ),
        (
            zoo.with_measures(table.assign(component=table["component"].where(table.index > 3))),
            {},
            r"has a row without component",
        ),
        (
            zoo.with_measures(table.astype({"value": object}).replace(3.0, "large")),
            {},
            r"not a number .*large",
        ),
        (replace(zoo, gaps=pd.concat([zoo.gaps, zoo.gaps[["4"]]])), {}, r"Network 4 occurs more"),
        (replace(zoo, grid=pd.concat([zoo.grid, zoo.grid.iloc[:1]])), {}, r"more than once in the"),
    ]
    for bad, keywords, message in cases:
        with pytest.raises(GengapError, match=message) as refused:
            bad.evaluate(**keywords)
        assert "\n" not in str(refused.value)


def test_without_hyper_parameters_increments_are_over_the_mean(zoo: Zoo) -> None:
    evaluation = replace(zoo, grid=zoo.grid[[]]).evaluate(gap_of="loss")
    board = evaluation.leaderboard.set_index("measure")
    references = [name for name in board.index if name.startswith("reference.")]
    assert sorted(references) == ["reference.mean", "reference.training_loss"]
    # The folds are shared, so the means of differences are differences of means.
    expected = board["r2_mean"] - board["r2_mean"]["reference.mean"]
    chosen = ["pair", "signal", "noise", "reference.training_loss"]
    np.testing.assert_allclose(
        board.loc[chosen, "r2_increment"].astype(float), expected[chosen], atol=1e-12
    )
    assert board.loc["reference.mean", "r2_increment"] == 0
    # What a fold says of a measure alone does not depend on the hyper-parameters.
    alone = zoo.evaluate().leaderboard.set_index("measure")["r2_mean"]
    np.testing.assert_array_equal(board.loc[chosen[:3], "r2_mean"], alone[chosen[:3]])
