"""Curvature: the Hessian of a loss and its relatives, their spectra, effective dimensionality.

Front doors: :func:`hessian` (and :func:`ggn`, :func:`gradient_second_moment`) give an operator with
``matvec``, ``eigsh``, ``spectrum``, ``trace`` and ``spectral_density``;
:func:`effective_dimensionality` and :func:`outliers` take eigenvalues. ``python -m
gengap.curvature`` does it for any saved network. What ties the Hessian to the decision boundary:
:func:`alignments`, :func:`g_theta`, :func:`boundary_search`, :func:`estimate_margin`; and
:func:`neural_collapse`.
"""

from gengap.curvature.alignment import GTheta, alignments, g_theta
from gengap.curvature.collapse import collapse_of, neural_collapse
from gengap.curvature.effective_dimension import (
    EffectiveDimensionality,
    effective_dimensionality,
    outliers,
    sweep,
)
from gengap.curvature.gauss_newton import gauss_newton_g_theta
from gengap.curvature.margin import boundary_search, estimate_margin
from gengap.curvature.operators import (
    CurvatureOperator,
    ggn,
    gradient_second_moment,
    hessian,
    is_twice_differentiable,
)
from gengap.curvature.per_sample import per_sample_gradients
from gengap.curvature.spectra import EigenPairs, Negatives, negatives
from gengap.curvature.stochastic import Estimate, SpectralDensity

__all__ = [
    "CurvatureOperator",
    "EffectiveDimensionality",
    "EigenPairs",
    "Estimate",
    "GTheta",
    "Negatives",
    "SpectralDensity",
    "alignments",
    "boundary_search",
    "collapse_of",
    "effective_dimensionality",
    "estimate_margin",
    "g_theta",
    "gauss_newton_g_theta",
    "ggn",
    "gradient_second_moment",
    "hessian",
    "is_twice_differentiable",
    "negatives",
    "neural_collapse",
    "outliers",
    "per_sample_gradients",
    "sweep",
]
