"""The corrected resampled t test by hand, Holm's correction, and groups of made-up scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests

from gengap.evaluation.comparison import COLUMNS, compare, comparisons, groups, holm


def test_corrected_t_by_hand() -> None:
    # Two repeats of two folds: differences .1, .3, .2, .2 have mean .2 and variance .02 / 3, and
    # half of the networks are held out, so the factor is 1 / 4 + 1.
    second = np.array([[0.5, 0.4], [0.1, 0.0]])
    result = compare(second + np.array([[0.1, 0.3], [0.2, 0.2]]), second, 1)
    error = np.sqrt(0.02 / 3 * 1.25)
    assert result.difference == pytest.approx(0.2)
    assert result.p == pytest.approx(2 * stats.t.sf(0.2 / error, 3))
    assert (result.low, result.high) == pytest.approx(stats.t.interval(0.95, 3, 0.2, error))
    density = stats.t(3, 0.2, error).pdf
    for region, probability in (
        ((0.02, np.inf), result.probability_better),
        ((-0.02, 0.02), result.probability_equal),
        ((-np.inf, -0.02), result.probability_worse),
    ):
        assert probability == pytest.approx(integrate.quad(density, *region)[0], abs=1e-7)


def test_p_and_interval_agree_and_order_reverses_the_sign() -> None:
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.1, 0.4, -0.7):
        first = rng.normal(size=(20, 8))
        second = first + shift + 0.5 * rng.normal(size=(20, 8))
        one, other = compare(first, second, 0.2), compare(second, first, 0.2)
        assert (one.p < 0.05) == (one.low > 0 or one.high < 0)
        assert other.difference == pytest.approx(-one.difference)
        assert other.p == pytest.approx(one.p)
        assert (other.low, other.high) == pytest.approx((-one.high, -one.low))
        assert other.probability_better == pytest.approx(one.probability_worse)


def test_equal_scores_are_no_evidence_and_constant_differences_are_certain() -> None:
    scores = np.random.default_rng(0).normal(size=(20, 8))
    assert list(compare(scores, scores * (1 + 1e-14), 0.2)) == [0, 0, 0, 1, 0, 1, 0]
    assert list(compare(scores + 0.5, scores, 0.2)[3:]) == [0, 1, 0, 0]
    assert list(compare(scores - 0.01, scores, 0.2)[3:]) == [0, 0, 1, 0]


def test_rows_of_unequal_repeats_are_compared_on_those_that_both_have() -> None:
    rng = np.random.default_rng(3)
    scores = {name: rng.normal(size=(repeats, 8)) for name, repeats in (("a", 6), ("b", 4))}
    scores["c"] = rng.normal(size=(6, 8))
    table = comparisons(scores, ["a", "b"], list("abc"), 0.2).set_index(["measure", "against"])
    for (name, other), repeats in {("c", "a"): 6, ("b", "a"): 4, ("a", "b"): 4}.items():
        by_hand = scores[name][:repeats] - scores[other][:repeats]
        assert table.loc[(name, other), "difference"] == pytest.approx(by_hand.mean())
        error = by_hand.std(ddof=1) * np.sqrt(1 / by_hand.size + 0.2)
        expected = 2 * stats.t.sf(abs(by_hand.mean()) / error, by_hand.size - 1)
        assert table.loc[(name, other), "p"] == pytest.approx(expected)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("count", [1, 2, 9, 50])
def test_holm_is_that_of_statsmodels(count: int) -> None:
    p = np.random.default_rng(count).random(count) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def noisy(mean: float, spread: float, seed: int) -> np.ndarray:
    values = spread * np.random.default_rng(seed).normal(size=(20, 8))
    return np.asarray(mean + values - values.mean())


def test_groups_are_formed_from_the_best_row_down() -> None:
    scores = {
        "best": noisy(0.8, 0.1, 1),
        "near": noisy(0.79, 0.1, 2),
        "second": noisy(0.5, 0.1, 3),
        "wild": noisy(0.45, 3.0, 4),
        "third": noisy(0.48, 0.1, 5),
        "last": noisy(0.0, 0.1, 6),
    }
    assert groups(scores, 1 / 7) == {
        "best": 1, "near": 1, "wild": 1, "second": 2, "third": 2, "last": 3,
    }  # fmt: skip
    assert groups({}, 1 / 7) == {}
    unknown = np.full((20, 8), np.nan)
    assert groups({"first": unknown, "second": unknown}, 1 / 7) == {"first": 1, "second": 2}


def test_a_difference_within_the_region_of_equivalence_separates_nothing() -> None:
    scores = {"best": noisy(0.8, 0.01, 1), "near": noisy(0.781, 0.01, 2)}
    assert compare(scores["near"], scores["best"], 1 / 7).p < 1e-3
    assert set(groups(scores, 1 / 7).values()) == {1}


def test_each_row_is_compared_with_each_other_and_holm_is_over_the_family() -> None:
    scores = {name: noisy(0.1 * rank, 0.3, rank) for rank, name in enumerate("abcde")}
    table = comparisons(scores, ["e", "a"], ["b", "c", "e"], 0.3)
    assert list(table.columns) == list(COLUMNS)
    assert list(table["against"]) == ["e"] * 4 + ["a"] * 4
    assert list(table["measure"]) == [*"abcd", *"bcde"]
    for _, test in table.iterrows():
        expected = compare(scores[test["measure"]], scores[test["against"]], 0.3)
        assert test["difference"] == expected.difference
        assert test["p"] == expected.p
    for against, family in (("e", "bc"), ("a", "bce")):
        part = table[table["against"] == against].set_index("measure")
        expected_p = multipletests(part.loc[list(family), "p"], method="holm")[1]
        np.testing.assert_allclose(part.loc[list(family), "p_holm"], expected_p)
        assert part.drop(index=list(family))["p_holm"].isna().all()
