"""Double descent of least squares on weakly informative features.

Maddox et al. 2020, section 6: a target y ~ N(0, 1), features x_j = y + N(0, 1), j = 1, ..., d, and
the least-squares solution of smallest norm. The paper's text speaks of the effective dimensionality
of the Hessian X^T X / n; its figure shows min(n, d) - N_eff. The two have opposite signs, so both
are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gengap.curvature import effective_dimensionality
from gengap.studies.context import Context
from gengap.studies.outcomes import ExperimentResult, Floats, Run


@dataclass(frozen=True)
class Settings:
    """A linear model, and how many features d it gets.

    Attributes:
        samples, test_samples: n of both splits.
        features: the numbers of features d.
        alpha: of N_eff of the Hessian X^T X / n of half the mean squared error.
    """

    samples: int = 200
    test_samples: int = 1000
    features: Sequence[int] = (
        *(10, 25, 50, 75, 100, 125, 150, 175, 190, 200),
        *(210, 225, 250, 300, 400, 500, 650, 800, 1000),
    )
    alpha: float = 0.1


@dataclass(frozen=True)
class Result(ExperimentResult):
    """Test error and effective dimensionality (m,) at growing numbers of features (m,).

    Attributes:
        test_error: norm of the error over that of the targets.
        effective_dimensionality: N_eff of the Hessian.
        published: min(n, d) - N_eff, which the paper's figure shows.
    """

    features: Floats
    test_error: Floats
    effective_dimensionality: Floats
    published: Floats


RandomFeaturesRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Fit models of each number of features; more features hold the fewer ones."""
    rng, most = context.generator("random features"), max(settings.features)
    inputs, targets = _points(settings.samples, most, rng)
    test_inputs, test_targets = _points(settings.test_samples, most, rng)
    errors, dimensions = [], []
    for count in settings.features:
        weights = np.linalg.lstsq(inputs[:, :count], targets, rcond=None)[0]
        residuals = test_inputs[:, :count] @ weights - test_targets
        errors.append(np.linalg.norm(residuals) / np.linalg.norm(test_targets))
        singular_values = np.linalg.svd(inputs[:, :count], compute_uv=False)
        curvatures = singular_values**2 / settings.samples
        dimensions.append(effective_dimensionality(curvatures, settings.alpha))
    return Result(
        features=np.array(settings.features, float),
        test_error=np.array(errors),
        effective_dimensionality=np.array(dimensions),
        published=np.minimum(settings.samples, settings.features) - np.array(dimensions),
    )


def _points(count: int, features: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Features (count, features) and targets (count,)."""
    targets = rng.standard_normal(count)
    return targets[:, None] + rng.standard_normal((count, features)), targets
