"""The tables of a study against definitions written out here."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from gengap.errors import GengapError
from gengap.evaluation import (
    SUMMARIES,
    compare_feature_sets,
    competition_reference,
    conditional_mutual_information,
    correlate_summaries,
    scalar_measures,
    score_measures,
    strongest,
)
from gengap.topology import vectorise

NETWORKS = [str(i) for i in range(12)]
SOME_SUMMARY = "average_of_lives.H1"
GRID = {"depth": [1, 2, 3], "width": [8, 16]}
HYPER_PARAMETERS = pd.DataFrame(
    list(itertools.product(*GRID.values())) * 2, columns=list(GRID), index=NETWORKS
)


def diagrams(rng: np.random.Generator) -> list[np.ndarray]:
    births = rng.random(20)
    return [
        np.column_stack([np.zeros(30), rng.random(30) + 0.1]),
        np.column_stack([births, births + rng.random(20) + 0.1]),
    ]


@pytest.fixture
def drawn(rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """The diagrams of each network."""
    return {network: diagrams(rng) for network in NETWORKS}


@pytest.fixture
def measures(drawn: dict[str, list[np.ndarray]], rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        ("t", network, "topology", name, str(component), value)
        for network, bars in drawn.items()
        for name, vector in vectorise(bars, grid_end=4).items()
        for component, value in enumerate(vector)
    ]
    rows += [("t", network, "norms", "norm", "0", rng.random()) for network in NETWORKS]
    rows += [("t", network, "norms", "pair", name, 1.0) for network in NETWORKS for name in "ab"]
    columns = ["task", "network", "family", "measure", "component", "value"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def gaps(rng: np.random.Generator) -> pd.Series:
    return pd.Series(rng.random(12), index=NETWORKS)


def test_the_fourteen_summaries_are_what_their_names_say(
    measures: pd.DataFrame, drawn: dict[str, list[np.ndarray]]
) -> None:
    table = scalar_measures(measures).set_index(["measure", "network"])["value"]
    assert len(SUMMARIES) == 14
    assert set(table.index.unique("measure")) == {*SUMMARIES, "norm"}
    for network, bars in drawn.items():
        for dimension, (births, deaths) in enumerate(part.T for part in bars):
            lives = deaths - births
            expected = {
                "average_of_births": births.mean(),
                "average_of_deaths": deaths.mean(),
                "deviation_of_births": births.std(),
                "deviation_of_deaths": deaths.std(),
                "average_of_lives": lives.mean(),
                "average_of_midlives": ((births + deaths) / 2).mean(),
                "persistent_entropy": stats.entropy(lives / lives.sum()),
            }
            for name, value in expected.items():
                found = table[f"{name}.H{dimension}", network]
                assert found == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_a_table_without_diagrams_has_its_scalars_alone(measures: pd.DataFrame) -> None:
    table = scalar_measures(measures[measures["family"] == "norms"])
    assert set(table["measure"]) == {"norm"}
    assert len(table) == 12


def test_correlations_within_a_value_and_the_strongest(
    measures: pd.DataFrame, gaps: pd.Series
) -> None:
    table = correlate_summaries(
        measures,
        gaps,
        HYPER_PARAMETERS,
        training_accuracy=pd.Series(1.0, index=NETWORKS),
        correlate_within="depth",
        resamples=20,
        permutations=20,
        seed=0,
    )
    assert set(table["stratum"]) == {"all", "depth=1", "depth=2", "depth=3"}
    norm = measures[measures["measure"] == "norm"].set_index("network")["value"]
    for depth in (1, 2, 3):
        chosen = HYPER_PARAMETERS.index[HYPER_PARAMETERS["depth"] == depth]
        row = table[
            (table["measure"] == "norm")
            & (table["statistic"] == "spearman")
            & (table["stratum"] == f"depth={depth}")
        ]
        assert row["networks"].item() == 4
        expected = stats.spearmanr(norm[chosen], gaps[chosen]).statistic
        assert row["estimate"].item() == pytest.approx(expected)
    best = strongest(table)
    # Training accuracy is constant, so the reference has no correlation and no row.
    assert len(best) == 4 * 3 * 2
    keys = ["stratum", "statistic", "family"]
    assert not best.duplicated(keys).any()
    largest = table["estimate"].abs().groupby([table[key] for key in keys]).max()
    for *key, estimate in best[[*keys, "estimate"]].itertuples(index=False):
        assert abs(estimate) == largest[tuple(key)]


def test_scores_are_a_hundred_times_those_of_each_measure(
    measures: pd.DataFrame, gaps: pd.Series
) -> None:
    scalars = scalar_measures(measures)
    table = score_measures(scalars, gaps, HYPER_PARAMETERS, GRID)
    assert table["score"].is_monotonic_decreasing
    assert (table["reason"] == "").all()
    reference = competition_reference(gaps, HYPER_PARAMETERS, GRID)
    for name, score in table.set_index("measure")["score"].items():
        values = scalars[scalars["measure"] == name].set_index("network")["value"]
        expected = conditional_mutual_information(
            {str(network): value for network, value in values.items()}, reference
        )
        assert score == pytest.approx(100 * expected, abs=1e-12)


def test_scores_are_of_the_networks_that_failed_in_no_family(
    measures: pd.DataFrame, gaps: pd.Series
) -> None:
    scalars = scalar_measures(measures)
    failed, diverged, unknown, lacking = gaps.index[[0, 5, 7, 9]]
    assert set(scalars["family"]) == {"topology", "norms"}
    scalars = scalars[(scalars["network"] != failed) | (scalars["family"] != "topology")]
    scalars = scalars[(scalars["network"] != lacking) | (scalars["measure"] != SOME_SUMMARY)]
    scalars.loc[(scalars["network"] == diverged) & (scalars["family"] == "norms"), "value"] = np.nan
    table = score_measures(
        scalars, gaps.where(gaps.index != unknown), HYPER_PARAMETERS, GRID
    ).set_index("measure")
    compared = gaps.index.drop([failed, diverged, unknown])
    assert (table["networks"] == len(compared)).all()
    assert (table["left_out"] == 3).all()
    reference = competition_reference(gaps[compared], HYPER_PARAMETERS, GRID)
    assert set(table.index) == set(scalars["measure"])
    # What one more network lacks has no score, and takes none from the others.
    assert pd.isna(table["score"][SOME_SUMMARY])
    assert table["reason"][SOME_SUMMARY] == "no finite value for 1 of 9 networks"
    table = table.drop(index=SOME_SUMMARY)
    assert (table["reason"] == "").all()
    for name in table.index:
        values = scalars[scalars["measure"] == name].set_index("network")["value"][compared]
        expected = conditional_mutual_information(
            {str(network): value for network, value in values.items()}, reference
        )
        assert table["score"][name] == pytest.approx(100 * expected, abs=1e-12)
    nothing = score_measures(scalars.assign(value=np.nan), gaps, HYPER_PARAMETERS, GRID)
    assert set(nothing["reason"]) == {"No network has a gap and measures of every family."}
    assert nothing["score"].isna().all()
    assert (nothing["left_out"] == len(gaps)).all()


def test_a_grid_with_a_hole_has_no_score_and_a_reason(
    measures: pd.DataFrame, gaps: pd.Series
) -> None:
    kept = HYPER_PARAMETERS.index[
        (HYPER_PARAMETERS["depth"] != 3) | (HYPER_PARAMETERS["width"] != 16)
    ]
    scalars = scalar_measures(measures[measures["network"].isin(kept)])
    table = score_measures(scalars, gaps[kept], HYPER_PARAMETERS.loc[kept], GRID)
    assert table["score"].isna().all()
    assert table["reason"].str.contains("No network has depth = 3 and width = 16").all()


def board(scores: dict[str, np.ndarray]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A leaderboard and folds with these scores."""
    folds = pd.DataFrame(
        [
            (name, repeat, fold, values[repeat, fold])
            for name, values in scores.items()
            for fold in (1, 0)
            for repeat in range(5)
        ],
        columns=["measure", "repeat", "fold", "r2"],
    )
    means = [values.mean() for values in scores.values()]
    columns = ["components", "underdetermined", "r2_std", "r2_median", "r2_min", "r2_max"]
    columns += ["kendall", "spearman", "pearson", "networks"]
    table = pd.DataFrame({"measure": list(scores), "r2_mean": means} | dict.fromkeys(columns, 0))
    return table, folds


