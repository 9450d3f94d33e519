"""Numbers of a user's own as float32, refused where float32 cannot hold them apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.part import listed
from gengap.errors import GengapError

LARGEST_ERROR = 1e-3
"""Rounding may move a value by this share of the standard deviation of its component."""

FLOAT64_NOISE = 1e-12
"""Deviations of this share of the values are rounding of float64: the component is constant."""

BLOCK = 64
"""Components that are looked at together, so that memory is read in order."""


def as_float32(values: np.ndarray, subject: str) -> NDArray[np.float32]:
    """Return finite numbers as float32.

    Args:
        values: (n,), or (n, ..., components): real numbers of any type.
        subject: what they are, the beginning of a sentence in the plural.

    Returns:
        The same numbers, rounded.

    Raises:
        GengapError: a number is too large for float32, or the numbers of a component differ by so
            little that rounding changes or removes the differences.
    """
    with np.errstate(over="ignore"):
        numbers: NDArray[np.float32] = values.astype(np.float32)
    rows = bad_rows(~np.isfinite(numbers))
    if rows.size:
        raise GengapError(f"{subject} are too large for float32 in row {listed(rows)}: scale them.")
    if values.dtype != np.float32:
        components = values.shape[-1] if values.ndim > 1 else 1
        shape = (*values.shape[: max(values.ndim - 1, 1)], components)
        for start in range(0, components, BLOCK):
            block = (..., slice(start, start + BLOCK))
            _check_differences(values.reshape(shape)[block], numbers.reshape(shape)[block], subject)
    return numbers


def bad_rows(faulty: np.ndarray) -> NDArray[np.intp]:
    """Return the rows, counted from 0, of an array (n, ...) that hold anything true."""
    return np.flatnonzero(faulty.any(axis=tuple(range(1, faulty.ndim))))


def _check_differences(values: np.ndarray, numbers: np.ndarray, subject: str) -> None:
    axes = tuple(range(values.ndim - 1))
    # float64 holds integers apart up to 2**53 only.
    is_integer = values.dtype.kind in "iu"
    exact = values.astype(np.longdouble if is_integer else np.float64, copy=False)
    error, spread = np.abs(exact - numbers).max(axis=axes), exact.std(axis=axes)
    noise = 0.0 if is_integer else FLOAT64_NOISE * np.abs(exact).max(axis=axes)
    lost = np.flatnonzero((spread > noise) & (error > LARGEST_ERROR * spread))
    if lost.size:
        component = values[..., lost[0]]
        raise GengapError(
            f"{subject} lie so close together, from {component.min()} to {component.max()}, that "
            "float32 rounds their differences away: subtract their mean, or leave out numbers that "
            "are names."
        )
