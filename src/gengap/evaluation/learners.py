"""Learners that predict the gap from many columns; each chooses its penalty in closed form.

A fitted learner predicts new networks from a row of columns, and knows its own leave-one-out
errors. Both learners are linear smoothers of the gaps, so leaving one network out costs nothing
beyond one decomposition of the training networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist

from gengap.evaluation.regression import standardised_columns, training_rows, transformed

RIDGE, GAUSSIAN_PROCESS = "ridge", "gaussian_process"
LEAST_SQUARES = "least_squares"
"""Names of what is fitted."""
PENALTIES = 10.0 ** np.arange(-4.0, 3.01, 0.5)
"""Candidates, as multiples of the mean variance of a training network's centred columns."""
MOST_IN_PROCESS = 1000
"""With more training networks than this, no Gaussian process is tried: it takes the cube of their
number."""
LEAST_INFLUENCE = 1e-9
"""Smallest factor by which a residual of the fit may fall short of the leave-one-out error."""
LEAST_VARIANCE = 1e-13
"""Eigenvalues below this fraction of the largest are rounding; the least penalty is far larger."""


@dataclass(frozen=True)
class Linear:
    """A linear function that was fitted to the training networks of a cell.

    Attributes:
        coefficients: (columns,).
        intercept: the prediction where all columns are zero.
        penalty: a multiple of the mean variance of a network's centred columns; ``inf`` where the
            mean gap is predicted.
        left_out: (training networks,) prediction of each from all the others.
        learner: what was fitted.
    """

    coefficients: np.ndarray
    intercept: float
    penalty: float
    left_out: np.ndarray
    learner: str

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Predict the gaps of networks from (networks, columns)."""
        return np.asarray(self.intercept + values @ self.coefficients)

    def contributions(self, values: np.ndarray, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Return what each block of columns contributes to the predictions.

        Args:
            values: (networks, columns).
            blocks: indices of the columns of each block.

        Returns:
            (blocks, networks). If each column is in one block, the contributions and the intercept
            add up to the predictions.
        """
        return np.array([values[:, block] @ self.coefficients[block] for block in blocks])


@dataclass(frozen=True)
class GaussianProcess:
    """The mean of a Gaussian process given training networks; see :func:`fit_gaussian_process`.

    Attributes:
        values: (training networks, columns).
        weights: (training networks,) weight of the covariance with each; they add up to zero.
        intercept: what the weighted covariances are added to.
        penalty: variance of the noise, as a multiple of the mean centred prior variance; ``inf``
            where the mean gap is predicted.
        left_out: (training networks,) prediction of each from all the others.
    """

    values: np.ndarray
    weights: np.ndarray
    intercept: float
    penalty: float
    left_out: np.ndarray
    learner: str = GAUSSIAN_PROCESS

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Predict the gaps of networks from (networks, columns)."""
        return np.asarray(self.intercept + covariances(values, self.values) @ self.weights)

    def contributions(self, values: np.ndarray, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """Return what each block of columns contributes, as :meth:`Linear.contributions` does."""
        return np.array(
            [
                covariances(values[:, block], self.values[:, block]) @ self.weights
                for block in blocks
            ]
        )


Fitted = Linear | GaussianProcess
"""A learner that was fitted to training networks, and predicts others."""


def prepared(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Transform scalars, and give them zero mean and unit spread over the training networks.

    Both are decided by the training networks, so further rows are prepared as learners need them:
    those that a cell holds out, or networks that were not there before.

    Args:
        values: (networks, measures).
        train: (cells, networks) bool.

    Returns:
        (cells, networks, measures).
    """
    return standardised_columns(transformed(values, train)[0], train)