def test_every_pair_is_tested_once(rng: np.random.Generator) -> None:
    scores = {name: rng.random((5, 2)) for name in ("a", "b", "c", "other")}
    table, tests = compare_feature_sets(*board(scores), {"A": "a", "C": "c", "B": "b"})
    assert list(table["feature_set"]) == ["A", "C", "B"]
    assert list(table["measure"]) == ["a", "c", "b"]
    pairs = [("A", "C"), ("A", "B"), ("C", "B")]
    assert list(zip(tests["first"], tests["second"], strict=True)) == pairs
    expected = []
    for first, second in pairs:
        difference = scores[first.lower()] - scores[second.lower()]
        t = difference[0, 0] / math.sqrt(difference.var(axis=1, ddof=1).mean())
        expected.append((difference.mean(), t, 2 * stats.t.sf(abs(t), 5)))
    np.testing.assert_allclose(tests[["difference", "t", "p"]], expected)
    np.testing.assert_allclose(tests["p_holm"], multipletests(tests["p"], method="holm")[1])


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [({"A": "a"}, "fewer than two measures"), ({"A": "a", "B": "brain"}, "'brain' .B., which")],
)
def test_feature_sets_that_cannot_be_compared_are_refused(
    sets: dict[str, str], sentence: str, rng: np.random.Generator
) -> None:
    scores = {name: rng.random((5, 2)) for name in ("a", "b")}
    with pytest.raises(GengapError, match=sentence):
        compare_feature_sets(*board(scores), sets)
