"""Claims: intervals, verdicts, estimates by seed and group, table and page."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gengap.studies.claims import (
    Bound,
    Claim,
    all_hold,
    by_group,
    by_seed,
    claims_page,
    claims_table,
    difference,
    exceeds,
    format_interval,
    interval,
    listed,
    log_ratio,
    rank_correlation,
    verdict,
)
from gengap.studies.outcomes import Run

RISING, FALLING, WIDE = [1.0, 1.1, 1.2], [-1.0, -1.1, -1.2], [-1.0, 0.1, 1.0]
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


def test_intervals_as_text() -> None:
    assert format_interval([]) == "unknown"
    assert format_interval([1.0, 2.0, 3.0]) == "2 (-0.484 to 4.48)"
    assert format_interval([math.nan]) == "unknown"
    assert format_interval([math.nan, 1.0, 2.0]) == "unknown in 1 of 3 seeds"
    estimates = {"loss": [1.0, 1.0], "error": [2.0]}
    assert listed(estimates) == "loss 1 (all 2 equal), error 2 (one seed)"
    form = listed(estimates, form="{interval} for {name}", separator="; ")
    assert form == "1 (all 2 equal) for loss; 2 (one seed) for error"


@pytest.mark.parametrize(
    ("values", "limit", "above", "below"),
    [
        (RISING, 0.0, True, False),
        (FALLING, 0.0, False, True),
        (WIDE, 0.0, None, None),
        (RISING, 2.0, False, True),
        (RISING, 1.1, None, None),
        ([1.0], 0.0, None, None),
        ([1.0] * 5, 0.0, None, None),
        ([1.0] * 6, 0.0, True, False),
        ([1.0] * 6, 1.0, None, None),
        ([], 0.0, None, None),
    ],
)
def test_a_bound_has_two_sides(
    values: list[float], limit: float, above: bool | None, below: bool | None
) -> None:
    assert exceeds(values, limit) is above
    assert Bound(limit).holds(values) is above
    assert Bound(limit, above=False).holds(values) is below


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([True, True], True),
        ([True, None], None),
        ([None, False], False),
        ([True, False], False),
        ([], True),
    ],
)
def test_a_claim_of_several_parts_holds_if_all_do(
    verdicts: list[bool | None], expected: bool | None
) -> None:
    assert all_hold(*verdicts) is expected


def test_the_estimates_with_bounds_decide() -> None:
    estimates = {"rises": RISING, "falls": FALLING, "wide": WIDE}
    assert verdict(estimates) is False
    assert verdict(estimates, {"rises": Bound()}) is True
    assert verdict(estimates, {"rises": Bound(), "falls": Bound(0.0, above=False)}) is True
    assert verdict(estimates, {"rises": Bound(), "wide": Bound()}) is None
    assert verdict(estimates, Bound(-2.0)) is None
    claim = Claim.judged("Rises", "It rises.", "It does.", estimates, {"rises": Bound(0.5)})
    assert (claim.holds, claim.estimates) == (True, estimates)
    assert Claim.judged("Rises", "", "", {"rises": RISING, "falls": FALLING}).holds is False


def test_runs_of_a_seed_are_averaged_in_the_order_of_the_seeds() -> None:
    several = runs((1, 1.0), (0, 2.0), (1, 4.0), (0, 8.0))
    assert by_seed(several, value) == [5.0, 2.5]
    assert difference(several, lambda run: 3 * run.result, value) == [10.0, 5.0]
    ratios = log_ratio(several, lambda run: 100 * run.result, value)
    assert ratios == pytest.approx([2.0, 2.0])
    assert log_ratio(runs((0, 1.0)), value, lambda run: 0.0)[0] > 300
    groups = {"even": several[1::2], "odd": several[::2]}
    assert by_group(groups, value) == {"even": [2.0, 8.0], "odd": [1.0, 4.0]}


def test_the_rank_correlation_of_few_or_equal_values_is_unknown() -> None:
    assert rank_correlation(np.array([1.0, 2, 9]), np.array([4.0, 5, 6])) == pytest.approx(1)
    first, second = np.random.default_rng(0).random((2, 9))
    ranks = np.argsort(np.argsort([first, second], axis=1), axis=1)
    assert rank_correlation(first, second) == pytest.approx(np.asarray(np.corrcoef(ranks))[0, 1])
    assert math.isnan(rank_correlation(np.ones(3), np.arange(3.0)))
    assert math.isnan(rank_correlation(np.arange(3.0), np.ones(3)))
    assert math.isnan(rank_correlation(np.arange(2.0), np.arange(2.0)))


def test_claims_as_table_and_page() -> None:
    claims = [
        Claim("Rises", "It rises.", "It fell.", False, {"slope": [-1.0, -2.0, -3.0]}),
        Claim("Wide", "It is wide.", "Nobody knows.", None, {"a": [1.0, 2.0], "b": [0.0, 0.0]}),
    ]
    table = claims_table(claims)
    assert list(table["verdict"]) == ["disagrees", "undecided", "undecided"]
    assert list(table["estimate"]) == ["slope", "a", "b"]
    assert list(table["seeds"]) == [3, 2, 2]
    assert list(table["mean"]) == [-2.0, 1.5, 0.0]
    page = claims_page("study", "small", claims, ["intro"])
    assert "| b | 2 | 0 | all 2 equal |" in page
    assert "nan" not in claims_page("s", "t", [Claim("", "", "", None, {"a": [math.nan]})])
    assert page.endswith("No claim of the paper is judged by these experiments: `intro`.\n")
    assert page.count("## ") == 2
    assert "| slope | 3 | -2 | -4.48 to 0.484 |" in page
    assert "snakemake study --config setting=small" in page
