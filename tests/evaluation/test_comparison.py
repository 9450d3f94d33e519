"""Dietterich's test against a naive formula and a hand-worked case; Holm against statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from gengap.evaluation.comparison import holm, paired_t_test


def naive(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The formula of the paper with loops."""
    lead, variances = None, 0.0
    for i in range(5):
        p1, p2 = first[i][0] - second[i][0], first[i][1] - second[i][1]
        lead = p1 if lead is None else lead
        mean = (p1 + p2) / 2.0
        variances += (p1 - mean) ** 2 + (p2 - mean) ** 2
    assert lead is not None
    t = lead / math.sqrt(variances / 5.0)
    return t, 2 * (1 - stats.t.cdf(abs(t), 5))


def test_paired_t_test_follows_the_paper() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.random((5, 2)), rng.random((5, 2))
        t, p = paired_t_test(first, second)
        assert (t, p) == pytest.approx(naive(first, second), rel=1e-9)
        assert paired_t_test(second, first) == pytest.approx((-t, p))


def test_paired_t_test_by_hand() -> None:
    # Differences (0.3, 0.1), then (0.2, 0.2): s^2 = 0.02, 0, 0, 0, 0 and t = 0.3 / sqrt(0.004).
    first = np.array([[0.8, 0.6], *[[0.7, 0.7]] * 4])
    t, p = paired_t_test(first, np.full((5, 2), 0.5))
    assert t == pytest.approx(0.3 / math.sqrt(0.004))
    # The two-sided 1 % point of t with 5 degrees of freedom is 4.0321.
    assert t == pytest.approx(4.7434, abs=1e-4)
    assert 0.005 < p < 0.01


def test_equal_scores_are_no_evidence_and_constant_leads_are_certain() -> None:
    scores = np.random.default_rng(1).random((5, 2)) * 1e4
    assert paired_t_test(scores, scores) == (0.0, 1.0)
    assert paired_t_test(scores, scores * (1 + 1e-14)) == (0.0, 1.0)
    halves = np.full((5, 2), 0.5)
    assert paired_t_test(halves, halves - 0.25) == (math.inf, 0.0)
    assert paired_t_test(halves, halves + 0.25) == (-math.inf, 0.0)


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.4 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.4.
    adjusted = holm(np.array([0.03, 0.4, 0.01, 0.02]))
    np.testing.assert_allclose(adjusted, [0.06, 0.4, 0.04, 0.06])
    # 0.02 times 2 exceeds 0.03 times 1: the larger p may not end up smaller.
    np.testing.assert_allclose(holm(np.array([0.03, 0.02])), [0.04, 0.04])
    np.testing.assert_array_equal(holm(np.array([0.9, 0.8])), [1.0, 1.0])


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_holm_is_that_of_statsmodels(count: int) -> None:
    p = np.random.default_rng(count).random(count) ** 3
    expected = multipletests(p, method="holm")[1] if count else p
    np.testing.assert_allclose(holm(p), expected)
