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


@dataclass(frozen=True)
class Groups:
    """Groups of training networks, each with a free level: the draws of their training data.

    Attributes:
        codes: (networks,) number of each network's group.
        sizes: (groups,) how many networks there are.
    """

    codes: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, draws: np.ndarray | None, networks: int) -> Groups:
        """Return the groups of equal draws (networks,), or one group where there are none."""
        labels = np.zeros(networks, dtype=np.int64) if draws is None else draws
        _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        return cls(codes, sizes)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return (groups, ...): the means of the groups over (networks, ...)."""
        totals = np.zeros((len(self.sizes), *values.shape[1:]))
        np.add.at(totals, self.codes, values)
        return np.asarray((totals.T / self.sizes).T)

    def centred(self, values: np.ndarray) -> np.ndarray:
        """Return values (networks, ...) less the mean of their group."""
        return np.asarray(values - self.means(values)[self.codes])

    def level(self, values: np.ndarray) -> np.ndarray:
        """Return (...): the mean of the groups' means over (networks, ...)."""
        return np.asarray(self.means(values).mean(axis=0))


def fit_ridge(values: np.ndarray, gaps: np.ndarray, draws: np.ndarray | None = None) -> Linear:
    """Fit ridge regression whose penalty has the least leave-one-out error.

    The columns should have equal spreads. Each draw of the training data has a level of its own,
    which is not penalised; the intercept is the mean of these levels. Leave-one-out errors follow
    from one singular value decomposition (:func:`smooth`), as in scikit-learn's ``RidgeCV``.

    Args:
        values: (networks, columns).
        gaps: (networks,).
        draws: (networks,) label of the draw of training data that each network saw; None for one.

    Returns:
        The fitted learner; with no columns, it predicts the mean gap.
    """
    groups = Groups.of(draws, len(gaps))
    left, singular, right = np.linalg.svd(groups.centred(values), full_matrices=False)
    smoother = smooth(left, singular**2, gaps, groups, PENALTIES)
    inverse = np.divide(1.0, singular, out=np.zeros_like(singular), where=singular > 0)
    coefficients = right.T @ (inverse * smoother.coordinates)
    return Linear(
        coefficients=coefficients,
        intercept=float(groups.level(gaps) - groups.level(values) @ coefficients),
        penalty=smoother.penalty,
        left_out=smoother.left_out,
        learner=RIDGE,
    )


def fit_gaussian_process(
    values: np.ndarray, gaps: np.ndarray, draws: np.ndarray | None = None
) -> GaussianProcess:
    """Fit an additive Gaussian process whose noise has the least leave-one-out error.

    The gap is a level with a flat prior, one for each draw of the training data, plus one function
    of each column: a line and a Brownian motion (:func:`covariances`). So the fit bends where the
    networks say so, costs no more than ridge regression, has no length scale, and beyond the
    training networks goes on as a line
    (Wahba, "Spline Models for Observational Data", 1990, chapters 1 and 10; Rasmussen and Williams,
    "Gaussian Processes for Machine Learning", 2006, sections 2.7 and 5.4.2).

    Args:
        values: (networks, columns) of equal spreads.
        gaps: (networks,).
        draws: (networks,) label of the draw of training data that each network saw; None for one.

    Returns:
        The fitted learner; with columns that do not vary, it predicts the mean gap.
    """
    groups = Groups.of(draws, len(gaps))
    prior = covariances(values, values)
    variances, modes = np.linalg.eigh(groups.centred(groups.centred(prior).T))
    smoother = smooth(modes, np.maximum(variances, 0.0), gaps, groups, PENALTIES)
    return GaussianProcess(
        values=values,
        weights=smoother.dual,
        intercept=float(groups.level(gaps) - groups.level(prior) @ smoother.dual),
        penalty=smoother.penalty,
        left_out=smoother.left_out,
    )


LEARNERS: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray | None], Fitted]] = {
    RIDGE: fit_ridge,
    GAUSSIAN_PROCESS: fit_gaussian_process,
}
"""How each learner is fitted, by its name."""


