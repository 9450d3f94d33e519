"""The arrays that callers pass, in whatever form they have them, as arrays of real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gengap.errors import GengapError

FEWEST_INPUTS = 2
"""A correlation needs at least two inputs."""


def real_array(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Return values as an array of real numbers: lists, DataFrames, tensors on the CPU, ...

    Args:
        values: anything that NumPy can read; an array is not copied.
        name: what it is, to begin the message with: "The dissimilarity".

    Returns:
        Floating-point numbers, integers or booleans of any size and byte order.

    Raises:
        GengapError: it cannot be read, has masked entries, or is not of real numbers.
    """
    if np.ma.is_masked(values):
        raise GengapError(f"{name} has masked entries: fill them in, or leave out their rows.")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise GengapError(
            f"{name} cannot be read as an array ({reason}): pass a NumPy array of real numbers."
        ) from error
    if array.dtype.kind not in "fiub":
        raise GengapError(f"{name} has type {array.dtype}: pass a dense array of real numbers.")
    return array


def square_matrix(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return a dissimilarity (n, n) as an array of real numbers, see :func:`real_array`.

    Args:
        values: (n, n).

    Returns:
        (n, n), not a copy of an array.

    Raises:
        GengapError: it is not square, or not of real numbers.
    """
    matrix = real_array(values, "The dissimilarity")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise GengapError(
            f"The dissimilarity has shape {matrix.shape}: pass a square (n, n) matrix."
        )
    return matrix


def activation_matrix(values: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Return activations (neurons, inputs) as an array of floating-point numbers.

    Args:
        values: (k, m), m at least 2.

    Returns:
        (k, m); integers and booleans as float64, floating-point numbers in their own type.

    Raises:
        GengapError: they are no matrix of real numbers, or there are fewer than two inputs.
    """
    activations = real_array(values, "The matrix of activations")
    if activations.ndim != 2 or activations.shape[1] < FEWEST_INPUTS:
        raise GengapError(
            f"Activations have shape {activations.shape}, but correlations need (neurons, inputs) "
            "with at least two inputs: sample more inputs."
        )
    return activations if activations.dtype.kind == "f" else activations.astype(np.float64)


def checked_bars(diagram: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a persistence diagram as float64, checked.

    Args:
        diagram: (bars, 2) births and deaths; a death may be infinite.

    Returns:
        (bars, 2), in the same order.

    Raises:
        GengapError: it has another shape, a birth or death is NaN, a birth is infinite, or a bar
            dies before it is born.
    """
    bars = real_array(diagram, "A persistence diagram").astype(np.float64, copy=False)
    if bars.shape == (0,):
        return np.empty((0, 2))
    if bars.ndim != 2 or bars.shape[1] != 2:
        raise GengapError(
            f"A persistence diagram has shape {bars.shape}: give (bars, 2), births and deaths."
        )
    wrong = np.flatnonzero(~(np.isfinite(bars[:, 0]) & (bars[:, 1] >= bars[:, 0])))
    if len(wrong):
        birth, death = bars[wrong[0]].tolist()
        raise GengapError(
            f"Bar {wrong[0]} of a persistence diagram is born at {birth} and dies at {death}: "
            "give births that are finite, and deaths that are not below them."
        )
    return bars
