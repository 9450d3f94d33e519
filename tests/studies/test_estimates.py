"""Estimates of one number per seed: intervals by kind, tests, and seeds that would decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from gengap.studies.estimates import (
    Estimate,
    Kind,
    by_group,
    by_seed,
    difference,
    format_interval,
    interval,
    log_ratio,
    of_kind,
    rank_correlation,
)
from gengap.studies.outcomes import Run

NumberRun = Run[None, float]


def runs(*results: tuple[int, float]) -> list[NumberRun]:
    return [Run(seed, None, result) for seed, result in results]


def value(run: NumberRun) -> float:
    return run.result


def test_the_interval_is_scipys() -> None:
    values = [0.2, 0.5, 0.4, 0.9]
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    mean, low, high = interval(values)
    assert mean == pytest.approx(0.5)
    assert (low, high) == pytest.approx(expected)
    assert interval([1.0]) == (1.0, -math.inf, math.inf)
    assert interval([0.1, 0.1, 0.1]) == (0.1, -math.inf, math.inf)
    assert all(map(math.isnan, interval([1.0, math.nan])))
    assert all(map(math.isnan, interval([])))


@pytest.mark.parametrize("kind", [Kind.SHARE, Kind.DIFFERENCE])
def test_intervals_of_shares_are_cut_at_their_bounds(kind: Kind) -> None:
    values = [0.9, 1.0, 0.97, 0.85]
    mean, low, high = Estimate(values, kind).interval()
    _, plain_low, plain_high = interval(values)
    assert plain_high > 1
    assert mean == pytest.approx(0.93)
    assert (low, high) == (plain_low, 1.0)
    least = {Kind.SHARE: 0.0, Kind.DIFFERENCE: -1.0}[kind]
    assert Estimate([1.0, 0.0, 0.01], kind).interval().low == max(least, interval([1, 0, 0.01]).low)


def test_intervals_of_correlations_are_those_of_fishers_z() -> None:
    values = np.array([0.7, 0.9, 0.95, 0.6])
    scores = 0.5 * np.log((1 + 0.99 * values) / (1 - 0.99 * values))
    ends = stats.t.interval(0.95, 3, loc=scores.mean(), scale=stats.sem(scores))
    expected = (np.exp(2 * np.array([scores.mean(), *ends])) - 1) / (
        (np.exp(2 * np.array([scores.mean(), *ends])) + 1) * 0.99
    )
    np.testing.assert_allclose(
        Estimate(values.tolist(), Kind.CORRELATION).interval(), np.minimum(expected, 1)
    )
    # Correlations of 1 have an interval that stays inside [-1, 1] and does not hold 0.
    _, low, high = Estimate([1.0, 0.9, 0.95], Kind.CORRELATION).interval()
    assert 0.3 < low < 0.9 < high <= 1


@pytest.mark.parametrize(("shown", "seeds"), [(0, 6), (6, 6), (3, 7), (1, 1)])
def test_intervals_of_numbers_of_seeds_are_exact(shown: int, seeds: int) -> None:
    estimate = Estimate([1.0] * shown + [0.0] * (seeds - shown), Kind.SEEDS)
    expected = proportion_confint(shown, seeds, method="beta")
    assert estimate.interval()[1:] == pytest.approx(expected)


def test_the_evidence_is_that_of_one_sided_tests() -> None:
    values = [0.2, 0.5, 0.4, 0.9]
    for limit in (0.0, 0.4, 2.0):
        above, below = Estimate(values).evidence(limit)
        assert above == pytest.approx(
            stats.ttest_1samp(values, limit, alternative="greater").pvalue
        )
        assert above + below == pytest.approx(1)
    above, below = Estimate([1.0, 1, 1, 1, 0, 1], Kind.SEEDS).evidence(0.5)
    assert above == pytest.approx(stats.binom.sf(4, 6, 0.5))
    assert below == pytest.approx(stats.binom.cdf(5, 6, 0.5))
    # By the sign test.
    assert Estimate([1.0] * 6).evidence(0.0) == (1 / 64, 1.0)
    assert Estimate([1.0] * 6).evidence(2.0) == (1.0, 1 / 64)
    assert Estimate([1.0] * 6).evidence(1.0) == (1.0, 1.0)
    for unknown in ([], [1.0], [1.0, math.nan, 2.0]):
        assert Estimate(unknown).evidence(0.0) == (1.0, 1.0)


@pytest.mark.parametrize("kind", list(Kind))
def test_interval_and_evidence_decide_alike(kind: Kind) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = rng.uniform(0.2, 0.95, 5)
        if kind is Kind.SEEDS:
            values = np.r_[values.round()[:3], 0.0, 1.0]
        estimate = Estimate(values.tolist(), kind)
        _, low, high = estimate.interval()
        for limit in (0.3, 0.5, 0.7):
            above, below = estimate.evidence(limit)
            assert (above < 0.025) == (low > limit)
            assert (below < 0.025) == (high < limit)


def test_the_seeds_that_would_decide_have_the_observed_mean_and_spread() -> None:
    effect = np.array([1.0, 2.0, 0.5, -0.5])
    seeds = Estimate(effect.tolist()).seeds_needed(0.0, 0.025)
    d = effect.mean() / effect.std(ddof=1)
    assert seeds is not None
    # One may be left out: one fewer decides, two fewer do not.
    assert stats.t.sf(d * math.sqrt(seeds - 1), seeds - 2) <= 0.025
    assert stats.t.sf(d * math.sqrt(seeds - 2), seeds - 3) > 0.025
    assert Estimate((-effect).tolist()).seeds_needed(0.0, 0.025) == seeds
    assert Estimate([1.0, 1.0]).seeds_needed(0.0, 0.025) == 7
    assert Estimate([1.0, 1.0]).seeds_needed(1.0, 0.025) is None
    assert Estimate([1.0, -1.0]).seeds_needed(0.0, 0.025) is None
    assert Estimate([1.0]).seeds_needed(0.0, 0.025) is None
    # 6 of 6 decide against one half (0.5^6 = 0.016), 5 of 5 do not (0.031).
    assert Estimate([1.0, 1.0], Kind.SEEDS).seeds_needed(0.5, 0.025) == 7
    assert Estimate([0.0, 0.0], Kind.SEEDS).seeds_needed(0.5, 0.025) == 7


@pytest.mark.parametrize("seeds", range(3, 12))
def test_counts_of_seeds_decide_at_the_number_that_is_given_and_with_one_fewer(seeds: int) -> None:
    """Shares are rounded to whole seeds, so that 10 of 13 may not decide where 9 of 11 do."""
    for shown in range(seeds + 1):
        observed = Estimate([1.0] * shown + [0.0] * (seeds - shown), Kind.SEEDS)
        needed = observed.seeds_needed(0.5, 0.025)
        if needed is None:
            continue
        for count in needed, needed - 1:
            times = round(shown / seeds * count)
            assert stats.binomtest(times, count, 0.5).pvalue <= 0.05


def test_intervals_as_text() -> None:
    assert format_interval(Estimate([])) == "unknown"
    assert format_interval(Estimate([1.0, 2.0, 3.0])) == "2 (-0.484 to 4.48)"
    assert format_interval(Estimate([math.nan])) == "unknown"
    assert format_interval(Estimate([math.nan, 1.0, 2.0])) == "unknown in 1 of 3 seeds"
    assert format_interval(Estimate([1.0, 1.0])) == "1 (all 2 equal)"
    assert format_interval(Estimate([2.0])) == "2 (one seed)"
    assert format_interval(Estimate([2.0]), "network") == "2 (one network)"
    assert format_interval(Estimate([math.nan, 1.0]), "network") == "unknown in 1 of 2 networks"


def test_runs_of_a_seed_are_averaged_in_the_order_of_the_seeds() -> None:
    several = runs((1, 1.0), (0, 2.0), (1, 4.0), (0, 8.0))
    assert by_seed(several, value, Kind.SHARE) == Estimate([5.0, 2.5], Kind.SHARE)
    assert difference(several, lambda run: 3 * run.result, value).values == [10.0, 5.0]
    ratios = log_ratio(several, lambda run: 100 * run.result, value)
    assert ratios.values == pytest.approx([2.0, 2.0])
    assert log_ratio(runs((0, 1.0)), value, lambda run: 0.0).values[0] > 300
    groups = {"even": several[1::2], "odd": several[::2]}
    assert by_group(groups, value) == of_kind({"even": [2.0, 8.0], "odd": [1.0, 4.0]}, Kind.MEAN)


def test_the_rank_correlation_of_few_or_equal_values_is_unknown() -> None:
    assert rank_correlation(np.array([1.0, 2, 9]), np.array([4.0, 5, 6])) == pytest.approx(1)
    first, second = np.random.default_rng(0).random((2, 9))
    ranks = np.argsort(np.argsort([first, second], axis=1), axis=1)
    assert rank_correlation(first, second) == pytest.approx(np.asarray(np.corrcoef(ranks))[0, 1])
    assert math.isnan(rank_correlation(np.ones(3), np.arange(3.0)))
    assert math.isnan(rank_correlation(np.arange(3.0), np.ones(3)))
    assert math.isnan(rank_correlation(np.arange(2.0), np.arange(2.0)))
