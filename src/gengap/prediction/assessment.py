"""What a reference can do: its errors, and its coverage for networks of its kind and of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from gengap.evaluation.designs import grid_points, level_indices, levels
from gengap.evaluation.folds import balanced_partition, indicator_columns
from gengap.evaluation.regression import pooled_r2
from gengap.prediction.intervals import (
    guaranteed_level,
    highest_level,
    intervals_of,
    nested_intervals,
)
from gengap.prediction.predictors import CANDIDATES, cross_validate

LEAST_DRAWS = 3
"""Fewest draws of the training data that are folds: one to predict, two to choose by."""
MOST_FOLDS = 10
"""Most folds of draws; where there are more draws, some are left out together."""
GRID_FOLDS = 8
"""Most folds of grid points, where there are fewer draws than ``LEAST_DRAWS``."""
DRAWS, POINTS = "draws of the training data", "grid points"
"""What a fold is."""
FAR = 0.05
"""A network whose distance has a p value below this is too far from the reference."""
BEATS_MEAN = 0.05
"""Level of the test that a predictor beats the mean gap."""


def folds_of(draws: np.ndarray, grid: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Divide the networks of a reference into folds.

    Args:
        draws: (networks,) int64: the draw of the training data of each.
        grid: hyper-parameters, one row a network.
        rng: divides grid points where there are too few draws.

    Returns:
        (networks,) int64: the draw, or one of ``MOST_FOLDS`` sets of draws; where there are too few
        draws, the folds of :func:`point_folds`.
    """
    if len(np.unique(draws)) >= LEAST_DRAWS:
        return np.unique(draws, return_inverse=True)[1].astype(np.int64) % MOST_FOLDS
    return point_folds(grid, rng)


