"""Intervals of the gap of one new network, and how often they hold networks that were left out."""

from __future__ import annotations

import math

import numpy as np

from gengap.prediction.predictors import CrossValidation

LEVEL = 0.9
"""Nominal coverage of the intervals."""


def cv_plus(
    centres: np.ndarray, residuals: np.ndarray, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Return the CV+ interval of new networks; with folds of one network it is the jackknife+.

    The lower end is the floor((1 - level)(n + 1))-th smallest of the n numbers mu_i - R_i, and the
    upper end the ceil(level (n + 1))-th smallest of mu_i + R_i, where mu_i is the prediction
    without the fold of network i, and R_i the size of that network's own error in it (Barber,
    Candes, Ramdas and Tibshirani, "Predictive inference with the jackknife+", Annals of Statistics
    49, 2021).

    Args:
        centres: (new networks, n) mu_i.
        residuals: (n,) R_i, not negative.
        level: nominal coverage.

    Returns:
        Lower and upper ends, (new networks,) each; infinite where n networks cannot support the
        level (:func:`highest_level`).
    """
    count = len(residuals)
    # A little less and more, since .1 x 20 is not 2 in floating-point numbers.
    low = math.floor((1 - level) * (count + 1) + 1e-9)
    high = math.ceil(level * (count + 1) - 1e-9)
    lower = np.sort(centres - residuals, axis=1)
    upper = np.sort(centres + residuals, axis=1)
    infinite = np.full(len(centres), np.inf)
    return (
        lower[:, low - 1] if low >= 1 else -infinite,
        upper[:, high - 1] if high <= count else infinite,
    )


def highest_level(networks: int) -> float:
    """Return the highest level below 1 at which intervals from n networks are finite."""
    return networks / (networks + 1)


def guaranteed_level(networks: int, folds: int, level: float = LEVEL) -> float:
    """Return the coverage that exchangeable networks have whatever the predictor is.

    1 - 2 a - min(2 (1 - 1/K) / (n/K + 1), (1 - K/n) / (K + 1)) for n networks, K folds of equal
    size and level 1 - a (Barber et al. 2021, theorem 4). In practice it is close to 1 - a.
    """
    excess = min(2 * (1 - 1 / folds) / (networks / folds + 1), (1 - folds / networks) / (folds + 1))
    return max(0.0, 1 - 2 * (1 - level) - excess)


def nested_intervals(
    validation: CrossValidation, best: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of each network that the known networks of other folds make.

    Args:
        validation: predictions without one and two folds.
        best: the candidate; None for the one that these networks choose.

    Returns:
        Lower and upper ends, (networks,) each.
    """
    low, high = np.zeros(len(validation.gaps)), np.zeros(len(validation.gaps))
    for outer in range(validation.count):
        inner, test = validation.inner(outer), validation.folds == outer
        candidate = validation.best(outer) if best is None else best
        residuals = np.abs(validation.left_out(outer)[candidate] - validation.gaps)[inner]
        table = validation.predictions[outer, :, candidate]
        low[test], high[test] = cv_plus(table[validation.folds[inner]][:, test].T, residuals)
    return low, high
