"""Verdicts: the rule, its false rates by simulation, and what several claims are together."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from gengap.names import VERDICTS
from gengap.studies.claims import (
    LEVEL,
    NEGATIVE,
    POSITIVE,
    Bound,
    Claim,
    Verdict,
    corrected,
    judge,
    word_after_correction,
)
from gengap.studies.estimates import Estimate, Kind

RISING = Estimate([1.0, 1.1, 1.2, 1.1, 1.0])
FALLING = Estimate([-1.0, -1.1, -1.2, -1.1, -1.0])
WIDE = Estimate([-1.0, 0.3, 1.0, 0.6, -0.5])


@pytest.mark.parametrize(
    ("estimates", "verdict"),
    [
        ([RISING], "agrees"),
        ([FALLING], "disagrees"),
        ([WIDE], "undecided"),
        ([RISING, RISING], "agrees"),
        ([FALLING, FALLING], "disagrees"),
        ([RISING, FALLING], "mixed"),
        # One part on the wrong side is no disagreement of the whole.
        ([WIDE, FALLING], "undecided"),
        ([WIDE, RISING], "undecided"),
        ([RISING, FALLING, WIDE], "mixed"),
        ([Estimate([0.0, 0.0, 0.0])], "none seen"),
        ([Estimate([0.0, 0.0, 0.1])], "undecided"),
        ([Estimate([0.0]), RISING], "undecided"),
        ([Estimate([1.0, math.nan, 1.1])], "undecided"),
        ([Estimate([1.0])], "undecided"),
        ([Estimate([1.0] * 6)], "undecided"),
        ([Estimate([1.0] * 7)], "agrees"),
        ([], "undecided"),
    ],
)
def test_all_parts_decide_by_one_rule(estimates: list[Estimate], verdict: str) -> None:
    parts = {str(place): estimate for place, estimate in enumerate(estimates)}
    assert judge(parts, dict.fromkeys(parts, POSITIVE)).word == verdict
    # The rule has two sides: with all signs turned, so are the verdicts.
    turned = {
        name: Estimate([-number for number in estimate.values]) for name, estimate in parts.items()
    }
    assert judge(turned, dict.fromkeys(parts, NEGATIVE)).word == verdict


def test_a_mixed_verdict_names_its_parts() -> None:
    verdict = judge({"up": RISING, "down": FALLING}, {"up": POSITIVE, "down": POSITIVE})
    assert verdict.explained == "mixed (for: up; against: down)"
    assert verdict.p < 0.01


def test_a_count_of_zero_seeds_is_none_seen_until_it_decides() -> None:
    half = {"shown": Bound(0.5)}
    assert judge({"shown": Estimate([0.0] * 6, Kind.SEEDS)}, half).word == "none seen"
    assert judge({"shown": Estimate([0.0] * 7, Kind.SEEDS)}, half).word == "disagrees"
    # With nothing lost a tolerance is kept: that is no count.
    assert judge({"gain": Estimate([0.0] * 3)}, {"gain": Bound(-0.02)}).word == "undecided"


@pytest.mark.parametrize("accuracy", [[0.01, -0.1, 0.05, 0.02], [0.1, 0.11, 0.1, 0.12], [0.0] * 4])
def test_without_its_premise_a_claim_says_nothing(accuracy: list[float]) -> None:
    estimates = {"measure": RISING, "accuracy": Estimate(accuracy)}
    verdict = judge(estimates, {"measure": POSITIVE}, {"accuracy": NEGATIVE})
    assert verdict == Verdict("premise fails", "premise fails: accuracy", verdict.p)
    worse = {**estimates, "accuracy": Estimate([-0.1, -0.11, -0.1, -0.12])}
    assert judge(worse, {"measure": POSITIVE}, {"accuracy": NEGATIVE}).word == "agrees"
    # One seed shows no premise, and refutes none.
    alone = {name: Estimate(estimate.values[:1]) for name, estimate in estimates.items()}
    assert judge(alone, {"measure": POSITIVE}, {"accuracy": NEGATIVE}).word == "undecided"


def test_a_verdict_that_rests_on_one_seed_is_undecided() -> None:
    fragile = Estimate([1.0, 1.1, 2.0, 0.9])
    assert POSITIVE.shown(fragile)
    verdict = judge({"a": fragile}, {"a": POSITIVE})
    assert verdict.word == "undecided"
    assert "agrees, but not if one seed is left out" in verdict.explained
    assert verdict.seeds is not None
    assert verdict.seeds > 4


def test_a_premise_that_rests_on_one_seed_leaves_the_claim_undecided() -> None:
    estimates = {"measure": RISING, "accuracy": Estimate([-1.0, -1.1, -2.0, -0.9])}
    verdict = judge(estimates, {"measure": POSITIVE}, {"accuracy": NEGATIVE})
    assert verdict.word == "undecided"


def test_the_number_of_seeds_that_would_decide_is_that_of_the_widest_part() -> None:
    narrow, wide = Estimate([1.0, 0.5, 2.0, -0.2]), Estimate([1.0, 0.2, 2.0, -0.8])
    verdict = judge({"a": narrow, "b": wide}, {"a": POSITIVE, "b": POSITIVE})
    assert verdict.seeds == wide.seeds_needed(0.0, LEVEL)
    assert f"seeds that would decide: {verdict.seeds}" in verdict.explained
    # Parts that point to different sides decide by wider intervals.
    opposed = Estimate([-value for value in narrow.values])
    split = judge({"a": wide, "b": opposed}, {"a": POSITIVE, "b": POSITIVE})
    assert split.seeds == wide.seeds_needed(0.0, LEVEL / 2)
    none = judge({"a": Estimate([1.0, -1.0, 0.0])}, {"a": POSITIVE})
    assert none.explained == "undecided (seeds that would decide: unknown, or too many)"


def test_either_side_may_be_asked_for() -> None:
    apart = Bound(side="apart")
    both = {"a": RISING, "b": FALLING}
    assert judge(both, dict.fromkeys(both, apart)).word == "agrees"
    # That there is no correlation is never shown.
    around = {"a": RISING, "b": Estimate([1e-9, -1e-9, 0.0, 1e-9])}
    assert judge(around, dict.fromkeys(around, apart)).word == "undecided"


def test_a_claim_takes_one_bound_for_all_parts_or_some() -> None:
    estimates = {"a": RISING, "b": FALLING, "premise": RISING}
    every = Claim("", "", "", estimates, premises={"premise": POSITIVE})
    assert list(every.parts) == ["a", "b"]
    assert every.verdict.word == "mixed"
    named = Claim("", "", "", estimates, {"a": Bound(0.5), "b": NEGATIVE})
    assert named.verdict.word == "agrees"
    assert str(Bound(0.5)) == "> 0.5"
    assert str(NEGATIVE) == "< 0"


Draws = NDArray[np.float64]


def rates(draws: Draws) -> Counter[str]:
    """How often each verdict is reached on draws (repetitions, seeds, parts); bounds are at 0."""
    bounds = {str(part): POSITIVE for part in range(draws.shape[2])}
    return Counter(
        judge({name: Estimate(draw[:, int(name)].tolist()) for name in bounds}, bounds).word
        for draw in draws
    )


@pytest.mark.slow
def test_no_verdict_is_reached_too_often_where_nothing_is_true() -> None:
    """Six parts, each at its bound: one interval of six is wrong in 14% of repetitions."""
    repetitions = 400
    draws = np.random.default_rng(1).standard_normal((repetitions, 6, 6))
    one_of_six = np.mean(
        [
            any(NEGATIVE.shown(Estimate(draw[:, part].tolist())) for part in range(6))
            for draw in draws
        ]
    )
    assert one_of_six == pytest.approx(1 - 0.975**6, abs=0.05)
    found = rates(draws)
    assert found["agrees"] == found["disagrees"] == 0
    assert found["mixed"] <= 0.025 * repetitions


@pytest.mark.slow
def test_a_single_part_is_wrong_in_at_most_two_and_a_half_percent_of_repetitions() -> None:
    repetitions = 1500
    found = rates(np.random.default_rng(2).standard_normal((repetitions, 6, 1)))
    # Leaving seeds out makes it rarer than 2.5%; three standard errors of that are 1.2%.
    for word in ("agrees", "disagrees"):
        assert 0 < found[word] <= (0.025 + 0.012) * repetitions


@pytest.mark.parametrize(("effect", "seeds", "least"), [(2.0, 6, 0.8), (1.0, 12, 0.75)])
def test_an_effect_is_decided_by_enough_seeds(effect: float, seeds: int, least: float) -> None:
    repetitions = 300
    draws = effect + np.random.default_rng(3).standard_normal((repetitions, seeds, 1))
    assert rates(draws)["agrees"] > least * repetitions
    assert rates(-draws)["disagrees"] > least * repetitions


def test_claims_are_corrected_together_as_by_statsmodels() -> None:
    p = [0.001, 0.04, 0.03, 0.9, 0.012, 0.04]
    verdicts = [Verdict("agrees", "agrees", value) for value in p]
    expected = multipletests(p, method="holm")[1]
    assert corrected(verdicts) == pytest.approx(expected)
    assert corrected([]) == []
    assert word_after_correction(verdicts[0], 0.006) == "agrees"
    assert word_after_correction(verdicts[0], 0.051) == "undecided"
    none = Verdict("none seen", "none seen", 1.0)
    assert word_after_correction(none, 1.0) == "none seen"
    assert all(verdict.word in VERDICTS for verdict in [*verdicts, none])
