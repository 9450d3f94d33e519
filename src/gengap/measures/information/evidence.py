"""The Laplace approximation of the evidence, as a function of the prior's precision."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import minimize_scalar

from gengap.curvature.gauss_newton import FACTORS
from gengap.errors import GengapError

SMALLEST, LARGEST = 1e-8, 1e8
"""Precisions among which the best is looked for."""
TOLERANCE = 1e-6
"""Tolerance of the logarithm of the precision."""

LogDeterminant = Callable[[float], float]
"""Maps a precision delta to log det(I + H / delta), H the Hessian of the summed loss."""


def occam_factor(precision: float, squared_norm: float, log_determinant: LogDeterminant) -> float:
    r"""Compute minus the log evidence less the summed loss: $(\delta |\theta|^2 + \log\det)/2$.

    Args:
        precision: delta of the prior N(0, I / delta).
        squared_norm: $|\theta|^2$ of the parameters.
        log_determinant: log det(I + H / delta) of a precision.

    Returns:
        The cost of the parameters, in nats for all inputs together.
    """
    return (precision * squared_norm + log_determinant(precision)) / 2


def best_precision(squared_norm: float, log_determinant: LogDeterminant) -> float:
    """Find the prior precision of the largest evidence.

    In the logarithm of the precision, :func:`occam_factor` is convex, since both of its parts are:
    an exponential, and a sum of softplus functions. So there is one minimum.

    Args:
        squared_norm: that of the parameters.
        log_determinant: log det(I + H / delta) of a precision.

    Returns:
        The precision, between :data:`SMALLEST` and :data:`LARGEST`.
    """
    found = minimize_scalar(
        lambda logarithm: occam_factor(math.exp(logarithm), squared_norm, log_determinant),
        bounds=(math.log(SMALLEST), math.log(LARGEST)),
        method="bounded",
        options={"xatol": TOLERANCE},
    )
    return math.exp(float(found.x))


def check_loss(loss: str) -> None:
    """Refuse a loss that is piecewise linear in the outputs.

    Raises:
        GengapError: it has no Gauss-Newton matrix.
    """
    if loss not in FACTORS:
        raise GengapError(
            f"An information criterion needs a loss with a curvature, and {loss} is piecewise "
            f"linear: train with one of {', '.join(FACTORS)}."
        )
