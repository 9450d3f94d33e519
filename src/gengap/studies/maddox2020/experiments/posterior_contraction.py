"""Posterior contraction in Bayesian linear regression.

Maddox et al. 2020, section 4 and figure 4: with more data, the effective dimensionality of the
posterior's covariance falls while that of the Hessian rises. With features Phi (n, p), noise of
variance s2 and a prior N(0, v I), the Hessian of the negative log-likelihood is H = Phi^T Phi / s2
and the covariance of the posterior (H + I / v)^-1. Features are cos(k pi x) and sin(k pi x), k = 1,
2, ..., p / 2, at points x drawn without replacement from an even grid on [0, 50]. The published
code divides by 0.1 and calls it the noise's standard deviation; 0.1 is the variance here, which
gives its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gengap.curvature import effective_dimensionality
from gengap.errors import GengapError
from gengap.studies.context import Context
from gengap.studies.outcomes import ExperimentResult, Floats, Run

INTERVAL = 50.0


@dataclass(frozen=True)
class Settings:
    """A linear model, and how many data n it gets.

    Attributes:
        counts: the numbers of data n.
        features, points: p, even, and the points of the grid.
        noise_variance, prior_variance: s2 and v.
        covariance_alpha, hessian_alpha: of the two effective dimensionalities.
    """

    counts: Sequence[int] = (10, 25, 50, 75, 100, 125, 150, 175, 200, 225, 250, 275, 300)
    features: int = 200
    points: int = 300
    noise_variance: float = 0.1
    prior_variance: float = 3.0
    covariance_alpha: float = 5.0
    hessian_alpha: float = 1.0


@dataclass(frozen=True)
class Result(ExperimentResult):
    """Effective dimensionalities (m,) at growing numbers of data (m,).

    Attributes:
        covariance, hessian: in the space of the weights.
        function: of the covariance of the model's outputs at all points of the grid, at the alpha
            of the covariance.
    """

    counts: Floats
    covariance: Floats
    hessian: Floats
    function: Floats


PosteriorContractionRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Compute the dimensionalities at each number of data; a larger set holds the smaller ones.

    Returns:
        The dimensionalities.

    Raises:
        GengapError: more data than points.
    """
    most, points = max(settings.counts), settings.points
    if most > points:
        raise GengapError(f"'counts' has {most} but there are {points} points: add points.")
    x = context.generator("points").permutation(np.linspace(0, INTERVAL, points))
    design = fourier_features(x, settings.features)
    covariance, hessian, function = [], [], []
    for count in settings.counts:
        precision = design[:count].T @ design[:count] / settings.noise_variance
        curvatures, axes = np.linalg.eigh(precision)
        curvatures = curvatures.clip(0)
        hessian.append(effective_dimensionality(curvatures, settings.hessian_alpha))
        variances = 1 / (curvatures + 1 / settings.prior_variance)
        covariance.append(effective_dimensionality(variances, settings.covariance_alpha))
        # The nonzero eigenvalues of Phi S Phi^T, with S the covariance, are the squares of the
        # singular values of Phi S^(1/2).
        outputs = np.linalg.svd(design @ (axes * np.sqrt(variances)), compute_uv=False) ** 2
        function.append(effective_dimensionality(outputs, settings.covariance_alpha))
    columns = (settings.counts, covariance, hessian, function)
    return Result(*(np.array(column, float) for column in columns))


def fourier_features(x: Floats, features: int) -> Floats:
    """Return cos(k pi x) and sin(k pi x), k = 1, 2, ..., of x (n,), as (n, features)."""
    angles = np.pi * np.outer(x, np.arange(1, features // 2 + 1))
    return np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(x), -1)