def fit(values: np.ndarray, gaps: np.ndarray, draws: np.ndarray | None = None) -> Fitted:
    """Fit the learner of :data:`LEARNERS` with the least leave-one-out error.

    Where errors are equal, the first one is fitted.

    Args:
        values: (networks, columns) of equal spreads.
        gaps: (networks,).
        draws: (networks,) label of the draw of training data that each network saw; None for one.

    Returns:
        The fitted learner.
    """
    fits = [learner(values, gaps, draws) for learner in LEARNERS.values()]
    return min(fits, key=lambda fitted: float(np.sum((gaps - fitted.left_out) ** 2)))


def fit_best_single(
    values: np.ndarray, gaps: np.ndarray, draws: np.ndarray | None = None
) -> Linear:
    """Fit least squares on the one column with the least leave-one-out error.

    Args:
        values: (networks, columns), at least one.
        gaps: (networks,).
        draws: (networks,) label of the draw of training data that each network saw; None for one.

    Returns:
        The fitted learner; all coefficients but one are zero. It predicts the mean gap where no
        column does better.
    """
    groups = Groups.of(draws, len(gaps))
    centred, level = groups.centred(values), groups.centred(gaps)
    square = np.sum(centred**2, axis=0)
    slopes = np.divide(centred.T @ level, square, out=np.zeros_like(square), where=square > 0)
    leverage = 1.0 / groups.sizes[groups.codes][:, None] + np.divide(
        centred**2, square, out=np.zeros_like(centred), where=square > 0
    )
    errors = level[:, None] - centred * slopes
    errors /= np.maximum(1.0 - leverage, LEAST_INFLUENCE)
    null = without_own(level, groups)
    squared = np.sum(errors**2, axis=0)
    best = int(np.argmin(squared))
    coefficients, left_out = np.zeros(len(slopes)), gaps - null
    if squared[best] < null @ null:
        coefficients[best], left_out = slopes[best], gaps - errors[:, best]
    return Linear(
        coefficients=coefficients,
        intercept=float(groups.level(gaps) - groups.level(values) @ coefficients),
        penalty=0.0 if coefficients[best] else np.inf,
        left_out=left_out,
        learner=LEAST_SQUARES,
    )


@dataclass(frozen=True)
class Smoother:
    """The fit of :func:`smooth` under the chosen penalty.

    Attributes:
        coordinates: (modes,) the fitted gaps less the mean of their group, in the modes.
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


def without_own(centred: np.ndarray, groups: Groups) -> np.ndarray:
    """Return (networks,): each gap less the mean of the others of its group.

    Args:
        centred: (networks,) gaps less the mean of their group.
        groups: of the networks.
    """
    sizes = groups.sizes[groups.codes]
    return np.asarray(centred * (sizes / np.maximum(1, sizes - 1)))


def smooth(
    modes: np.ndarray,
    variances: np.ndarray,
    gaps: np.ndarray,
    groups: Groups,
    penalties: np.ndarray,
) -> Smoother:
    r"""Fit penalised least squares under the penalty that has the least leave-one-out error.

    With covariances K = U diag(s) U^T that are centred in each group, and the projection P on the
    groups' means, the fitted gaps are H y, where H = P + U diag(s / (s + p)) U^T. The error of a
    network that is left out is its residual over 1 - H_ii (Allen, "The relationship between
    variable selection and data augmentation and a method for prediction", Technometrics 16, 1974).
    The scale of the columns and, for a Gaussian process, the prior stay those of all networks.
    Predicting the mean gap is a candidate too, so a learner that finds nothing does no harm.

    Args:
        modes: (networks, modes) U, orthonormal columns.
        variances: (modes,) s, not negative.
        gaps: (networks,).
        groups: of networks, each with a free level.
        penalties: candidates p, as multiples of the mean diagonal of K.

    Returns:
        The fit under the best penalty.
    """
    count = len(gaps)
    centred = groups.centred(gaps)
    null = without_own(centred, groups)
    least = float(null @ null)
    unit = float(variances.sum()) / count
    nothing = Smoother(np.zeros(len(variances)), np.zeros(count), np.inf, gaps - null, least)
    if unit == 0:
        return nothing
    absolute = unit * penalties
    coordinates = modes.T @ centred
    shrinkage = variances[:, None] / (variances[:, None] + absolute)
    residuals = centred[:, None] - modes @ (shrinkage * coordinates[:, None])
    remaining = 1.0 - 1.0 / groups.sizes[groups.codes][:, None] - modes**2 @ shrinkage
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
