"""Curvature: the Hessian of a loss and related matrices, spectra, effective dimensionality.

:func:`hessian`, :func:`ggn` and :func:`gradient_second_moment` return an operator with ``matvec``,
``eigsh``, ``spectrum``, ``trace`` and ``spectral_density``; :func:`effective_dimensionality` and
:func:`outliers` take its eigenvalues. ``gengap eigenvalues`` reports them for any saved network.
:func:`alignments`, :func:`g_theta`, :func:`boundary_search` and :func:`estimate_margin` tie the
Hessian to the decision boundary; :func:`neural_collapse` measures how far the last features have
collapsed.
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
