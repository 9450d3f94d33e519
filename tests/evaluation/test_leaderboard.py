"""The whole evaluation on a task whose answers are known."""

from __future__ import annotations

import re
import warnings
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from tests.evaluation.conftest import tidy

from gengap.errors import GengapError
from gengap.evaluation import Evaluation
from gengap.evaluation.folds import NESTED_REPEATS, repeated_folds
from gengap.evaluation.leaderboard import LEADERBOARD_COLUMNS, P_COLUMNS
from gengap.planning.targets import EVALUATION_FILES
from gengap.seeding import generator

if TYPE_CHECKING:
    from tests.evaluation.conftest import Zoo


@pytest.fixture(autouse=True)
def few_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gengap.evaluation.folds.REPEATS", 4)


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
        evaluation = zoo.evaluate()
    board = evaluation.leaderboard
    assert list(board.columns) == list(LEADERBOARD_COLUMNS)
    measures = board[board["kind"].isin(["scalar", "vector"])]
    assert measures["measure"].iloc[0] == "pair"
    assert measures["rank"].iloc[0] == 1
    assert board["r2_mean"].is_monotonic_decreasing
    assert set(board.loc[board["kind"] == "reference", "measure"]) == {
        "reference.mean", "reference.hyper_parameters", "reference.hyper_parameters_pairwise",
        "reference.training_accuracy", "reference.random", "reference.gap_with_replicate_noise",
        "reference.replicate_ceiling",
    }  # fmt: skip
    assert row(evaluation, "pair")["r2_mean"] > 0.95
    assert row(evaluation, "noise")["r2_mean"] < row(evaluation, "corruption_detector")["r2_mean"]
    # The signal explains what corruption leaves open, so it adds much to the hyper-parameters.
    for increment in ("increment_additive", "increment_pairwise"):
        assert row(evaluation, "signal")[increment] > 0.02
        assert row(evaluation, "corruption_detector")[increment] < 0.01
    # The mean of the training networks is off in the other direction than the held-out ones.
    assert -0.5 < row(evaluation, "reference.mean")["r2_mean"] <= 0
    assert row(evaluation, "reference.random")["r2_mean"] < 0.1
    ceiling = row(evaluation, "reference.replicate_ceiling")
    assert ceiling["r2_mean"] > row(evaluation, "reference.hyper_parameters")["r2_mean"]
    assert ceiling["r2_std"] == pytest.approx(0, abs=1e-12)
    assert (board["networks"] == 24).all()
    assert (board["left_out"] == 0).all()


def test_only_eligible_measures_have_ranks_and_questions(zoo: Zoo) -> None:
    evaluation = zoo.evaluate()
    board = evaluation.leaderboard
    assert board["rank"].notna().tolist() == board["eligible"].tolist()
    assert set(evaluation.questions["measure"]) == set(board.loc[board["eligible"], "measure"])
    asked = evaluation.questions.set_index(["measure", "question"])["p_family"]
    for measure in ("pair", "noise"):
        assert row(evaluation, measure)["p_mean"] == asked[measure, "beats_mean"]
        assert row(evaluation, measure)["p_pairwise"] == asked[measure, "adds_to_pairwise"]
    # With 50 permutations, p is at least 1 / 51.
    assert row(evaluation, "pair")["p_mean"] <= 2 / 51
    assert row(evaluation, "noise")["p_mean"] > 0.05


def test_scores_are_those_of_a_direct_loop(zoo: Zoo) -> None:
    # Evenly spread values are skewed in no cell, so they are not transformed.
    signal = zoo.measures[zoo.measures["measure"] == "signal"]["value"].rank().to_numpy()[:, None]
    ranks = tidy("ranks", signal, list(zoo.gaps.index))
    evaluation = zoo.with_measures(ranks).evaluate()
    gaps = zoo.gaps.to_numpy()
    folds = repeated_folds(zoo.grid, None, generator(1, "evaluation", "folds"))
    predictions = np.empty((folds.repeats, 24))
    for repeat, train, test in folds.cells():
        model = LinearRegression().fit(signal[train], gaps[train])
        inside = gaps[train]
        predictions[repeat, test] = np.clip(model.predict(signal[test]), inside.min(), inside.max())
    r2 = np.array([r2_score(gaps, own) for own in predictions])
    line = row(evaluation, "ranks")
    own = evaluation.repeats[evaluation.repeats["measure"] == "ranks"]
    np.testing.assert_allclose(own["r2"], r2)
    assert own["repeat"].tolist() == list(range(folds.repeats))
    assert line["r2_mean"] == pytest.approx(r2.mean())
    assert line["r2_std"] == pytest.approx(r2.std(ddof=1))
    errors = np.abs(predictions - gaps)
    assert line["mean_error"] == pytest.approx(errors.mean())
    # 23 of 25 intervals that are so wide hold the gap of a new network.
    assert line["width_90"] == pytest.approx(2 * np.sort(errors)[:, 22].mean())
    assert line["transform"] == "identity"


