"""Eigenvalues of symmetric linear operators: all of them, or the outermost with their vectors."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import DTypeLike
from scipy.sparse.linalg import LinearOperator

from gengap.curvature.lanczos import largest_eigenpairs
from gengap.errors import GengapError
from gengap.limits import DENSE_LIMIT
from gengap.seeding import salted

log = logging.getLogger(__name__)

End = Literal["top", "bottom"]

TOLERANCE = {"float32": 1e-5, "float64": 1e-8}
"""Tolerance of residuals, relative to the largest eigenvalue; eigenvalues are far closer."""
PRODUCTS, PRODUCTS_PER_PAIR = 1000, 100
"""The default limit of products: a fixed number, and a number for each pair."""
ROUNDING = 10
"""An eigenvalue at most this many spacings of the largest below zero may be a zero."""


class SolverOptions(TypedDict, total=False):
    """The keywords of :func:`eigsh`, for a function that passes them on."""

    tolerance: float | None
    limit: int | None
    seed: int | np.random.SeedSequence


@dataclass(frozen=True, eq=False)
class EigenPairs:
    """Eigenvalues of one end of a spectrum.

    Attributes:
        values: (k,), from the outermost inwards.
        vectors: (p, k), orthonormal columns.
        residuals: (k,), bounds of |A v - lambda v|.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray


@dataclass(frozen=True)
class Negatives:
    """How much of a spectrum is below zero.

    Attributes:
        count: eigenvalues below zero by more than :data:`ROUNDING` spacings of the largest.
        mass: the sum of the absolute values of all eigenvalues below zero.
    """

    count: int
    mass: float


def eigsh(
    operator: LinearOperator,
    count: int,
    which: End = "top",
    *,
    tolerance: float | None = None,
    limit: int | None = None,
    seed: int | np.random.SeedSequence = 0,
) -> EigenPairs:
    """Compute the largest (``top``) or smallest (``bottom``) eigenpairs of a symmetric operator.

    Args:
        operator: (p, p), symmetric, float32 or float64.
        count: k, from 1 to p.
        which: the end of the spectrum, by signed value: ``bottom`` finds the most negative.
        tolerance: largest residual, relative to the largest |eigenvalue|: 1e-5 in float32 and 1e-8
            in float64 by default.
        limit: largest number of products with the operator; by default 1000, and 100 for each pair.
        seed: seed of the starting vectors, see :func:`gengap.seeding.salted`.

    Returns:
        The eigenpairs, from the outermost inwards.

    Raises:
        GengapError: more pairs than parameters (or none) are asked for, or they do not converge;
            the sentence gives the residual.
    """
    size = operator.shape[0]
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise GengapError(f"{count!r} eigenpairs are asked for: ask for at least 1.")
    if count > size:
        raise GengapError(
            f"{count} eigenpairs are asked for, but there are {size} parameters: ask for at most "
            "that many."
        )
    if which not in ("top", "bottom"):
        raise GengapError(f"The end of the spectrum is {which!r}: choose top or bottom.")
    sign = 1 if which == "top" else -1
    values, vectors, residuals = largest_eigenpairs(
        lambda vector: sign * operator.matvec(vector),
        size,
        int(count),
        salted(seed, "eigenpairs"),
        dtype=operator.dtype,
        tolerance=TOLERANCE[operator.dtype.name] if tolerance is None else tolerance,
        limit=PRODUCTS + PRODUCTS_PER_PAIR * int(count) if limit is None else limit,
    )
    log.info(
        "%d eigenvalues from %.4g to %.4g, largest residual %.2g, %d below zero by more than it",
        count,
        sign * values[0],
        sign * values[-1],
        residuals.max(),
        int((sign * values < -residuals.max()).sum()),
    )
    return EigenPairs(sign * values, vectors, residuals)


def dense(operator: LinearOperator) -> np.ndarray:
    """Form the matrix itself, made symmetric.

    Returns:
        (p, p) float64.

    Raises:
        GengapError: there are more than :data:`gengap.limits.DENSE_LIMIT` parameters.
    """
    size = operator.shape[0]
    if size > DENSE_LIMIT:
        raise GengapError(
            f"A matrix of {size} parameters is too large to be formed (at most {DENSE_LIMIT}): ask "
            "for its outermost eigenvalues, its trace or its spectral density."
        )
    matrix = operator.matmat(np.eye(size, dtype=operator.dtype)).astype(np.float64)
    return np.asarray((matrix + matrix.T) / 2)


def spectrum(operator: LinearOperator) -> np.ndarray:
    """Compute all eigenvalues (p,), descending, float64; refuses what :func:`dense` refuses."""
    values = np.linalg.eigvalsh(dense(operator))[::-1].copy()
    below = negatives(values, operator.dtype)
    log.info("%d eigenvalues, %d below zero, of mass %.3g", len(values), below.count, below.mass)
    return values


def negatives(values: np.ndarray, dtype: DTypeLike = np.float32) -> Negatives:
    """Compute the number and the mass of the eigenvalues below zero.

    Those that are zero up to rounding (:data:`ROUNDING` spacings of the largest) have mass but do
    not count. Ritz values lie above the smallest eigenvalues, which they approximate, so the count
    from some of these is a lower bound, whatever their residuals are.

    Args:
        values: eigenvalues (k,), the largest |eigenvalue| among them.
        dtype: type in which the matrix or its products were computed.

    Returns:
        Number and mass.
    """
    below = values[values < 0]
    rounding = ROUNDING * np.finfo(dtype).eps * np.abs(values).max(initial=0.0)
    return Negatives(int((below < -rounding).sum()), float(-below.sum()))