@dataclass(frozen=True)
class Training:
    """The training networks of several cells, whose learners are fitted at once.

    Cells may have unequally many networks: rows beyond those of a cell are padding, and zero.

    Attributes:
        values: (cells, networks, columns) of equal spreads.
        gaps: (cells, networks).
        present: (cells, networks) bool; false for padding.
        membership: (cells, networks, draws) float64: one where a network saw a draw of the training
            data. Each draw has a free level.
    """

    values: np.ndarray
    gaps: np.ndarray
    present: np.ndarray
    membership: np.ndarray

    @classmethod
    def of(
        cls,
        values: np.ndarray,
        gaps: np.ndarray,
        train: np.ndarray | None = None,
        draws: np.ndarray | None = None,
    ) -> Training:
        """Gather the training networks of cells.

        Args:
            values: (cells, all networks, columns).
            gaps: (all networks,).
            train: (cells, all networks) bool; None for all of them.
            draws: (all networks,) label of the draw of training data that each network saw; None
                for one.

        Returns:
            The training networks, in their order.
        """
        everyone = np.ones(values.shape[:2], dtype=bool) if train is None else train
        labels = np.zeros(len(gaps), dtype=np.int64) if draws is None else draws
        _, codes = np.unique(labels, return_inverse=True)
        rows, present = training_rows(everyone)
        weight = present[:, :, None]
        return cls(
            np.take_along_axis(values, rows[:, :, None], axis=1) * weight,
            gaps[rows] * present,
            present,
            np.eye(int(codes.max()) + 1)[codes[rows]] * weight,
        )

    def chosen(self, columns: np.ndarray) -> Training:
        """Return the same networks with some of the columns."""
        return replace(self, values=self.values[:, :, columns])

    @cached_property
    def counts(self) -> np.ndarray:
        """(cells,) number of training networks."""
        return np.asarray(self.present.sum(axis=1))

    @cached_property
    def sizes(self) -> np.ndarray:
        """(cells, draws) number of training networks of each draw."""
        return np.asarray(self.membership.sum(axis=1))

    @cached_property
    def own_sizes(self) -> np.ndarray:
        """(cells, networks) number of training networks of each network's draw, at least one."""
        return np.asarray(np.maximum(np.einsum("cng,cg->cn", self.membership, self.sizes), 1.0))

    @cached_property
    def centred_gaps(self) -> np.ndarray:
        """(cells, networks) gaps less the mean of their draw."""
        return self.centred(self.gaps[:, :, None])[:, :, 0]

    @cached_property
    def centred_values(self) -> np.ndarray:
        """(cells, networks, columns) values less the mean of their draw."""
        return self.centred(self.values)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return (cells, draws, columns): means of the draws over (cells, networks, columns)."""
        return np.asarray(self.membership.mT @ values / np.maximum(self.sizes, 1)[:, :, None])

    def centred(self, values: np.ndarray) -> np.ndarray:
        """Return values (cells, networks, columns) less the mean of their draw."""
        return np.asarray(values - self.membership @ self.means(values))

    def level(self, values: np.ndarray) -> np.ndarray:
        """Return (cells, columns): the mean of the means of the draws that a cell has."""
        return np.asarray(self.means(values).sum(axis=1) / np.sum(self.sizes > 0, axis=1)[:, None])

    @cached_property
    def mean_level(self) -> np.ndarray:
        """(cells,) :meth:`level` of the gaps."""
        return self.level(self.gaps[:, :, None])[:, 0]

    def without_own(self) -> np.ndarray:
        """Return (cells, networks): each gap less the mean of the others of its draw."""
        return np.asarray(self.centred_gaps * (self.own_sizes / np.maximum(1, self.own_sizes - 1)))


def fit_ridge(training: Training) -> list[Linear]:
    """Fit ridge regression whose penalty has the least leave-one-out error.

    The columns should have equal spreads. Each draw of the training data has a level of its own,
    which is not penalised; the intercept is the mean of these levels. Leave-one-out errors follow
    from one eigendecomposition (:func:`smooth`), of the smaller one of the products of columns and
    the products of networks, as in scikit-learn's ``RidgeCV``.

    Returns:
        The learner of each cell; with no columns, it predicts the mean gap.
    """
    centred = training.centred_values
    if centred.shape[2] < centred.shape[1]:
        variances, axes = np.linalg.eigh(centred.mT @ centred)
        variances = without_rounding(variances)
        modes = centred @ (axes * inverse_roots(variances)[:, None, :])
    else:
        variances, modes = np.linalg.eigh(centred @ centred.mT)
        variances = without_rounding(variances)
    smoother = smooth(modes, variances, training)
    coefficients = np.einsum("cnk,cn->ck", centred, smoother.dual)
    level = training.level(training.values)
    intercepts = training.mean_level - np.sum(level * coefficients, axis=1)
    return [
        Linear(
            coefficients=coefficients[cell],
            intercept=float(intercepts[cell]),
            penalty=float(smoother.penalty[cell]),
            left_out=smoother.left_out[cell, : training.counts[cell]],
            learner=RIDGE,
        )
        for cell in range(len(centred))
    ]


def fit_gaussian_process(training: Training) -> list[GaussianProcess]:
    """Fit an additive Gaussian process whose noise has the least leave-one-out error.

    The gap is a level with a flat prior, one for each draw of the training data, plus one function
    of each column: a line and a Brownian motion (:func:`covariances`). So the fit bends where the
    networks say so, costs no more than ridge regression, has no length scale, and beyond the
    training networks goes on as a line
    (Wahba, "Spline Models for Observational Data", 1990, chapters 1 and 10; Rasmussen and Williams,
    "Gaussian Processes for Machine Learning", 2006, sections 2.7 and 5.4.2).

    Returns:
        The learner of each cell; with columns that do not vary, it predicts the mean gap.
    """
    weight = training.present[:, :, None] * training.present[:, None, :]
    prior = np.array([covariances(own, own) for own in training.values]) * weight
    variances, modes = np.linalg.eigh(training.centred(training.centred(prior).mT))
    smoother = smooth(modes, without_rounding(variances), training)
    level = training.level(prior)
    intercepts = training.mean_level - np.sum(level * smoother.dual, axis=1)
    return [
        GaussianProcess(
            values=training.values[cell, :count],
            weights=smoother.dual[cell, :count],
            intercept=float(intercepts[cell]),
            penalty=float(smoother.penalty[cell]),
            left_out=smoother.left_out[cell, :count],
        )
        for cell, count in enumerate(training.counts)
    ]


LEARNERS: Mapping[str, Callable[[Training], Sequence[Fitted]]] = {
    RIDGE: fit_ridge,
    GAUSSIAN_PROCESS: fit_gaussian_process,
}
"""How each learner is fitted, by its name."""


def fit(training: Training) -> list[Fitted]:
    """Fit the learner of :data:`LEARNERS` with the least leave-one-out error.

    With more than ``MOST_IN_PROCESS`` training networks, that is ridge regression alone.

    Returns:
        The learner of each cell; where errors are equal, the first one.
    """
    names = [RIDGE] if training.present.shape[1] > MOST_IN_PROCESS else list(LEARNERS)
    fits = [LEARNERS[name](training) for name in names]
    return [
        min(
            candidates,
            key=lambda fitted: float(np.sum((gaps[: len(fitted.left_out)] - fitted.left_out) ** 2)),
        )
        for gaps, *candidates in zip(training.gaps, *fits, strict=True)
    ]


def fit_best_single(training: Training) -> list[Linear]:
    """Fit least squares on the one column with the least leave-one-out error.

    Args:
        training: with at least one column.

    Returns:
        The learner of each cell; all coefficients but one are zero. It predicts the mean gap where
        no column does better.
    """
    centred, level = training.centred_values, training.centred_gaps[:, :, None]
    square = np.sum(centred**2, axis=1, keepdims=True)
    varies = square > 0
    slopes = np.where(varies, (level.mT @ centred) / np.where(varies, square, 1.0), 0.0)
    leverage = 1.0 / training.own_sizes[:, :, None]
    leverage = leverage + centred**2 / np.where(varies, square, 1.0)
    errors = level - centred * slopes
    errors /= np.maximum(1.0 - leverage, LEAST_INFLUENCE)
    null = training.without_own()
    squared = np.sum(errors**2, axis=1)
    means = training.level(training.values)
    learners = []
    for cell, count in enumerate(training.counts):
        best = int(np.argmin(squared[cell]))
        coefficients, error = np.zeros(centred.shape[2]), null[cell, :count]
        if squared[cell, best] < null[cell] @ null[cell]:
            coefficients[best] = slopes[cell, 0, best]
            error = errors[cell, :count, best]
        learners.append(
            Linear(
                coefficients=coefficients,
                intercept=float(training.mean_level[cell] - means[cell] @ coefficients),
                penalty=0.0 if coefficients[best] else np.inf,
                left_out=training.gaps[cell, :count] - error,
                learner=LEAST_SQUARES,
            )
        )
    return learners


@dataclass(frozen=True)
class Smoother:
    """The fits of :func:`smooth` under the chosen penalties.

    Attributes:
        dual: (cells, networks) residuals over the penalty; zero where the mean gap is predicted.
        penalty: (cells,) the chosen ones, ``inf`` for the mean gap.
        left_out: (cells, networks) prediction of each from all the others.
    """

    dual: np.ndarray
    penalty: np.ndarray
    left_out: np.ndarray


def smooth(modes: np.ndarray, variances: np.ndarray, training: Training) -> Smoother:
    r"""Fit penalised least squares under the penalty that has the least leave-one-out error.

    With covariances K = U diag(s) U^T that are centred in each draw, and the projection P on the
    draws' means, the fitted gaps are H y, where H = P + U diag(s / (s + p)) U^T. The error of a
    network that is left out is its residual over 1 - H_ii (Allen, "The relationship between
    variable selection and data augmentation and a method for prediction", Technometrics 16, 1974).
    The scale of the columns and, for a Gaussian process, the prior stay those of all networks.
    Predicting the mean gap is a candidate too, so a learner that finds nothing does no harm.

    Args:
        modes: (cells, networks, modes) U, orthonormal columns; any where s is zero.
        variances: (cells, modes) s, not negative.
        training: with the gaps. The candidates p are :data:`PENALTIES`, as multiples of the mean
            diagonal of K.

    Returns:
        The fit of each cell under the best penalty.
    """
    centred, null = training.centred_gaps, training.without_own()
    unit = variances.sum(axis=1) / training.counts
    absolute = np.where(unit > 0, unit, 1.0)[:, None] * PENALTIES
    coordinates = np.einsum("cnk,cn->ck", modes, centred)
    shrinkage = variances[:, :, None] / (variances[:, :, None] + absolute[:, None, :])
    residuals = centred[:, :, None] - modes @ (shrinkage * coordinates[:, :, None])
    remaining = 1.0 - 1.0 / training.own_sizes[:, :, None] - modes**2 @ shrinkage
    errors = residuals / np.maximum(remaining, LEAST_INFLUENCE) * training.present[:, :, None]
    squared = np.sum(errors**2, axis=1)
    best = np.argmin(squared, axis=1)
    cells = np.arange(len(best))
    better = (squared[cells, best] < np.sum(null**2, axis=1)) & (unit > 0)
    dual = residuals[cells, :, best] / absolute[cells, best][:, None]
    return Smoother(
        dual=np.where(better[:, None], dual, 0.0) * training.present,
        penalty=np.where(better, PENALTIES[best], np.inf),
        left_out=training.gaps - np.where(better[:, None], errors[cells, :, best], null),
    )


def without_rounding(variances: np.ndarray) -> np.ndarray:
    """Return (cells, modes) eigenvalues; zero where rounding may have made them."""
    largest = variances.max(axis=1, keepdims=True, initial=0.0)
    return np.where(variances > LEAST_VARIANCE * largest, variances, 0.0)


def inverse_roots(variances: np.ndarray) -> np.ndarray:
    """Return one over the square roots of (cells, modes) variances; zero for zero."""
    positive = variances > 0
    return np.where(positive, 1 / np.sqrt(np.where(positive, variances, 1.0)), 0.0)


def covariances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the prior covariances of networks, up to what an intercept takes up.

    A line through a column has covariance x x'. A Brownian motion has the variogram |x - x'|, so
    -|x - x'| / 2 is its covariance up to functions of one network alone, which vanish when the
    covariances are centred.

    Args:
        first: (networks, columns).
        second: (other networks, columns).

    Returns:
        (networks, other networks).
    """
    return np.asarray(first @ second.T - cdist(first, second, "cityblock"))