def test_tests_are_of_the_scores_of_the_folds(zoo: Zoo) -> None:
    tests = zoo.evaluate().tests
    board = zoo.evaluate().leaderboard
    means = board.set_index("measure")["r2_mean"]
    references = board.loc[board["kind"] == "reference", "measure"]
    assert set(tests["against"]) == {"pair", *references}
    assert (tests["measure"] != tests["against"]).all()
    expected = means[tests["measure"]].to_numpy() - means[tests["against"]].to_numpy()
    np.testing.assert_allclose(tests["difference"].astype(float), expected, atol=1e-12)
    versus = tests[tests["against"] == "reference.mean"].set_index("measure")
    eligible = board.loc[board["eligible"], "measure"]
    assert versus.index[versus["p_holm"].notna()].tolist() == eligible.tolist()
    assert versus["p_holm"]["pair"] < 0.05
    assert versus["probability_better"]["pair"] > 0.95


def test_what_costs_most_has_the_first_repeats_only(
    zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gengap.evaluation.folds.REPEATS", NESTED_REPEATS + 3)
    evaluation = zoo.evaluate()
    r2 = evaluation.repeats.pivot(index="repeat", columns="measure", values="r2")
    counts = r2.notna().sum()
    few = counts.index.str.startswith(
        ("combination.", "persistence_image", "reference.hyper_parameters")
    )
    assert few.sum() == 7
    assert (counts[few] == NESTED_REPEATS).all()
    assert (counts[~few] == NESTED_REPEATS + 3).all()
    tests = evaluation.tests.set_index(["measure", "against"])["difference"]
    for name in ("combination.all", "persistence_image.H0", "signal"):
        both = (r2[name] - r2["pair"]).dropna()
        assert tests[name, "pair"] == pytest.approx(both.mean())


def test_groups_are_those_of_the_tests_against_the_best(zoo: Zoo) -> None:
    evaluation = zoo.evaluate()
    board = evaluation.leaderboard
    versus = evaluation.tests[evaluation.tests["against"] == "pair"]
    together = versus.loc[versus["probability_worse"] <= 0.95, "measure"]
    eligible = board[board["eligible"]]
    assert set(eligible.loc[eligible["rank"] == 1, "measure"]) == {
        "pair", *set(together) & set(eligible["measure"]),
    }  # fmt: skip


def test_duplicates_are_one_row(zoo: Zoo) -> None:
    table = zoo.measures
    pair = table[table["measure"] == "pair"]
    wide = pair.pivot_table(index="network", columns="component", values="value", sort=False)
    turned = wide.to_numpy() @ np.array([[1.0, 2.0, 0.0], [0.5, -1.0, 3.0]]) + 7
    signal = table[table["measure"] == "signal"]
    copies = [
        tidy("turned_pair", turned, list(wide.index)),
        signal.assign(measure="a_reversed_signal", value=5 - 3 * signal["value"]),
        signal.assign(measure="like_signal", value=signal["value"] + 0.05 * signal["value"] ** 2),
    ]
    evaluation = zoo.with_measures(pd.concat([table, *copies], ignore_index=True)).evaluate()
    board = evaluation.leaderboard.set_index("measure")
    assert board.loc["pair", "duplicates"] == "turned_pair"
    assert board.loc["a_reversed_signal", "duplicates"] == "signal"
    assert board.loc["like_signal", "duplicates"] == ""
    assert not {"turned_pair", "signal"} & set(board.index)
    plain = zoo.evaluate().leaderboard.set_index("measure")
    for column in ("r2_mean", "r2_std", "increment_pairwise"):
        assert board.loc["a_reversed_signal", column] == pytest.approx(plain.loc["signal", column])


def test_underdetermined_and_constant_measures_are_not_ranked(zoo: Zoo) -> None:
    evaluation = zoo.evaluate()
    wide, constant = row(evaluation, "wide"), row(evaluation, "constant")
    assert wide["underdetermined"]
    assert not wide["eligible"]
    assert not constant["underdetermined"]
    assert not constant["eligible"]
    assert constant["r2_mean"] == pytest.approx(row(evaluation, "reference.mean")["r2_mean"])
    image = row(evaluation, "persistence_image.H0")
    assert image["eligible"]
    assert image["components"] == 30
    assert not row(zoo.evaluate(reduce=()), "persistence_image.H0")["eligible"]
    keep = zoo.measures["measure"].isin(["wide", "constant"])
    none = zoo.with_measures(zoo.measures[keep]).evaluate()
    assert none.leaderboard["rank"].isna().all()
    assert none.questions.empty
    assert set(none.tests["against"]) == set(
        none.leaderboard.loc[none.leaderboard["kind"] == "reference", "measure"]
    )
    assert "No measure is eligible" in none.best_ols


@pytest.mark.parametrize(("components", "flagged"), [(15, False), (16, True)])
def test_underdetermined_begins_where_coefficients_outnumber_networks(
    zoo: Zoo, components: int, flagged: bool
) -> None:
    # Of 24 networks in three folds of two grid points, 16 are trained on.
    wide = zoo.measures[zoo.measures["measure"] == "wide"]
    chosen = wide[wide["component"] < components]
    line = row(zoo.with_measures(chosen).evaluate(), "wide")
    assert line["underdetermined"] == flagged
    assert np.isnan(line["increment_additive"])


def test_correlations_are_repeated_within_values(zoo: Zoo) -> None:
    evaluation = zoo.evaluate(correlate_within="corruption", rank_within="width")
    assert evaluation.correlations["stratum"].unique().tolist() == [
        "all", "corruption=0.0", "corruption=0.2", "corruption=0.4", "width=8", "width=16",
    ]  # fmt: skip
    everywhere = evaluation.correlations[evaluation.correlations["stratum"] == "all"]
    signal = everywhere[everywhere["measure"] == "signal"].set_index("statistic")
    line = row(evaluation, "signal")
    for statistic in ("kendall", "spearman", "pearson"):
        for suffix, column in (("", "estimate"), ("_low", "low"), ("_high", "high"), ("_p", "p")):
            assert line[statistic + suffix] == signal.loc[statistic, column]
    assert np.isnan(row(evaluation, "pair")["kendall"])


def test_what_only_detects_a_hyper_parameter_does_not_hold_within_it(zoo: Zoo) -> None:
    evaluation = zoo.evaluate(rank_within="corruption", permutations=200)
    assert row(evaluation, "corruption_detector")["p_mean"] < 0.05
    assert row(evaluation, "corruption_detector")["p_within"] > 0.05
    assert row(evaluation, "signal")["p_within"] < 0.05
    assert row(evaluation, "signal")["partial_tau"] > 0.6
    for column in ("psi", "sign_error_mean", "sign_error_worst"):
        assert np.isfinite(row(evaluation, "signal")[column])


def test_draws_of_the_data_are_held_out_too(zoo: Zoo) -> None:
    # A measure that knows the draw explains its shift of the gap only where the draw was seen.
    shift = pd.Series(np.tile([0.0, 0.3, -0.2, 0.1], 6), index=zoo.gaps.index)
    shifted = replace(zoo, gaps=zoo.gaps + shift)
    detector = tidy("draw_detector", shift, list(zoo.gaps.index))
    shifted = shifted.with_measures(pd.concat([zoo.measures, detector], ignore_index=True))
    names = pd.Series(list("abcd") * 6, index=zoo.gaps.index)
    seen = row(shifted.evaluate(), "draw_detector")["r2_mean"]
    unseen = shifted.evaluate(draws=names)
    assert row(unseen, "draw_detector")["r2_mean"] < seen - 0.02
    assert "4 draws of training data" in unseen.summary


def test_reliability_is_the_part_of_the_variance_that_is_not_noise(zoo: Zoo) -> None:
    signal = zoo.measures[zoo.measures["measure"] == "signal"]
    errors = signal.assign(standard_error=0.5)
    evaluation = zoo.evaluate(standard_errors=errors)
    expected = 1 - 0.25 / signal["value"].var()
    assert row(evaluation, "signal")["reliability"] == pytest.approx(expected)
    assert np.isnan(row(evaluation, "noise")["reliability"])
    loud = zoo.evaluate(standard_errors=errors.assign(standard_error=9.0))
    assert row(loud, "signal")["reliability"] == 0


def test_networks_that_never_trained_are_left_out_with_their_reason(zoo: Zoo) -> None:
    reasons = {"3": "the target loss was not reached", "17": "it guesses"}
    evaluation = zoo.evaluate(leave_out=reasons)
    assert evaluation.left_out.to_dict("records") == [
        {"kind": "network", "name": name, "reason": reason} for name, reason in reasons.items()
    ]
    rest = zoo.measures[~zoo.measures["network"].isin(reasons)]
    without = zoo.with_measures(rest).evaluate(leave_out=reasons)
    pd.testing.assert_frame_equal(evaluation.repeats, without.repeats)
    assert (evaluation.leaderboard["networks"] == 22).all()
    assert (evaluation.leaderboard["left_out"] == 2).all()


def test_null_measures_do_not_beat_the_mean_and_the_best_row_is_not_the_seeds(zoo: Zoo) -> None:
    rng = np.random.default_rng(3)
    networks = list(zoo.gaps.index)
    nothing = [tidy(f"null{index}", rng.normal(size=24), networks) for index in range(30)]
    chosen = zoo.measures[zoo.measures["measure"].isin(["signal", "corruption_detector"])]
    whole = zoo.with_measures(pd.concat([chosen, *nothing], ignore_index=True))
    groups = []
    for seed in range(4):
        evaluation = whole.evaluate(seed=seed)
        versus = evaluation.tests[evaluation.tests["against"] == "reference.mean"]
        nulls = versus[versus["measure"].str.startswith("null")]
        better = (nulls["p"] <= 0.05) & (nulls["difference"] > 0)
        assert better.mean() <= 0.05
        board = evaluation.leaderboard
        assert board.loc[board["eligible"], "measure"].iloc[0] == "corruption_detector"
        groups.append(set(board.loc[board["rank"] == 1, "measure"]))
    assert groups[1:] == groups[:-1]


def test_the_names_of_networks_change_nothing(zoo: Zoo) -> None:
    order = np.random.default_rng(0).permutation(24)
    renamed = {name: f"model_{order[index]}" for index, name in enumerate(zoo.gaps.index)}
    other = replace(
        zoo,
        measures=zoo.measures.assign(network=zoo.measures["network"].map(renamed)),
        gaps=zoo.gaps.rename(renamed),
        grid=zoo.grid.rename(renamed),
        training_accuracy=zoo.training_accuracy.rename(renamed),
    )
    columns = ["rank", "r2_mean", "r2_std", "increment_additive", "increment_pairwise", "width_90"]
    first, second = (
        made.evaluate().leaderboard.set_index("measure")[columns].astype(float)
        for made in (zoo, other)
    )
    # Random references are drawn for the networks in the order of their names.
    drawn = ["reference.random", "reference.gap_with_replicate_noise"]
    pd.testing.assert_frame_equal(first.drop(drawn), second.drop(drawn), check_like=True, atol=1e-9)


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
    for name in ("leaderboard", "repeats", "tests", "correlations"):
        pd.testing.assert_frame_equal(
            getattr(plain, name), getattr(other, name), rtol=1e-6, atol=1e-9
        )


def test_a_measure_does_not_depend_on_its_neighbours(zoo: Zoo) -> None:
    alone = zoo.with_measures(zoo.measures[zoo.measures["measure"] == "signal"]).evaluate()
    whole = zoo.evaluate()
    own = [c for c in LEADERBOARD_COLUMNS if c not in {"rank", "measure", *P_COLUMNS}]
    first, second = (row(result, "signal")[own] for result in (alone, whole))
    pd.testing.assert_series_equal(first, second, check_names=False)


def test_seed_decides_all(zoo: Zoo) -> None:
    same(zoo.evaluate(rank_within="width"), zoo.evaluate(rank_within="width"))
    assert not zoo.evaluate().repeats.equals(zoo.evaluate(seed=2).repeats)


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
    found.write(tmp_path / "one")
    found.write(str(tmp_path / "two"))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [
        *sorted(["best_ols.txt", "summary.txt", *(f"{name}.csv" for name in EVALUATION_FILES)]),
    ]  # fmt: skip
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    back = Evaluation.read(str(tmp_path / "one"))
    for field in fields(Evaluation):
        one, other = getattr(found, field.name), getattr(back, field.name)
        if isinstance(one, str):
            assert one == other
        elif len(one):
            pd.testing.assert_frame_equal(one, other, check_exact=True, check_dtype=False)
    (tmp_path / "two" / "repeats.csv").write_bytes(b"\xff\xfe,\0\n1")
    with pytest.raises(GengapError, match=r"A file in .*two cannot be read .*run the evaluation"):
        Evaluation.read(tmp_path / "two")
    (tmp_path / "one" / "repeats.csv").unlink()
    with pytest.raises(GengapError, match=r"repeats\.csv is missing: run the evaluation"):
        Evaluation.read(tmp_path / "one")


def test_networks_without_a_family_or_a_gap_are_left_out_by_name(zoo: Zoo) -> None:
    measures = zoo.measures
    failed = (measures["network"] == "3") & (measures["family"] == "made")
    holed = (measures["network"] == "10") & (measures["family"] == "other")
    table = measures[~failed].copy()
    table.loc[holed & (measures["component"] == 0), "value"] = np.nan
    partial = replace(zoo, measures=table, gaps=zoo.gaps.drop("20"))
    found = partial.evaluate()
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
    rest = ~measures["network"].isin(["3", "10", "20"])
    without = zoo.with_measures(measures[rest]).evaluate()
    pd.testing.assert_frame_equal(found.repeats, without.repeats)


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
    assert "Left out: 2 measures" in found.summary
    same(replace(found, left_out=expected.left_out, summary=expected.summary), expected)
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
    halves = pd.Series(np.arange(24) // 12, index=zoo.gaps.index)
    cases: list[tuple[Zoo, dict[str, Any], str]] = [
        (zoo.with_measures(few), {}, r"Only 7 networks .*17 left out.* at least 8: use more"),
        (replace(zoo, gaps=0 * zoo.gaps), {}, r"gap is 0 for all 24 networks.*vary"),
        (
            replace(zoo, gaps=0.0 * zoo.gaps + halves.astype(float)),
            {"draws": halves},
            r"gaps of the 24 networks differ only between draws.*vary",
        ),
        (
            zoo,
            {"draws": pd.Series(1 * (np.arange(24) == 3), index=zoo.gaps.index)},
            r"too few .*\(23 on 0, 1 on 1\): train",
        ),
        (zoo, {"correlate_within": "depth"}, r"Unknown hyper-parameter 'depth'.*width, corruption"),
        (zoo, {"rank_within": "depth"}, r"Unknown hyper-parameter 'depth'"),
        (zoo, {"gap_of": "acc"}, r"gap_of is 'acc': choose one of accuracy, loss, error"),
        (replace(zoo, grid=zoo.grid.rename(columns={"width": "all"})), {}, r"named 'all': give"),
        (replace(zoo, grid=zoo.grid.rename(columns={"width": 0})), {}, r"named 0: give each"),
        (zoo, {"resamples": 0}, r"resamples is 0"),
        (zoo, {"permutations": 0}, r"permutations is 0"),
        (zoo, {"resamples": 1.5}, r"resamples is 1.5: give a whole number"),
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


def test_products_that_take_too_much_memory_are_left_out_and_said_so(
    zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = zoo.evaluate()
    monkeypatch.setattr("gengap.evaluation.references.MOST_OF_PRODUCTS", 0)
    found = zoo.evaluate()
    name = "reference.hyper_parameters_pairwise"
    assert name not in set(found.leaderboard["measure"])
    assert found.leaderboard[["increment_pairwise", "p_pairwise"]].isna().all(axis=None)
    [left_out] = found.left_out.to_dict("records")
    assert (left_out["kind"], left_out["name"]) == ("model", name)
    assert left_out["reason"] in " ".join(found.summary.split())
    scores = [
        table.leaderboard.set_index("measure")[["r2_mean", "increment_additive", "p_additive"]]
        for table in (found, expected)
    ]
    pd.testing.assert_frame_equal(scores[0], scores[1].drop(index=name), check_exact=True)


def test_without_hyper_parameters_increments_are_over_the_mean(zoo: Zoo) -> None:
    evaluation = replace(zoo, grid=zoo.grid[[]]).evaluate(gap_of="loss")
    board = evaluation.leaderboard.set_index("measure")
    references = [name for name in board.index if name.startswith("reference.")]
    assert sorted(references) == ["reference.mean", "reference.random", "reference.training_loss"]
    # The partitions are shared, so the means of differences are differences of means.
    expected = board["r2_mean"] - board["r2_mean"]["reference.mean"]
    chosen = ["pair", "signal", "noise", "reference.training_loss"]
    np.testing.assert_allclose(
        board.loc[chosen, "increment_additive"].astype(float), expected[chosen], atol=1e-12
    )
    assert board["increment_pairwise"].isna().all()
    assert board["p_additive"].isna().all()
