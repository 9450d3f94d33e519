"""Intervals of the gap of one new network, and how often they hold networks that were left out."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit

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


def draw_half_width(errors: np.ndarray, draws: np.ndarray, level: float = LEVEL) -> float:
    """Return half the width of an interval for networks on another draw of the training data.

    The gap of a network is predicted with an error of its draw, which the networks of that draw
    share, and an error of its own. Networks of D draws, predicted without their draw, show D errors
    of draws, e_d, the means of theirs. As independent normal variables with the variance v, draws
    make E e_d^2 = v D / (D - 1), and the error of another draw has the variance v (1 + 1 / D), so

        s^2 = (1 - 1 / D^2) mean e_d^2

    estimates the latter with D - 1 degrees of freedom. The n networks' errors less the mean of
    their draw, w, have a variance u with n - D degrees of freedom. The sum s^2 + u has about

        f = (s^2 + u)^2 / (s^4 / (D - 1) + u^2 / (n - D))

    degrees of freedom (Satterthwaite, "An approximate distribution of estimates of variance
    components", Biometrics Bulletin 2, 1946). With a standard normal z and one of the errors w, let
    P(|w + s z| <= q) = level. The half width is q times the ratio of Student's quantile with f
    degrees of freedom to the normal one. Without errors of draws it is the quantile of |w|;
    without errors of networks, s times Student's quantile with D - 1 degrees of freedom.

    A distribution-free interval for a new draw needs (D + 1) (1 - level) >= 1, i.e. nine draws for
    90 % (Dunn, Wasserman and Ramdas, "Distribution-free prediction sets for two-layer hierarchical
    models", Journal of the American Statistical Association 118, 2022; Lee, Barber and Willett,
    "Distribution-free inference with hierarchical data", arXiv:2306.06342, 2023).

    Args:
        errors: (networks,) gap less prediction without the draw of the network.
        draws: (networks,) label of the draw of each; at least two draws.
        level: nominal coverage.

    Returns:
        The half width.
    """
    _, codes, sizes = np.unique(draws, return_inverse=True, return_counts=True)
    means = np.bincount(codes, errors) / sizes
    count, within = len(sizes), max(1, len(errors) - len(sizes))
    of_draw = (1 - 1 / count**2) * float(np.mean(means**2))
    own = errors - means[codes]
    if not of_draw:
        return float(np.quantile(np.abs(own), level, method="higher"))
    of_network, scale = float(own @ own) / within, math.sqrt(of_draw)

    def excess(half: float) -> float:
        return float(np.mean(ndtr((half - own) / scale) - ndtr((-half - own) / scale))) - level

    # Half of the rest of the probability on either side is left to the normal variable alone.
    most = float(np.abs(own).max() - scale * ndtri((1 - level) / 4))
    normal = float(brentq(excess, 0.0, most, xtol=1e-6 * most))
    freedom = (of_draw + of_network) ** 2 / (of_draw**2 / (count - 1) + of_network**2 / within)
    tail = (1 + level) / 2
    return float(normal * stdtrit(freedom, tail) / ndtri(tail))


def intervals_of(
    centres: np.ndarray, predictions: np.ndarray, errors: np.ndarray, draws: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of each new network: of CV+, or of :func:`draw_half_width` if wider.

    CV+ takes networks as exchangeable, but those of one draw share its error. So with few draws it
    is too narrow for networks on another one.

    Args:
        centres: (new networks, n) predictions without the fold of each network.
        predictions: (new networks,) predictions from all networks.
        errors: (n,) gap less prediction without the fold of the network.
        draws: (n,) their draws of the training data; None where the new networks share these draws,
            or there is one.

    Returns:
        Lower and upper ends, (new networks,) each.
    """
    low, high = cv_plus(centres, np.abs(errors))
    if draws is None or len(np.unique(draws)) < 2:
        return low, high
    half = draw_half_width(errors, draws)
    wider = 2 * half > high - low
    return np.where(wider, predictions - half, low), np.where(wider, predictions + half, high)


def nested_intervals(
    validation: CrossValidation, draws: np.ndarray | None, best: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of each network that the known networks of other folds make.

    Args:
        validation: predictions without one and two folds.
        draws: (networks,) draws of the training data, where these are what folds leave out.
        best: the candidate; None for the one that these networks choose.

    Returns:
        Lower and upper ends, (networks,) each.
    """
    low, high = np.zeros(len(validation.gaps)), np.zeros(len(validation.gaps))
    for outer in range(validation.count):
        inner, test = validation.inner(outer), validation.folds == outer
        candidate = validation.best(outer) if best is None else best
        errors = (validation.gaps - validation.left_out(outer)[candidate])[inner]
        table = validation.predictions[outer, :, candidate]
        low[test], high[test] = intervals_of(
            table[validation.folds[inner]][:, test].T,
            table[outer, test],
            errors,
            None if draws is None else draws[inner],
        )
    return low, high
