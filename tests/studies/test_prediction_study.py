"""The study of predicted gaps, on made-up networks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from gengap.datasets import Split
from gengap.measures.recipe import Recipe
from gengap.prediction.data import ReferenceData
from gengap.prediction.reference import Measured
from gengap.studies.prediction import summaries
from gengap.studies.prediction.figures import plot_coverage
from gengap.studies.prediction.left_out import (
    ARCHITECTURES,
    CONSTANT,
    DRAW,
    DRAW_OF_LARGE,
    HYPER_PARAMETERS,
    MEASURES,
    NETWORK,
    TRAINING,
    by_columns,
    by_measures,
    left_out,
    splits,
)
from gengap.studies.prediction.recipe_folds import FOLDS, correct_in_folds
from gengap.studies.prediction.report import markdown, report
from gengap.studies.prediction.summaries import (
    ALL,
    WITHIN,
    Findings,
    cluster_interval,
    coverage_table,
    cpu_seconds,
    mean_tau,
    pair_table,
    r2_summary,
    r2_table,
    recipe_table,
    wilson,
    with_outcomes,
)

pytestmark = pytest.mark.slow


def made_up(draws: int = 6, noise: float = 0.002) -> Measured:
    """Networks whose gaps follow one measure and their depth, with a level of each draw."""
    chance = np.random.default_rng(0)
    grid = pd.DataFrame({"depth": np.repeat(np.arange(3), 4 * draws)})
    names = [f"made/{number}" for number in range(len(grid))]
    own = np.tile(np.arange(draws), 12)
    level = 0.01 * chance.normal(size=draws)
    values = chance.normal(size=(len(grid), 4))
    values[:, 1] += 0.3 * grid["depth"].to_numpy()
    values[:, 2] = level[own] + 0.01 * chance.normal(size=len(grid))
    gaps = 0.2 + 0.03 * values[:, 1] + values[:, 2] + noise * chance.normal(size=len(grid))
    inputs = np.zeros((20, 3), np.float32)
    return Measured(
        tasks=("made",),
        networks=tuple(names),
        recipe=Recipe("made", 0, {}, False, {}, {}, ("cross_entropy",), ""),
        gap_of="accuracy",
        measures=tuple("abcd"),
        families=("made",) * 4,
        values=values,
        gaps=gaps,
        training=np.ones(len(grid)),
        losses=np.full(len(grid), 0.02),
        sizes=np.full(len(grid), 100),
        draws=own,
        draw_digests=tuple(f"draw {draw}" for draw in range(draws)),
        grid=grid.set_axis(pd.Index(names, name="network", dtype=object)),
        data=ReferenceData.of_split(Split(inputs, np.arange(20) % 2, 2)),
        versions={},
    )


def only_row(table: pd.DataFrame, **values: object) -> pd.Series[Any]:
    """The one row of a table that has these values."""
    for name, value in values.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


@pytest.fixture(scope="module")
def predicted() -> pd.DataFrame:
    """What became of the networks that were left out, of one task under two names."""
    table = left_out(made_up())
    return with_outcomes({"first": table, "second": table})


def test_splits_leave_out_every_network_draw_and_architecture_once() -> None:
    networks = made_up()
    chosen = list(splits(networks))
    for split in chosen:
        assert not np.any(split.known & split.unknown)
    parts = [split for split in chosen if split.left_out == NETWORK]
    np.testing.assert_array_equal(sum(split.unknown.astype(int) for split in parts), 1)
    for split in parts:
        assert set(networks.draws[split.unknown]) <= set(networks.draws[split.known])
    for split in chosen:
        if split.left_out in (DRAW, DRAW_OF_LARGE):
            known, unknown = networks.draws[split.known], networks.draws[split.unknown]
            assert len(set(known)) == (3 if split.left_out == DRAW else 5)
            assert sorted({*known, *unknown}) == list(range(6))
            assert not set(known) & set(unknown)
    levels = [split for split in chosen if split.left_out == ARCHITECTURES]
    assert {split.level for split in levels} == {f"depth {depth}" for depth in range(3)}
    for split in levels:
        depth = networks.grid["depth"].to_numpy()
        assert set(depth[split.known]).isdisjoint(depth[split.unknown])


def test_the_constant_is_the_mean_gap_of_the_known_networks() -> None:
    networks = made_up()
    split = next(split for split in splits(networks) if split.left_out == DRAW)
    tables = by_columns(networks, split)
    mean = networks.gaps[split.known].mean()
    np.testing.assert_allclose(tables[CONSTANT]["prediction"], mean)
    # One training accuracy for all says nothing, so it predicts the mean as well.
    np.testing.assert_allclose(tables[TRAINING]["prediction"], mean)
    assert np.ptp(tables[HYPER_PARAMETERS]["prediction"]) > 0


def test_predictions_do_not_depend_on_the_gaps_of_left_out_networks() -> None:
    networks = made_up()
    split = next(split for split in splits(networks) if split.left_out == DRAW)
    shifted = np.where(split.unknown, networks.gaps + 0.5, networks.gaps)
    changed = Measured(**{**vars(networks), "gaps": shifted})
    pd.testing.assert_frame_equal(by_measures(changed, split), by_measures(networks, split))
    before, after = by_columns(networks, split), by_columns(changed, split)
    for name, table in before.items():
        pd.testing.assert_frame_equal(after[name], table)


def test_measures_that_tell_the_gap_are_narrower_and_cover(predicted: pd.DataFrame) -> None:
    table = coverage_table(predicted)
    row = only_row(table, left_out=NETWORK, task=ALL, predictor=MEASURES)
    assert row["coverage"] >= 0.85
    assert row["low"] <= row["coverage"] <= row["high"]
    assert row["relative_width"] < 0.5
    assert row["networks"] == 2 * 72
    assert (
        row["error"]
        < only_row(table, left_out=NETWORK, task=ALL, predictor=HYPER_PARAMETERS)["error"]
    )
    own = predicted[(predicted["left_out"] == NETWORK) & (predicted["predictor"] == MEASURES)]
    own = own[~own["declined"]]
    assert row["width"] == pytest.approx((own["high"] - own["low"]).mean())
    assert only_row(table, left_out=NETWORK, task=ALL, predictor=CONSTANT)[
        "relative_width"
    ] == pytest.approx(1.0)


def test_the_interval_of_a_coverage_is_that_of_its_draws() -> None:
    rows = pd.DataFrame({"task": "one", "draw": np.repeat(np.arange(8), 25), "inside": True})
    rows.loc[rows["draw"] == 0, "inside"] = False
    low, high = cluster_interval(rows)
    # The number of draws that hold is binomial: 8 draws, each with 7/8.
    expected = stats.binom.ppf([0.025, 0.975], 8, 7 / 8) / 8
    np.testing.assert_allclose([low, high], expected)


def test_r2_is_that_of_scikit_learn_for_each_draw(predicted: pd.DataFrame) -> None:
    from sklearn.metrics import r2_score

    scores = r2_table(predicted)
    row = scores[(scores["left_out"] == DRAW_OF_LARGE) & (scores["task"] == "first")].iloc[0]
    own = predicted[
        (predicted["left_out"] == DRAW_OF_LARGE)
        & (predicted["task"] == "first")
        & (predicted["predictor"] == MEASURES)
        & (predicted["draw"] == row["draw"])
        & ~predicted["declined"]
    ]
    of_references = [
        r2_score(part["gap"], part["prediction"]) for _, part in own.groupby("reference")
    ]
    assert row[MEASURES] == pytest.approx(np.mean(of_references))
    centred = [part[["gap", "prediction"]] for _, part in own.groupby("reference")]
    centred = [part - part.mean() for part in centred]
    of_levelled = [r2_score(part["gap"], part["prediction"]) for part in centred]
    assert row[WITHIN] == pytest.approx(np.mean(of_levelled))
    summary = only_row(r2_summary(scores), left_out=DRAW_OF_LARGE, task="first")
    assert summary["draws"] == 6
    of_draws = scores[(scores["left_out"] == DRAW_OF_LARGE) & (scores["task"] == "first")]
    assert summary["r2"] == pytest.approx(of_draws[MEASURES].mean())
    assert summary["within"] == pytest.approx(of_draws[WITHIN].mean())
    assert summary["above"] == (of_draws[MEASURES] > of_draws[HYPER_PARAMETERS]).sum()


def made_up_pairs() -> pd.DataFrame:
    """Networks of three data sets, each ranked by the others with more or less noise."""
    chance = np.random.default_rng(1)
    rows = []
    for reference in "abc":
        for task in set("abc") - {reference}:
            gaps = chance.normal(size=60)
            rank = stats.rankdata(gaps + chance.normal(size=60))
            for network in range(60):
                rows.append(
                    (
                        reference,
                        task,
                        network,
                        network % 6,
                        gaps[network],
                        True,
                        0.01,
                        rank[network],
                    )
                )
    names = ["reference", "task", "network", "replicate", "gap", "declined", "distance_p", "rank"]
    return pd.DataFrame(rows, columns=names)


def test_tau_of_a_pair_is_the_mean_over_seeds() -> None:
    carried = made_up_pairs()
    carried.loc[carried["reference"] == "c", "rank"] = math.nan
    pairs = pair_table(carried, 3)
    own = carried[(carried["reference"] == "a") & (carried["task"] == "b")]
    taus = [
        stats.kendalltau(part["rank"], part["gap"]).statistic
        for part in (own[own["replicate"] < 3], own[own["replicate"] >= 3])
    ]
    assert only_row(pairs, reference="a", task="b")["tau"] == pytest.approx(np.mean(taus))
    assert only_row(pairs, reference="a", task="b")["seeds"] == 2
    assert math.isnan(only_row(pairs, reference="c", task="a")["tau"])
    assert only_row(pairs, reference="a", task="b")["far"] == 1.0


def test_the_mean_tau_has_a_jackknife_interval_over_data_sets() -> None:
    pairs = pair_table(made_up_pairs(), 3)
    mean, low, high = mean_tau(pairs)
    assert mean == pytest.approx(pairs["tau"].mean())
    left = [
        pairs[(pairs["reference"] != name) & (pairs["task"] != name)]["tau"].mean()
        for name in "abc"
    ]
    error = math.sqrt(2 / 3 * sum((value - np.mean(left)) ** 2 for value in left))
    assert high - mean == pytest.approx(stats.t.ppf(0.975, 2) * error)
    assert mean - low == pytest.approx(high - mean)


def test_wilsons_interval_is_that_of_statsmodels() -> None:
    correct, tested = np.array([0, 7, 21, 80]), np.array([21, 21, 21, 100])
    expected = proportion_confint(correct, tested, alpha=0.1, method="wilson")
    np.testing.assert_allclose(wilson(correct, tested), expected, atol=1e-12)


def test_recipes_stand_beside_predictions_of_the_same_networks(predicted: pd.DataFrame) -> None:
    recipes = pd.DataFrame(
        {
            "task": "first",
            "network": [0, 5],
            "gap": [0.2, 0.9],
            "train_accuracy": 1.0,
            "tested": 100,
            "correct": 80,
            "seconds": [1.0, 3.0],
        }
    )
    table = recipe_table(recipes, predicted)
    row = only_row(table, task="first", way="cross-validation")
    assert (row["networks"], row["coverage"], row["seconds"]) == (2, 0.5, 2.0)
    assert row["error"] == pytest.approx(0.35)
    own = predicted[
        (predicted["task"] == "first")
        & (predicted["left_out"] == DRAW)
        & (predicted["predictor"] == CONSTANT)
        & predicted["network"].isin(["made/0", "made/5"])
    ]
    assert only_row(table, task="first", way=CONSTANT)["error"] == pytest.approx(
        own["error"].mean()
    )


def test_recipes_are_tested_on_what_they_were_not_trained_on() -> None:
    chance = np.random.default_rng(3)
    labels = np.arange(60) % 2
    told = chance.normal(size=(60, 2)).astype(np.float32) + 4 * labels[:, None].astype(np.float32)
    network = {"template": "dense", "width": 4, "depth": 1}
    training = {"optimiser": "adam", "learning_rate": 0.05, "batch_size": 20, "epochs": 30}
    assert correct_in_folds(Split(told, labels, 2), network, training, 0) >= 57
    # Labels that the inputs do not tell can be learned, but not told for inputs left out.
    untold = chance.normal(size=(60, 40)).astype(np.float32)
    right = correct_in_folds(Split(untold, labels, 2), network, training, 0)
    assert FOLDS == 5
    assert 15 <= right <= 45


def test_cpu_seconds_are_summed_over_jobs(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks" / "measure" / "norms"
    folder.mkdir(parents=True)
    (folder / "0.tsv").write_text("s\tcpu_time\n3\t1.5\n")
    (folder / "1.tsv").write_text("s\tcpu_time\n3\t2.0\n")
    assert cpu_seconds(tmp_path, "measure") == 3.5
    (folder / "2.tsv").write_text("s\tcpu_time\n3\t-\n")
    assert math.isnan(cpu_seconds(tmp_path, "measure"))
    assert math.isnan(cpu_seconds(tmp_path, "train"))


def test_the_report_says_what_is_reached_and_what_is_not(predicted: pd.DataFrame) -> None:
    table = predicted.replace({"task": {"first": "digits", "second": "fashion_mnist"}})
    scores = r2_table(table)
    recipes = pd.DataFrame(
        {
            "task": "digits",
            "network": [0],
            "gap": [0.2],
            "train_accuracy": 1.0,
            "tested": 100,
            "correct": 80,
            "seconds": [1.0],
        }
    )
    zoo = {
        "task": "digits",
        "train_size": 100,
        "points": 12,
        "draws": 6,
        "networks": 72,
        "test_accuracy": 0.8,
        "gap": 0.2,
        "spread": 0.01,
        "training_seconds": 0.5,
        "measuring_seconds": math.nan,
    }
    findings = Findings(
        zoos=pd.DataFrame([zoo]),
        coverage=coverage_table(table),
        scores=scores,
        r2=r2_summary(scores),
        pairs=pair_table(made_up_pairs(), 3),
        recipes=recipe_table(recipes, table),
    )
    text = report(findings, "small")
    assert "snakemake prediction --config setting=small" in text
    what = "digits: mean R² over left-out draws; 5 draws, 60 networks predict"
    assert f"| {what} | at least 0.75 |" in text
    assert (
        "| networks of another data set that are declined | at least 0.95 | 1 | reached |" in text
    )
    score = only_row(findings.r2, left_out=DRAW_OF_LARGE, task="digits")
    line = next(line for line in text.splitlines() if line.startswith("| digits: mean R²"))
    assert line.endswith("| reached |") == (score["r2"] >= 0.75)
    assert "nan" not in text
    figure = plot_coverage(findings.coverage)
    assert [axes.get_title() for axes in figure.axes] == [
        f"left out: {name}" for name in (NETWORK, DRAW, DRAW_OF_LARGE)
    ]


def test_a_table_in_markdown_has_a_line_a_row() -> None:
    assert markdown(("a", "b"), [(1, "x")]) == "| a | b |\n| --- | --- |\n| 1 | x |"


def test_the_tables_of_the_report_are_its_findings() -> None:
    assert set(summaries.TABLES) == set(Findings.__dataclass_fields__)
