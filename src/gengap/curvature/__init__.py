"""Curvature: the Hessian of a loss and its relatives, their spectra, effective dimensionality.

Front doors: :func:`hessian` (and :func:`ggn`, :func:`gradient_second_moment`) give an operator with
``matvec``, ``eigsh``, ``spectrum``, ``trace`` and ``spectral_density``;
:func:`effective_dimensionality` and :func:`outliers` take eigenvalues. ``python -m
gengap.curvature`` does it for any saved network.
"""

from gengap.curvature.effective_dimension import (
    EffectiveDimensionality,
    effective_dimensionality,
    outliers,
    sweep,
)
from gengap.curvature.operators import (
    CurvatureOperator,
    ggn,
    gradient_second_moment,
    hessian,
)
from gengap.curvature.spectra import EigenPairs, Negatives, negatives
from gengap.curvature.stochastic import Estimate, SpectralDensity

__all__ = [
    "CurvatureOperator",
    "EffectiveDimensionality",
    "EigenPairs",
    "Estimate",
    "Negatives",
    "SpectralDensity",
    "effective_dimensionality",
    "ggn",
    "gradient_second_moment",
    "hessian",
    "negatives",
    "outliers",
    "sweep",
]
