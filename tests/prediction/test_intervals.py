"""CV+ against a direct loop, and the coverage of intervals on simulated networks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gengap.prediction.assessment import DRAWS, POINTS, assess, folds_of, inside
from gengap.prediction.intervals import (
    cv_plus,
    draw_half_width,
    guaranteed_level,
    highest_level,
    intervals_of,
    nested_intervals,
)
from gengap.prediction.predictors import cross_validate


def direct(centres: list[float], residuals: list[float], level: float) -> tuple[float, float]:
    """The definition: smallest numbers with enough of the others below and above."""
    n = len(residuals)
    lower = [c - r for c, r in zip(centres, residuals, strict=True)]
    upper = [c + r for c, r in zip(centres, residuals, strict=True)]
    enough = level * (n + 1) - 1e-9
    high = min((u for u in upper if sum(v <= u for v in upper) >= enough), default=math.inf)
    low = max((u for u in lower if sum(v >= u for v in lower) >= enough), default=-math.inf)
    return low, high


@pytest.mark.parametrize("count", [5, 9, 19, 20, 39, 57])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_cv_plus_is_its_definition(count: int, level: float) -> None:
    rng = np.random.default_rng(count)
    centres, residuals = rng.normal(size=(3, count)), np.abs(rng.normal(size=count))
    low, high = cv_plus(centres, residuals, level)
    for row in range(3):
        expected = direct(list(centres[row]), list(residuals), level)
        assert (low[row], high[row]) == pytest.approx(expected)


def test_nine_networks_are_the_fewest_for_nine_tenths() -> None:
    assert highest_level(9) == pytest.approx(0.9)
    finite = cv_plus(np.zeros((1, 9)), np.arange(9.0))
    assert finite[0][0] == -8.0
    assert finite[1][0] == 8.0
    infinite = cv_plus(np.zeros((1, 8)), np.arange(8.0))
    assert infinite[0][0] == -math.inf
    assert infinite[1][0] == math.inf


def test_the_guarantee_is_that_of_the_theorem() -> None:
    # Folds of one network: the jackknife+, 1 - 2 a without an excess.
    assert guaranteed_level(50, 50) == pytest.approx(0.8)
    # Worked by hand: min(2 (1 - 1/5) / (100/5 + 1), (1 - 5/100) / 6) = min(.0762, .158).
    assert guaranteed_level(100, 5) == pytest.approx(0.8 - 1.6 / 21)


def simulated(rng: np.random.Generator, count: int, folds: int) -> tuple[np.ndarray, ...]:
    """Exchangeable networks: values, gaps and folds."""
    values = rng.normal(size=(count, 6))
    gaps = 0.1 + 0.02 * values[:, 0] + 0.01 * np.abs(values[:, 1]) + 0.02 * rng.normal(size=count)
    return values, gaps, np.arange(count) % folds


def test_intervals_of_exchangeable_networks_cover_what_they_say() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(25):
        validation = cross_validate(*simulated(rng, 40, 5))
        low, high = nested_intervals(validation, None)
        held.append(inside(validation.gaps, low, high))
    # Networks of one simulation are nearly independent; four standard errors.
    assert np.mean(held) == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / np.size(held)))


def test_nested_intervals_do_not_see_the_fold() -> None:
    values, gaps, folds = simulated(np.random.default_rng(1), 40, 5)
    low, high = nested_intervals(cross_validate(values, gaps, folds), None)
    changed = np.where(folds == 2, 7.0, gaps)
    other_low, other_high = nested_intervals(cross_validate(values, changed, folds), None)
    np.testing.assert_allclose(other_low[folds == 2], low[folds == 2])
    np.testing.assert_allclose(other_high[folds == 2], high[folds == 2])


def test_an_assessment_counts_what_its_networks_say() -> None:
    values, gaps, folds = simulated(np.random.default_rng(2), 60, 3)
    grid = pd.DataFrame({"level": np.arange(60) // 3 % 2})
    assessment, shifts = assess(values, gaps, folds, grid, None)
    validation = cross_validate(values, gaps, folds)
    nested = validation.nested()
    assert assessment.r2 == pytest.approx(1 - np.mean((nested - gaps) ** 2) / gaps.var())
    assert assessment.beats_mean
    assert [(shift.hyper_parameter, shift.level) for shift in shifts] == [
        ("level", "0"),
        ("level", "1"),
    ]
    # Levels do not matter here, so left-out ones are neither far nor badly covered.
    assert assessment.shifted_networks == sum(int(shift.near.sum()) for shift in shifts)
    assert assessment.shifted_networks > 40
    assert assessment.shifted_coverage == pytest.approx(0.9, abs=0.12)
    assert assessment.declined < 0.2
    for shift in shifts:
        assert not np.any(shift.near & shift.known)


def test_noise_does_not_beat_the_mean() -> None:
    beaten = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values, gaps = rng.normal(size=(30, 8)), rng.normal(size=30)
        grid = pd.DataFrame({"level": np.zeros(30)})
        beaten.append(assess(values, gaps, np.arange(30) % 3, grid, None)[0].beats_mean)
    assert np.mean(beaten) <= 0.2


def test_folds_are_draws_where_there_are_three_and_grid_points_elsewhere() -> None:
    grid = pd.DataFrame({"width": np.repeat(np.arange(12), 4)})
    draws = np.arange(48) % 4 * 10
    np.testing.assert_array_equal(folds_of(draws, grid, np.random.default_rng(0)), draws // 10)
    folds = folds_of(draws % 20, grid, np.random.default_rng(0))
    # Replicates share a fold, and folds are balanced.
    assert all(len(set(folds[grid["width"] == width])) == 1 for width in range(12))
    assert sorted(np.bincount(folds)) == [4, 4, 4, 4, 8, 8, 8, 8]
    alone = pd.DataFrame({"width": np.zeros(24)})
    assert len(set(folds_of(np.zeros(24), alone, np.random.default_rng(0)))) == 8
    assert POINTS != DRAWS


def test_the_half_width_is_the_quantile_of_both_errors() -> None:
    rng = np.random.default_rng(3)
    draws = np.repeat([4, 7, 9], 10)
    errors = rng.normal(size=30) + np.repeat([1.0, -2.0, 0.5], 10)
    means = np.array([errors[draws == draw].mean() for draw in (4, 7, 9)])
    own = errors - np.repeat(means, 10)
    # s^2 by another way: v = mean e_d^2 (D - 1) / D, times 1 + 1 / D.
    of_draw = np.mean(means**2) * (2 / 3) * (4 / 3)
    sampled = rng.choice(own, 400_000) + math.sqrt(of_draw) * rng.normal(size=400_000)
    # Welch's degrees of freedom of a sum of two mean squares, here with 2 and 27 of their own.
    of_network = np.sum(own**2) / 27
    freedom = (of_draw + of_network) ** 2 / (of_draw**2 / 2 + of_network**2 / 27)
    ratio = stats.t.ppf(0.95, freedom) / stats.norm.ppf(0.95)
    half = draw_half_width(errors, draws)
    assert half == pytest.approx(ratio * np.quantile(np.abs(sampled), 0.9), rel=0.02)
    # Draws without an error of their own leave the quantile of the networks' errors.
    alike = np.tile([-2.0, -1.0, 1.0, 2.0], 2)
    assert draw_half_width(alike, np.repeat([0, 1], 4)) == 2.0
    # Networks without errors of their own leave Student's t with a degree less than draws.
    level = np.repeat([1.0, -2.0, 0.5, 1.5], 3)
    scale = math.sqrt(np.mean(level**2) * (3 / 4) * (5 / 4))
    expected = scale * stats.t.ppf(0.95, 3)
    assert draw_half_width(level, np.repeat(np.arange(4), 3)) == pytest.approx(expected, rel=1e-4)


def covered(draws: int, spread: float, rng: np.random.Generator, count: int = 12) -> float:
    """Share of networks of another draw in intervals around the mean gap."""
    labels = np.repeat(np.arange(draws), count)
    gaps = spread * rng.normal(size=draws)[labels] + rng.normal(size=labels.size)
    without = np.array([gaps[labels != draw].mean() for draw in range(draws)])[labels]
    new = spread * rng.normal() + rng.normal(size=count)
    centres, predictions = np.tile(without, (1, 1)), np.array([gaps.mean()])
    low, high = intervals_of(centres, predictions, gaps - without, labels)
    return float(np.mean((low <= new) & (new <= high)))


@pytest.mark.parametrize("draws", [2, 3, 5, 8])
@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_intervals_cover_networks_of_another_draw(draws: int, spread: float) -> None:
    rng = np.random.default_rng([draws, int(spread)])
    shares = [covered(draws, spread, rng) for _ in range(150)]
    error = np.std(shares) / math.sqrt(len(shares))
    # Two draws leave one degree of freedom, for which Satterthwaite's approximation is too narrow.
    assert np.mean(shares) > (0.85 if draws == 2 else 0.88) - 2 * error
    assert np.mean(shares) < 0.93 + 2 * error


def test_plain_cv_plus_misses_networks_of_another_draw() -> None:
    rng = np.random.default_rng(5)
    held = []
    for _ in range(150):
        gaps = 3.0 * np.repeat(rng.normal(size=3), 12) + rng.normal(size=36)
        labels = np.repeat(np.arange(3), 12)
        without = np.array([gaps[labels != draw].mean() for draw in range(3)])[labels]
        low, high = cv_plus(without[None], np.abs(gaps - without))
        new = 3.0 * rng.normal() + rng.normal(size=12)
        held.append(np.mean((low <= new) & (new <= high)))
    assert np.mean(held) < 0.86