def point_folds(grid: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Divide networks into folds of grid points.

    Args:
        grid: hyper-parameters, one row a network.
        rng: divides the points.

    Returns:
        (networks,) int64: one of at most ``GRID_FOLDS`` balanced sets of grid points; of networks,
        where there are fewer than ``LEAST_DRAWS`` points.
    """
    points = grid_points(grid)
    if len(np.unique(points)) < LEAST_DRAWS:
        points = np.arange(len(grid))
    _, first = np.unique(points, return_index=True)
    count = min(GRID_FOLDS, len(first))
    indicators = indicator_columns(level_indices(grid)[first])
    together = np.zeros((len(first), len(first)))  # there is one repeat
    return np.asarray(balanced_partition(indicators, together, count, rng)[points])


@dataclass(frozen=True)
class Shift:
    """Networks with one level of a hyper-parameter, as the others predict them.

    Attributes:
        hyper_parameter: its name.
        level: the level that is left out, as text.
        known: (networks,) bool: those with other levels.
        near: (networks,) bool: those with the level that are not too far to be predicted.
        candidate: what the known networks choose.
    """

    hyper_parameter: str
    level: str
    known: np.ndarray
    near: np.ndarray
    candidate: int


@dataclass(frozen=True)
class Assessment:
    """What nested cross-validation says of a reference.

    Attributes:
        networks: how many.
        folds: how many.
        fold: what a fold is, :data:`DRAWS` or :data:`POINTS`.
        learner: of the chosen candidate.
        penalty: of the chosen candidate.
        r2: of the nested predictions of all networks.
        r2_by_fold: the same for the networks of each fold, around their own mean.
        mean_squared_error: of these predictions.
        mean_error: mean absolute error.
        mean_error_of_mean: that of the mean gap of the other folds.
        p_mean: of a one-sided paired t test that squared errors are below those of the mean gap.
        coverage: share of networks in their 90 % intervals, which the other folds make.
        coverage_by_fold: the same for the networks of each fold.
        width: mean width of these intervals.
        new_width: width of the interval of a new network, which all folds make.
        width_of_mean: mean width of the intervals around the mean gap.
        declined: share of networks that would be declined for their distance.
        highest_level: the highest level that so many networks support.
        guaranteed_level: coverage whatever the predictor is, if networks are exchangeable.
        shifted_coverage: share of the networks that have a level of a hyper-parameter that was left
            out, with the fold, and were not declined, in their intervals; None if there is none.
        shifted_networks: how many those are.
        shifts: hyper_parameter, level, networks, declined, coverage (of those not declined).
    """

    networks: int
    folds: int
    fold: str
    learner: str
    penalty: float
    r2: float | None
    r2_by_fold: Sequence[float | None]
    mean_squared_error: float
    mean_error: float
    mean_error_of_mean: float
    p_mean: float
    coverage: float | None
    coverage_by_fold: Sequence[float | None]
    width: float
    new_width: float
    width_of_mean: float
    declined: float
    highest_level: float
    guaranteed_level: float
    shifted_coverage: float | None
    shifted_networks: int
    shifts: Sequence[Mapping[str, Any]]

    @property
    def beats_mean(self) -> bool:
        """Whether the predictor beats the mean gap, as far as the networks can tell."""
        return self.p_mean < BEATS_MEAN


def assess(
    values: np.ndarray,
    gaps: np.ndarray,
    folds: np.ndarray,
    grid: pd.DataFrame,
    draws: np.ndarray | None,
) -> tuple[Assessment, list[Shift]]:
    """Tell what the networks of a reference can predict, by nested cross-validation.

    Args:
        values: (networks, columns).
        gaps: (networks,).
        folds: (networks,) int64, from 0 upwards without a hole; at least three folds.
        grid: hyper-parameters, one row a network.
        draws: (networks,) draws of the training data, where these are folds; None where grid points
            are.

    Returns:
        The numbers, and the networks that each level of the hyper-parameters leaves out.
    """
    validation = cross_validate(values, gaps, folds)
    nested, mean = validation.nested(), validation.nested(0)
    low, high = nested_intervals(validation, draws)
    low_mean, high_mean = nested_intervals(validation, draws, 0)
    shifts, rows, covered = [], [], [np.zeros(0, dtype=bool)]
    for shift, held in left_out_levels(values, gaps, folds, grid, draws):
        networks = int((~shift.known).sum())
        shifts.append(shift)
        covered.append(held)
        rows.append(
            {
                "hyper_parameter": shift.hyper_parameter,
                "level": shift.level,
                "networks": networks,
                "declined": 1 - len(held) / networks,
                "coverage": mean_of(held),
            }
        )
    best = validation.best()
    learner, penalty = CANDIDATES[best]
    covered_here = inside(gaps, low, high)
    errors = gaps - validation.left_out()[best]
    none = np.zeros((1, len(gaps)))
    new_low, new_high = intervals_of(none, none[:, 0], errors, draws)
    assessment = Assessment(
        networks=len(gaps),
        folds=validation.count,
        fold=POINTS if draws is None else DRAWS,
        learner=learner,
        penalty=penalty,
        r2=r2_score(nested, gaps),
        r2_by_fold=[
            r2_score(nested[folds == one], gaps[folds == one]) for one in range(validation.count)
        ],
        mean_squared_error=float(np.mean((nested - gaps) ** 2)),
        mean_error=float(np.abs(nested - gaps).mean()),
        mean_error_of_mean=float(np.abs(mean - gaps).mean()),
        p_mean=p_of_improvement((mean - gaps) ** 2, (nested - gaps) ** 2),
        coverage=mean_of(covered_here),
        coverage_by_fold=[mean_of(covered_here[folds == one]) for one in range(validation.count)],
        width=float(np.mean(high - low)),
        new_width=float(new_high[0] - new_low[0]),
        width_of_mean=float(np.mean(high_mean - low_mean)),
        declined=float(np.mean(validation.p() < FAR)),
        highest_level=highest_level(len(gaps)),
        guaranteed_level=guaranteed_level(len(gaps), validation.count),
        shifted_coverage=mean_of(np.concatenate(covered)),
        shifted_networks=sum(map(len, covered)),
        shifts=rows,
    )
    return assessment, shifts


def left_out_levels(
    values: np.ndarray,
    gaps: np.ndarray,
    folds: np.ndarray,
    grid: pd.DataFrame,
    draws: np.ndarray | None,
) -> Iterator[tuple[Shift, np.ndarray]]:
    """Leave out each level of each hyper-parameter, together with each fold.

    Args:
        values: (networks, columns).
        gaps: (networks,).
        folds: (networks,) int64.
        grid: hyper-parameters, one row a network.
        draws: (networks,) draws of the training data, where these are folds.

    Yields:
        The networks with the level; and of those that are near, whether each is in its interval.
        Levels beside which a fold has no network are passed over.
    """
    for name in grid.columns:
        distinct, index = levels(grid[name])
        for position, level in enumerate(distinct):
            known = index != position
            if len(np.unique(folds[known])) < len(np.unique(folds)):
                continue
            validation = cross_validate(values, gaps, folds, known)
            near = ~known & (validation.p() >= FAR)
            low, high = nested_intervals(validation, draws)
            shift = Shift(str(name), str(level), known, near, validation.best())
            yield shift, inside(gaps, low, high)[near]


def p_of_improvement(before: np.ndarray, after: np.ndarray) -> float:
    """Return the p value of a one-sided paired t test that squared errors have become smaller."""
    gain = before - after
    if not np.ptp(gain):
        return float(gain[0] <= 0)
    return float(stats.ttest_1samp(gain, 0.0, alternative="greater").pvalue)


def inside(gaps: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return (networks,) bool: whether gaps are within their intervals."""
    return np.asarray((low <= gaps) & (gaps <= high))


def mean_of(values: np.ndarray) -> float | None:
    """Return the mean, or None where there is nothing to average."""
    return float(values.mean()) if len(values) else None


def r2_score(predictions: np.ndarray, gaps: np.ndarray) -> float | None:
    """Return 1 - sum (y - prediction)^2 / sum (y - mean y)^2; None where gaps are equal."""
    return float(pooled_r2(predictions, gaps)) if np.ptp(gaps) else None
