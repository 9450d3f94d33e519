"""Predictors of the gap, fitted to all networks of a reference but those of one or two folds.

A fold is what a new network has in common with no network of the reference: a draw of the training
data where there are several, else a grid point. The predictions without two folds give everything
that a nested cross-validation needs: the outer fold is predicted, and the inner one chooses the
predictor and makes the intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from gengap.evaluation.learners import GAUSSIAN_PROCESS, PENALTIES, RIDGE, covariances, prepared
from gengap.evaluation.regression import MARGIN
from gengap.prediction.distance import distance_p, squared_distances

KERNELS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    RIDGE: lambda first, second: np.asarray(first @ second.T),
    GAUSSIAN_PROCESS: covariances,
}
"""Prior covariances of gaps, up to what an intercept takes up, by learner."""
MEAN = "mean"
CANDIDATES = (
    (MEAN, np.inf),
    *((learner, float(penalty)) for learner in KERNELS for penalty in PENALTIES[::-1]),
)
"""The predictors to choose from, by learner and penalty: the mean gap, then the others, each from
the largest penalty to the smallest. Penalties are multiples of the mean prior variance."""


def predictions_from(
    values: np.ndarray,
    gaps: np.ndarray,
    train: np.ndarray,
    learners: Collection[str] = tuple(KERNELS),
) -> np.ndarray:
    """Predict all networks by all candidates, fitted to some of the networks.

    Columns are transformed and standardised by the training networks alone
    (:func:`gengap.evaluation.learners.prepared`). The prediction is m + k^T (K + p u 1)^-1 (y - m)
    with the mean gap m, centred covariances K, their mean variance u and the penalty p. That is the
    fit of :mod:`gengap.evaluation.learners`, whose penalty is chosen by networks left out; here
    whole folds are left out, since networks of one draw of the data share its level.

    Args:
        values: (networks, columns), those of the reference first.
        gaps: (reference networks,).
        train: (reference networks,) bool: those to fit.
        learners: the others' candidates are not fitted.

    Returns:
        (candidates, networks), NaN for candidates that are not fitted; at most ``MARGIN`` standard
        deviations outside the range of the training gaps.
    """
    inside = np.zeros(len(values), dtype=bool)
    inside[: len(train)] = train
    columns = prepared(values, inside[None])[0]
    known = gaps[train]
    rows = [np.zeros((1, len(values)))]
    for learner, kernel in KERNELS.items():
        if learner not in learners:
            rows.append(np.full((len(PENALTIES), len(values)), np.nan))
            continue
        prior = kernel(columns, columns[inside])
        means = prior[inside].mean(axis=0)
        centred = prior - prior.mean(axis=1, keepdims=True) - means + means.mean()
        variances, modes = np.linalg.eigh(centred[inside])
        variances = np.maximum(variances, 0.0)
        unit = variances.mean() or 1.0
        coordinates = modes.T @ (known - known.mean())
        weights = coordinates / (variances + unit * PENALTIES[::-1, None]) @ modes.T
        rows.append(weights @ centred.T)
    spread = MARGIN * known.std()
    predictions = known.mean() + np.concatenate(rows)
    return np.asarray(np.clip(predictions, known.min() - spread, known.max() + spread))


@dataclass(frozen=True)
class CrossValidation:
    """Predictions of every candidate without one and without two folds.

    Attributes:
        gaps: (networks,).
        folds: (networks,) int64, from 0 upwards without a hole.
        known: (networks,) bool: those that are fitted and choose the candidate. The others are
            predicted, without the networks of their own fold.
        predictions: (folds, folds, candidates, networks): without both folds; without one on the
            diagonal.
        distances: (folds, folds, networks) squared distance of every network from the known ones
            without both folds; without one on the diagonal.
    """

    gaps: np.ndarray
    folds: np.ndarray
    known: np.ndarray
    predictions: np.ndarray
    distances: np.ndarray

    @property
    def count(self) -> int:
        """Number of folds."""
        return len(self.predictions)

    def inner(self, outer: int | None) -> np.ndarray:
        """Return (networks,) bool: the known networks outside a fold, or all that are known."""
        return self.known if outer is None else self.known & (self.folds != outer)

    def left_out(self, outer: int | None = None) -> np.ndarray:
        """Predict each network without its own fold, and without an outer one.

        Args:
            outer: the other fold; None for none.

        Returns:
            (candidates, networks).
        """
        others = self.folds if outer is None else outer
        everyone = np.arange(len(self.folds))
        return np.asarray(self.predictions[others, self.folds, :, everyone].T)

    def best(self, outer: int | None = None) -> int:
        """Choose the candidate with the least squared error.

        Args:
            outer: a fold that takes no part in the choice; None for none.

        Returns:
            Its index; the first one where errors are equal.
        """
        errors = (self.left_out(outer) - self.gaps)[:, self.inner(outer)]
        return int(np.argmin(np.sum(errors**2, axis=1)))

    def nested(self, best: int | None = None) -> np.ndarray:
        """Predict each network without its fold.

        Args:
            best: the candidate; None for the one that the other folds choose.

        Returns:
            (networks,).
        """
        chosen = [self.best(fold) if best is None else best for fold in range(self.count)]
        everyone = np.arange(len(self.folds))
        return np.asarray(self.left_out()[np.array(chosen)[self.folds], everyone])

    def left_out_distances(self, outer: int | None = None) -> np.ndarray:
        """Return (networks,): the squared distance of each without its fold and an outer one."""
        others = self.folds if outer is None else outer
        return np.asarray(self.distances[others, self.folds, np.arange(len(self.folds))])

    def p(self) -> np.ndarray:
        """Return (networks,): the p value of each network's distance from those of other folds."""
        values = np.ones(len(self.folds))
        for outer in range(self.count):
            test = self.folds == outer
            reference = self.left_out_distances(outer)[self.inner(outer)]
            values[test] = distance_p(self.distances[outer, outer, test], reference)
        return values


def cross_validate(
    values: np.ndarray, gaps: np.ndarray, folds: np.ndarray, known: np.ndarray | None = None
) -> CrossValidation:
    """Predict all networks, and measure their distances, without each fold and each two folds.

    Args:
        values: (networks, columns).
        gaps: (networks,).
        folds: (networks,) int64, from 0 upwards without a hole; at least three folds.
        known: (networks,) bool: those to fit; by default all.

    Returns:
        The predictions.
    """
    known = np.ones(len(gaps), dtype=bool) if known is None else known
    count = int(folds.max()) + 1
    predictions = np.zeros((count, count, len(CANDIDATES), len(gaps)))
    distances = np.zeros((count, count, len(gaps)))
    for first in range(count):
        for second in range(first + 1):
            train = known & (folds != first) & (folds != second)
            predictions[first, second] = predictions_from(values, gaps, train)
            predictions[second, first] = predictions[first, second]
            distances[first, second] = squared_distances(values, train)
            distances[second, first] = distances[first, second]
    return CrossValidation(gaps, folds, known, predictions, distances)
