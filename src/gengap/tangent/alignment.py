"""Alignments: how well a kernel fits a target.

For targets Y (n, c), or y (n,), a kernel K on n points:

* raw, tr(Y' K Y) / tr(Y' Y) (Ortiz-Jimenez et al. 2021): the Rayleigh quotient, which
  grows with the scale of the gradients alone;
* normalised, the raw one over tr(K): the fraction of the kernel's spectrum along the target, in
  [0, 1], free of that scale;
* centred, <H K H, Y Y'> / (|H K H| |H Y Y' H|), H = I - 1 1'/n, Frobenius norms: the centred
  kernel-target alignment of Cortes, Mohri and Rostamizadeh (2012, "Algorithms for learning kernels
  based on centered alignment", definition 4), in [0, 1].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from gengap.errors import GengapError
from gengap.tangent.kernel import Kernel, times

Floats = NDArray[np.float64]


def raw_alignment(kernel: Kernel | LinearOperator, targets: np.ndarray) -> float:
    """Compute tr(Y' K Y) / tr(Y' Y).

    Args:
        kernel: (n, n), or an operator such as :func:`gengap.tangent.kernel_operator`.
        targets: (n,) or (n, c), not all zero.

    Returns:
        The alignment, in the units of the kernel.

    Raises:
        GengapError: the targets do not fit the kernel or vanish.
    """
    columns = _columns(kernel, targets)
    return float(np.vdot(columns, times(kernel, columns)) / np.vdot(columns, columns))


def raw_alignments(kernel: Kernel | LinearOperator, functions: np.ndarray) -> Floats:
    """Compute y' K y / y' y of each column y of some functions.

    Args:
        kernel: (n, n), or an operator such as :func:`gengap.tangent.kernel_operator`.
        functions: (n, k), none of them zero.

    Returns:
        (k,), in the units of the kernel.

    Raises:
        GengapError: the functions do not fit the kernel or one vanishes.
    """
    columns = _columns(kernel, functions)
    aligned: Floats = (columns * times(kernel, columns)).sum(0) / (columns**2).sum(0)
    return aligned


def normalised_alignment(kernel: Kernel, targets: np.ndarray) -> float:
    """Compute the raw alignment over the kernel's trace.

    Returns:
        The fraction of the kernel's spectrum along the target, in [0, 1].

    Raises:
        GengapError: the targets do not fit the kernel or vanish, or the kernel is zero.
    """
    return raw_alignment(kernel, targets) / _nonzero(float(np.trace(kernel, dtype=np.float64)))


def centred_alignment(kernel: Kernel, targets: np.ndarray) -> float:
    """Compute the centred kernel-target alignment.

    Returns:
        The alignment, in [0, 1].

    Raises:
        GengapError: the targets do not fit the kernel, or the kernel or the targets are constant.
    """
    columns = _columns(kernel, targets - targets.mean(0))
    middle = kernel.astype(np.float64)
    middle = middle - middle.mean(0) - middle.mean(1, keepdims=True) + middle.mean()
    fit = float(np.vdot(columns, middle @ columns))
    # |H Y Y' H| is the norm of the small matrix Y' H Y.
    return fit / _nonzero(float(np.linalg.norm(middle) * np.linalg.norm(columns.T @ columns)))


def signs(labels: np.ndarray) -> Floats:
    """Turn binary labels 0, 1 into targets -1, +1; (n,)."""
    return 2.0 * labels.astype(np.float64) - 1.0


def one_hot(labels: np.ndarray, classes: int) -> Floats:
    """Turn labels (n,) into centred one-hot targets.

    Returns:
        (n, classes); the mean of each column is 0.

    Raises:
        GengapError: all labels are equal.
    """
    hot: Floats = np.eye(classes)[labels]
    if len(np.unique(labels)) < 2:
        raise GengapError(
            "All labels are equal, so no kernel aligns with them: give points of two classes."
        )
    centred: Floats = hot - hot.mean(0)
    return centred


def _columns(kernel: Kernel | LinearOperator, targets: np.ndarray) -> Floats:
    columns: Floats = np.asarray(targets, dtype=np.float64)
    columns = columns.reshape(len(columns), -1)
    if tuple(kernel.shape) != (len(columns), len(columns)):
        raise GengapError(
            f"Targets for {len(columns)} points do not fit a kernel of shape {list(kernel.shape)}: "
            "give one target for each of its points."
        )
    is_zero = (columns**2).sum(0) == 0
    if is_zero.any():
        raise GengapError(
            f"Target {is_zero.argmax()} of {len(is_zero)} is zero at every point: leave it out."
        )
    return columns


def _nonzero(scale: float) -> float:
    if not scale > 0:
        raise GengapError(
            "The kernel vanishes at these points, so it has no alignment: look at the network's "
            "weights (a layer may be dead)."
        )
    return scale
