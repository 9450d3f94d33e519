"""Tests of whether one predictor of the gap is better: Dietterich's 5x2cv test, and Holm's."""

from __future__ import annotations

import numpy as np
from scipy import stats

EQUAL_TOLERANCE = 1e-10
"""Scores that differ by less than this fraction of their size are equal up to rounding."""


def paired_t_test(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Compare two predictors' scores on the same folds by Dietterich's 5x2cv paired t test.

    With d_ij the difference of the scores in fold j of repeat i and s_i^2 = sum_j (d_ij - mean_j
    d_ij)^2, the statistic t = d_11 / sqrt(mean_i s_i^2) has approximately a t distribution. It has
    as many degrees of freedom as there are repeats (Dietterich, "Approximate statistical tests for
    comparing supervised classification learning algorithms", Neural Computation 10, 1998, section
    3.5). The score here is the held-out R2.

    Args:
        first: (repeats, 2) scores.
        second: (repeats, 2) scores.

    Returns:
        t, positive when ``first`` scored higher in the first fold, and the two-sided p. Equal
        scores give t = 0 and p = 1; a difference without any variance gives an infinite t and
        p = 0.
    """
    difference = first - second
    size = np.maximum(1.0, np.maximum(np.abs(first), np.abs(second)))
    difference = np.where(np.abs(difference) <= EQUAL_TOLERANCE * size, 0.0, difference)
    variance = np.sum((difference - difference.mean(axis=1, keepdims=True)) ** 2, axis=1).mean()
    lead = float(difference[0, 0])
    if lead == 0:
        return 0.0, 1.0
    if variance == 0:
        return float(np.copysign(np.inf, lead)), 0.0
    t = lead / float(np.sqrt(variance))
    return t, float(2 * stats.t.sf(abs(t), df=len(first)))


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust the p values of a family of tests by Holm's step-down method.

    The k-th smallest of m is multiplied by m - k + 1, then made monotone and truncated at 1 (Holm,
    "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979).

    Args:
        p: (tests,) p values.

    Returns:
        (tests,) adjusted p values.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1.0)
