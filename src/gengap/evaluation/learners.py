"""Learners that predict the gap from many columns; each chooses its penalty in closed form.

A fitted learner predicts new networks from a row of columns, and knows its own leave-one-out
errors. Both learners are linear smoothers of the gaps, so leaving one network out costs nothing
beyond one decomposition of the training networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from gengap.evaluation.regression import standardised_columns, transformed

RIDGE, GAUSSIAN_PROCESS = "ridge", "gaussian_process"
LEAST_SQUARES = "least_squares"
"""Names of what is fitted."""
PENALTIES = 10.0 ** np.arange(-4.0, 3.01, 0.5)
"""Candidates, as multiples of the mean variance of a training network's centred columns."""
LEAST_INFLUENCE = 1e-9
"""Smallest factor by which a residual of the fit may fall short of the leave-one-out error."""


@dataclass(frozen=True)
class Linear:
    """A linear function that was fitted to training networks.

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


def fit_ridge(values: np.ndarray, gaps: np.ndarray) -> Linear:
    """Fit ridge regression whose penalty has the least leave-one-out error.

    The columns should have equal spreads. The intercept is not penalised. Leave-one-out errors
    follow from one singular value decomposition (:func:`smooth`), as in scikit-learn's ``RidgeCV``.

    Args:
        values: (networks, columns).
        gaps: (networks,).

    Returns:
        The fitted learner; with no columns, it predicts the mean gap.
    """
    mean = values.mean(axis=0)
    left, singular, right = np.linalg.svd(values - mean, full_matrices=False)
    smoother = smooth(left, singular**2, gaps, PENALTIES)
    inverse = np.divide(1.0, singular, out=np.zeros_like(singular), where=singular > 0)
    coefficients = right.T @ (inverse * smoother.coordinates)
    return Linear(
        coefficients=coefficients,
        intercept=float(gaps.mean() - mean @ coefficients),
        penalty=smoother.penalty,
        left_out=smoother.left_out,
        learner=RIDGE,
    )


def fit_gaussian_process(values: np.ndarray, gaps: np.ndarray) -> GaussianProcess:
    """Fit an additive Gaussian process whose noise has the least leave-one-out error.

    The gap is a constant with a flat prior, plus one function of each column: a line and a Brownian
    motion (:func:`covariances`). So the fit bends where the networks say so, costs no more than
    ridge regression, has no length scale, and beyond the training networks goes on as a line
    (Wahba, "Spline Models for Observational Data", 1990, chapters 1 and 10; Rasmussen and Williams,
    "Gaussian Processes for Machine Learning", 2006, sections 2.7 and 5.4.2).

    Args:
        values: (networks, columns) of equal spreads.
        gaps: (networks,).

    Returns:
        The fitted learner; with columns that do not vary, it predicts the mean gap.
    """
    prior = covariances(values, values)
    means = prior.mean(axis=0)
    variances, modes = np.linalg.eigh(prior - means[:, None] - means + means.mean())
    smoother = smooth(modes, np.maximum(variances, 0.0), gaps, PENALTIES)
    return GaussianProcess(
        values=values,
        weights=smoother.dual,
        intercept=float(gaps.mean() - means @ smoother.dual),
        penalty=smoother.penalty,
        left_out=smoother.left_out,
    )


LEARNERS: Mapping[str, Callable[[np.ndarray, np.ndarray], Fitted]] = {
    RIDGE: fit_ridge,
    GAUSSIAN_PROCESS: fit_gaussian_process,
}
"""How each learner is fitted, by its name."""


def fit(values: np.ndarray, gaps: np.ndarray) -> Fitted:
    """Fit the learner of :data:`LEARNERS` with the least leave-one-out error.

    Where errors are equal, the first one is fitted.

    Args:
        values: (networks, columns) of equal spreads.
        gaps: (networks,).

    Returns:
        The fitted learner.
    """
    fits = [learner(values, gaps) for learner in LEARNERS.values()]
    return min(fits, key=lambda fitted: float(np.sum((gaps - fitted.left_out) ** 2)))


def fit_best_single(values: np.ndarray, gaps: np.ndarray) -> Linear:
    """Fit least squares on the one column with the least leave-one-out error.

    Args:
        values: (networks, columns), at least one.
        gaps: (networks,).

    Returns:
        The fitted learner; all coefficients but one are zero. It predicts the mean gap where no
        column does better.
    """
    count, mean = len(gaps), values.mean(axis=0)
    centred, level = values - mean, gaps.mean()
    square = np.sum(centred**2, axis=0)
    slopes = np.divide(
        centred.T @ (gaps - level), square, out=np.zeros_like(square), where=square > 0
    )
    leverage = 1.0 / count + np.divide(
        centred**2, square, out=np.zeros_like(centred), where=square > 0
    )
    errors = (gaps - level)[:, None] - centred * slopes
    errors /= np.maximum(1.0 - leverage, LEAST_INFLUENCE)
    null = (gaps - level) * (count / max(1, count - 1))
    squared = np.sum(errors**2, axis=0)
    best = int(np.argmin(squared))
    coefficients, left_out = np.zeros(len(slopes)), gaps - null
    if squared[best] < null @ null:
        coefficients[best], left_out = slopes[best], gaps - errors[:, best]
    return Linear(
        coefficients=coefficients,
        intercept=float(level - mean @ coefficients),
        penalty=0.0 if coefficients[best] else np.inf,
        left_out=left_out,
        learner=LEAST_SQUARES,
    )


@dataclass(frozen=True)
class Smoother:
    """The fit of :func:`smooth` under the chosen penalty.

    Attributes:
        coordinates: (modes,) the fitted gaps less their mean, in the modes.
        dual: (networks,) residuals over the penalty; zero where the mean gap is predicted.
        penalty: the chosen one, ``inf`` for the mean gap.
        left_out: (networks,) prediction of each from all the others.
        squared_error: sum of the squared leave-one-out errors.
    """

    coordinates: np.ndarray
    dual: np.ndarray
    penalty: float
    left_out: np.ndarray
    squared_error: float


def smooth(
    modes: np.ndarray, variances: np.ndarray, gaps: np.ndarray, penalties: np.ndarray
) -> Smoother:
    r"""Fit penalised least squares under the penalty that has the least leave-one-out error.

    With centred covariances K = U diag(s) U^T the fitted gaps are H y, where
    H = 1 1^T / n + U diag(s / (s + p)) U^T, and the error of a network that is left out is its
    residual over 1 - H_ii (Allen, "The relationship between variable selection and data
    augmentation and a method for prediction", Technometrics 16, 1974). The scale of the columns
    and, for a Gaussian process, the prior stay those of all networks. Predicting the mean gap is a
    candidate too, so a learner that finds nothing does no harm.

    Args:
        modes: (networks, modes) U, orthonormal columns.
        variances: (modes,) s, not negative.
        gaps: (networks,).
        penalties: candidates p, as multiples of the mean diagonal of K.

    Returns:
        The fit under the best penalty.
    """
    count = len(gaps)
    mean = gaps.mean()
    centred = gaps - mean
    null = centred * (count / max(1, count - 1))
    least = float(null @ null)
    unit = float(variances.sum()) / count
    nothing = Smoother(np.zeros(len(variances)), np.zeros(count), np.inf, gaps - null, least)
    if unit == 0:
        return nothing
    absolute = unit * penalties
    coordinates = modes.T @ centred
    shrinkage = variances[:, None] / (variances[:, None] + absolute)
    residuals = centred[:, None] - modes @ (shrinkage * coordinates[:, None])
    remaining = 1.0 - 1.0 / count - modes**2 @ shrinkage
    errors = residuals / np.maximum(remaining, LEAST_INFLUENCE)
    squared = np.sum(errors**2, axis=0)
    best = int(np.argmin(squared))
    if not squared[best] < least:
        return nothing
    return Smoother(
        coordinates=shrinkage[:, best] * coordinates,
        dual=residuals[:, best] / absolute[best],
        penalty=float(penalties[best]),
        left_out=gaps - errors[:, best],
        squared_error=float(squared[best]),
    )


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
