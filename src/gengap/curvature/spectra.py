"""Eigenvalues of symmetric linear operators: all of them, or the outermost with their vectors."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
import scipy.linalg
from numpy.typing import DTypeLike, NDArray
from scipy.sparse.linalg import LinearOperator

from gengap.curvature.lanczos import largest_eigenpairs
from gengap.errors import GengapError
from gengap.limits import DENSE_BYTES, DENSE_LIMIT
from gengap.seeding import salted

log = logging.getLogger(__name__)

End = Literal["top", "bottom"]

TOLERANCE = {"float32": 1e-5, "float64": 1e-8}
"""Tolerance of residuals, relative to the largest eigenvalue; eigenvalues are far closer."""
PRODUCTS, PRODUCTS_PER_PAIR = 1000, 100
"""The default limit of products: a fixed number, and a number for each pair."""
DENSE_COLUMNS = 512
"""Columns of a matrix that are formed at a time."""
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


def dense(operator: LinearOperator, limit: int = DENSE_LIMIT) -> NDArray[np.float64]:
    """Form the matrix itself, made symmetric.

    Args:
        operator: (p, p), symmetric.
        limit: most parameters for which it is formed.

    Returns:
        (p, p) float64.

    Raises:
        GengapError: there are more parameters.
    """
    size = operator.shape[0]
    if size > limit:
        raise GengapError(
            f"A matrix of {size} parameters is too large to be formed (at most {limit}): ask for "
            "its outermost eigenvalues, its trace or its spectral density, or raise the limit (all "
            f"eigenvalues take {DENSE_BYTES * size**2 / 1e9:.2g} GB)."
        )
    matrix = np.empty((size, size))
    for start in range(0, size, DENSE_COLUMNS):
        units = np.eye(size, min(DENSE_COLUMNS, size - start), -start, dtype=operator.dtype)
        matrix[:, start : start + DENSE_COLUMNS] = operator.matmat(units)
    for start in range(0, size, DENSE_COLUMNS):
        rows, below = slice(start, start + DENSE_COLUMNS), slice(start, None)
        mean = (matrix[below, rows] + matrix[rows, below].T) / 2
        matrix[below, rows] = mean
        matrix[rows, below] = mean.T
    return matrix


def spectrum(operator: LinearOperator, limit: int = DENSE_LIMIT) -> NDArray[np.float64]:
    """Compute all eigenvalues (p,), descending, float64; refuses what :func:`dense` refuses."""
    values = scipy.linalg.eigvalsh(dense(operator, limit).T, overwrite_a=True, check_finite=False)
    descending = np.asarray(values[::-1], dtype=np.float64)
    return _logged(descending, operator.dtype)


def eigh(
    operator: LinearOperator, limit: int = DENSE_LIMIT
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute all eigenpairs of a symmetric operator, which is formed, in float64.

    Parameters of which the matrix has a row of zeros, such as those of units that no input
    activates, are left out of the decomposition: the eigenvectors of the eigenvalue 0 are their
    unit vectors. In float32 the decomposition would take half the time, but mix eigenvectors whose
    eigenvalues differ by less than 1e-7 of the largest.

    Args:
        operator: (p, p), symmetric.
        limit: most parameters for which the matrix is formed.

    Returns:
        Eigenvalues (p,), descending, and orthonormal eigenvectors as columns (p, p).

    Raises:
        GengapError: there are more parameters.
    """
    matrix = dense(operator, limit)
    used: NDArray[np.bool_] = np.asarray(matrix.any(axis=0))
    size, count = len(used), int(used.sum())
    if count < size:
        matrix = matrix[np.ix_(used, used)]
    # The matrix is negated and overwritten, so that eigenvalues descend and nothing is copied.
    np.negative(matrix, out=matrix)
    negated, vectors = scipy.linalg.eigh(
        matrix.T, overwrite_a=True, check_finite=False, driver="evd"
    )
    del matrix
    values = -negated
    if count < size:
        values, vectors = _with_zeros(values, vectors, used)
    return _logged(values, operator.dtype), vectors


def _with_zeros(
    values: NDArray[np.float64], vectors: NDArray[np.float64], used: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add the eigenvalue 0 of each parameter that is not used, with its unit vector."""
    size, unused = len(used), np.flatnonzero(~used)
    all_values = np.concatenate([values, np.zeros(len(unused))])
    order = np.argsort(-all_values, kind="stable")
    place = np.empty(size, dtype=np.intp)
    place[order] = np.arange(size)
    all_vectors = np.zeros((size, size), order="F")
    all_vectors[np.ix_(np.flatnonzero(used), place[: len(values)])] = vectors
    all_vectors[unused, place[len(values) :]] = 1.0
    return all_values[order], all_vectors


def _logged(values: NDArray[np.float64], dtype: DTypeLike) -> NDArray[np.float64]:
    below = negatives(values, dtype)
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
