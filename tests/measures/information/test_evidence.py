"""The Laplace evidence: the closed form of a linear model with Gaussian noise, and its maximum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from gengap.errors import GengapError
from gengap.measures.information.evidence import best_precision, check_loss, occam_factor

RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((20, 4))
TARGETS = INPUTS @ np.array([1.0, -2, 0.5, 0]) + 0.7 * RNG.standard_normal(20)
VARIANCE = 0.5
"""Of Gaussian noise, whose negative log density is the squared error up to a constant."""


def determinant(precision: float) -> float:
    spectrum = np.linalg.eigvalsh(2 * INPUTS.T @ INPUTS)
    return float(np.log1p(spectrum / precision).sum())


@pytest.mark.parametrize("precision", [0.01, 1.0, 30.0])
def test_the_evidence_of_a_linear_model_is_that_of_its_marginal_density(precision: float) -> None:
    """At the ridge solution the Laplace approximation is exact."""
    hessian = 2 * INPUTS.T @ INPUTS + precision * np.eye(4)
    weights = np.linalg.solve(hessian, 2 * INPUTS.T @ TARGETS)
    loss = float(np.square(INPUTS @ weights - TARGETS).sum())
    constant = len(TARGETS) / 2 * math.log(2 * math.pi * VARIANCE)
    found = -(loss + constant + occam_factor(precision, float(weights @ weights), determinant))
    covariance = VARIANCE * np.eye(len(TARGETS)) + INPUTS @ INPUTS.T / precision
    expected = multivariate_normal.logpdf(TARGETS, cov=covariance)
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_best_precision_is_the_lowest_of_a_grid_and_mackays_fixed_point() -> None:
    squared_norm = 3.7
    best = best_precision(squared_norm, determinant)
    grid = np.geomspace(1e-3, 1e3, 4001)
    factors = [occam_factor(value, squared_norm, determinant) for value in grid]
    assert best == pytest.approx(grid[int(np.argmin(factors))], rel=2e-3)
    spectrum = np.linalg.eigvalsh(2 * INPUTS.T @ INPUTS)
    determined = float((spectrum / (spectrum + best)).sum())
    assert best == pytest.approx(determined / squared_norm, rel=1e-4)


def test_a_piecewise_linear_loss_is_refused() -> None:
    check_loss("nll")
    with pytest.raises(GengapError, match="hinge is piecewise linear"):
        check_loss("hinge")
