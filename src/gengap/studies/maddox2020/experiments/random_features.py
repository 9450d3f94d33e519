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
        alpha: of N_eff of the Hessian X^T X / n of half the mean squared error. The published
            notebook's is 0.001 in this convention.
        map_counts: the numbers of samples, and of features, of maps over both; none draws no maps.
    """

    samples: int = 200
    test_samples: int = 1000
    features: Sequence[int] = (
        *(10, 25, 50, 75, 100, 125, 150, 175, 190, 200),
        *(210, 225, 250, 300, 400, 500, 650, 800, 1000),
    )
    alpha: float = 0.1
    map_counts: Sequence[int] = ()


@dataclass(frozen=True)
class Maps:
    """Quantities over numbers of samples n and features d (c,): (c, c), n first.

    Attributes:
        norm: see :class:`Result`.
    """

    counts: Floats
    test_error: Floats
    train_error: Floats
    norm: Floats
    effective_dimensionality: Floats


@dataclass(frozen=True)
class Result(ExperimentResult):
    """Test error and effective dimensionality (m,) at growing numbers of features (m,).

    Attributes:
        test_error: norm of the error over that of the targets.
        effective_dimensionality: N_eff of the Hessian.
        published: min(n, d) - N_eff, which the paper's figure shows.
        train_error: as the test error.
        norm: of the ridge solution of penalty alpha, which the published notebook calls that in
            Hilbert space.
        maps: over n and d.
    """

    features: Floats
    test_error: Floats
    effective_dimensionality: Floats
    published: Floats
    train_error: Floats
    norm: Floats
    maps: Maps | None = None


RandomFeaturesRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Fit models of each number of features; more features hold the fewer ones."""
    rng, most = context.generator("random features"), max(settings.features)
    inputs, targets = _points(settings.samples, most, rng)
    test_inputs, test_targets = _points(settings.test_samples, most, rng)
    test = (test_inputs, test_targets)
    fits = np.array(
        [fit((inputs[:, :d], targets), test, settings.alpha) for d in settings.features]
    )
    test_error, train_error, norm, dimension = fits.T
    return Result(
        features=np.array(settings.features, float),
        test_error=test_error,
        effective_dimensionality=dimension,
        published=np.minimum(settings.samples, settings.features) - dimension,
        train_error=train_error,
        norm=norm,
        maps=_maps(context, settings) if settings.map_counts else None,
    )


def fit(
    train: tuple[Floats, Floats], test: tuple[Floats, Floats], alpha: float
) -> tuple[float, float, float, float]:
    """Fit least squares of smallest norm to training inputs (n, d) and targets (n,).

    Test inputs may have more features than training inputs; the first d count.

    Returns:
        Test and training error, over the norm of the targets; the norm of the ridge solution of
        penalty alpha; and N_eff.
    """
    inputs, targets = train
    count = inputs.shape[1]
    left, singular_values, right = np.linalg.svd(inputs, full_matrices=False)
    projected = left.T @ targets
    tiny = singular_values.max() * max(inputs.shape) * np.finfo(float).eps
    safe = np.where(singular_values > tiny, singular_values, np.inf)
    weights = right.T @ (projected / safe)
    ridge = projected * singular_values / (singular_values**2 + len(inputs) * alpha)
    errors = [
        float(np.linalg.norm(x[:, :count] @ weights - y) / np.linalg.norm(y))
        for x, y in (test, train)
    ]
    dimension = effective_dimensionality(singular_values**2 / len(inputs), alpha)
    return errors[0], errors[1], float(np.linalg.norm(ridge)), dimension


def _maps(context: Context, settings: Settings) -> Maps:
    """The fits at all pairs of counts; more samples and more features hold the fewer ones."""
    rng, most = context.generator("random features", "maps"), max(settings.map_counts)
    inputs, targets = _points(most, most, rng)
    test = _points(settings.test_samples, most, rng)
    fits = np.array(
        [
            [fit((inputs[:n, :d], targets[:n]), test, settings.alpha) for d in settings.map_counts]
            for n in settings.map_counts
        ]
    )
    return Maps(np.array(settings.map_counts, float), *np.moveaxis(fits, -1, 0))


def _points(count: int, features: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Features (count, features) and targets (count,)."""
    targets = rng.standard_normal(count)
    return targets[:, None] + rng.standard_normal((count, features)), targets
