"""Effective dimensionality of a spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from gengap.curvature.spectra import Negatives, negatives
from gengap.errors import GengapError

NOISE = 1e-6
"""Eigenvalues below this fraction of the largest are rounding errors of float32 products."""


@dataclass(frozen=True, eq=False)
class EffectiveDimensionality:
    """N_eff over a range of alpha, and what it leaves out.

    Attributes:
        alphas: (m,).
        values: N_eff (m,).
        negatives: number and mass of the eigenvalues below zero, which N_eff leaves out.
    """

    alphas: np.ndarray
    values: np.ndarray
    negatives: Negatives


def effective_dimensionality(eigenvalues: np.ndarray, alpha: float) -> float:
    """Compute N_eff, the sum of lambda / (lambda + alpha) over the positive eigenvalues.

    MacKay 1992; Maddox et al. 2020, equation 3. ``alpha`` is the precision of an isotropic Gaussian
    prior. With the Hessian of the *mean* loss over n inputs, it is the weight decay w of training
    (the penalty w/2 |theta|^2 on the mean loss); with that of the *summed* loss the same number
    comes from alpha = n w. From only some of the largest eigenvalues it is a lower bound.
    Eigenvalues below zero are left out: :func:`sweep` counts them.

    Args:
        eigenvalues: (k,), finite, in any order.
        alpha: above 0.

    Returns:
        N_eff, from 0 to the number of eigenvalues.

    Raises:
        GengapError: alpha is not above 0, or an eigenvalue is not finite.
    """
    real = isinstance(alpha, int | float | np.integer | np.floating)
    if not real or not alpha > 0 or not np.isfinite(alpha):
        raise GengapError(
            f"alpha of the effective dimensionality is {alpha!r}: give a finite number above 0."
        )
    return float(filter_factors(_checked(eigenvalues), float(alpha)).sum())


def filter_factors(eigenvalues: np.ndarray, alpha: float) -> np.ndarray:
    """Compute lambda / (lambda + alpha) of each eigenvalue; 0 where it is not positive."""
    positive = np.maximum(eigenvalues, 0.0)
    return np.asarray(positive / (positive + alpha))


def sweep(
    eigenvalues: np.ndarray, alphas: Sequence[float], dtype: DTypeLike = np.float32
) -> EffectiveDimensionality:
    """Compute :func:`effective_dimensionality` at several alphas, and the negative part.

    Args:
        eigenvalues: (k,), finite, in any order.
        alphas: each above 0.
        dtype: type of the products that the eigenvalues came from.

    Returns:
        N_eff at each alpha, and the number and mass of the eigenvalues below zero.
    """
    values = [effective_dimensionality(eigenvalues, alpha) for alpha in alphas]
    return EffectiveDimensionality(
        np.asarray(alphas, float), np.array(values), negatives(_checked(eigenvalues), dtype)
    )


def outliers(eigenvalues: np.ndarray) -> int:
    """Count the eigenvalues above the largest gap of the logarithms in the upper half.

    Of k eigenvalues each of the (k + 1) / 2 largest is compared with the next. The lower half
    counts as the bulk, where the ratio of two small numbers may be larger than any above. This is
    the ratio estimator of Lam and Yao (2012, "Factor modeling for high-dimensional time series",
    section 2.2), which looks for the largest ratio up to half of the eigenvalues. Eigenvalues up to
    :data:`NOISE` times the largest count as equal to that bound: [3, 3, 0] has two outliers. Of
    equal gaps the first counts.

    Args:
        eigenvalues: (k,), in any order.

    Returns:
        The number of outliers; 0 where no eigenvalue is positive, or where all are equal and there
        is no gap. It depends on k, so compare spectra of the same k.

    Raises:
        GengapError: an eigenvalue is not finite.
    """
    ordered = np.sort(_checked(eigenvalues))[::-1]
    floor = NOISE * ordered.max(initial=0.0)
    if floor <= 0:
        return 0
    gaps = -np.diff(np.log(np.maximum(ordered, floor)))[: (len(ordered) + 1) // 2]
    if not len(gaps) or gaps.max() <= NOISE:
        return 0
    return int(np.argmax(gaps)) + 1


def _checked(eigenvalues: np.ndarray) -> np.ndarray:
    """Return eigenvalues as an array (k,) of float64."""
    try:
        values = np.asarray(eigenvalues)
    except ValueError:  # rows of different lengths
        values = np.empty(0, object)
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise GengapError(
            f"The eigenvalues are an array of {values.dtype} of shape {list(values.shape)}: give "
            "real numbers of shape (k,)."
        )
    if not np.isfinite(values).all():
        raise GengapError("An eigenvalue of the spectrum is NaN or infinite: compute them again.")
    return values.astype(float)
