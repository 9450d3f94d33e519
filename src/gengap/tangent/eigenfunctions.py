"""Eigenfunctions of a kernel on points: exact, by leading eigenpairs, or by Nystrom's method.

An eigenvector u of the kernel's matrix on n points is an eigenfunction's values there, and its
value anywhere else is Nystrom's extension K(x, points) u / lambda.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh, lobpcg
from torch import nn

from gengap.errors import GengapError
from gengap.limits import KERNEL_BYTES, LANCZOS_BLOCK, MOST_EXACT
from gengap.networks.differentiation import CountedParameters, input_array
from gengap.tangent.kernel import Kernel, Method, empirical_ntk, kernel_operator, times
from gengap.tangent.krylov import leading_eigenpairs
from gengap.tangent.outputs import OutputSelection
from gengap.tangent.storage import read_with_weights, write_with_weights
from gengap.threads import over_blocks, slices

Floats = NDArray[np.float64]
Solver = Literal["auto", "exact", "lanczos", "lobpcg"]

LOBPCG_ITERATIONS = 200
LOBPCG_TOLERANCE = 1e-8
LOWEST_TOLERANCE = 1e-6
"""Precision of the lowest eigenvalue by products alone, as a fraction of the largest."""
ROUNDING = 10.0
"""Largest rounding of eigenvalues, in units of sqrt(n) eps lambda_max.

A kernel counts as positive semi-definite if its lowest eigenvalue is above minus this. Independent
rounding errors of n x n entries, each of the size of eps times an entry, form a matrix whose norm
is 2 sqrt(n) times theirs (Wigner's law).
"""

ROWS = 1024
"""Number of rows of a kernel that are checked together."""


@dataclass(frozen=True, eq=False)
class Eigenfunctions:
    """Eigenvalues in falling order, and eigenfunctions on n points.

    Attributes:
        values: (k,), at least 0.
        functions: (n, k), orthonormal columns; each one's entry of largest magnitude is positive.
        residuals: (k,), |K u - lambda u|, in the units of the eigenvalues.
    """

    values: Floats
    functions: Floats
    residuals: Floats

    def labels(self, index: int) -> NDArray[np.int64]:
        """Turn one eigenfunction into binary labels by its sign.

        Returns:
            (n,) int64, 1 where it is above 0.

        Raises:
            GengapError: there is no eigenfunction with this index.
        """
        check_index(index, len(self.values))
        return (self.functions[:, index] > 0).astype(np.int64)


def check_index(index: int, count: int) -> None:
    """Refuse an index that is not from 0 to count - 1."""
    if isinstance(index, bool) or not 0 <= index < count:
        raise GengapError(
            f"The eigenfunction of index {index} is asked for, but {count} were computed: "
            f"choose an index from 0 to {count - 1}, or compute more."
        )


def eigenfunctions(
    kernel: Kernel | LinearOperator,
    count: int | None = None,
    *,
    solver: Solver = "auto",
    rng: np.random.Generator | None = None,
    folder: Path | None = None,
) -> Eigenfunctions:
    """Compute the leading eigenfunctions of a symmetric positive semi-definite kernel.

    Products with a matrix go over the threads of :func:`gengap.threads.using_threads`.

    Args:
        kernel: (n, n), or an operator such as :func:`gengap.tangent.kernel_operator`.
        count: number of eigenfunctions, largest eigenvalues first; by default all (of a matrix).
        solver: ``exact`` decomposes the matrix (LAPACK's syevr); ``lanczos`` (with blocks, see
            :mod:`gengap.tangent.krylov`) and ``lobpcg`` find the leading ones by products alone;
            ``auto`` is exact for a matrix of up to 4000 points and ``lanczos`` otherwise. These two
            look for a negative eigenvalue too; the products of an operator count as float32.
        rng: draws the starting vectors of ``lanczos`` and ``lobpcg``; only these need it.
        folder: where ``lanczos`` keeps its basis, so that an interrupted call goes on from there
            when it is repeated; None keeps it in memory.

    Returns:
        Eigenvalues, orthonormal eigenfunctions and their residuals.

    Raises:
        GengapError: the kernel is not square, not symmetric, not finite, or not positive
            semi-definite by more than rounding, or ``count`` is not from 1 to n.
    """
    size = _checked_size(kernel)
    operator = isinstance(kernel, LinearOperator)
    if solver == "auto":
        solver = "lanczos" if operator or size > MOST_EXACT else "exact"
    if count is None and not operator:
        count = size
    if count is None or not 1 <= count <= size:
        raise GengapError(
            f"{count} eigenfunctions of a kernel on {size} points are asked for: "
            f"choose from 1 to {size}."
        )
    if solver == "exact":
        values, functions = _exact(kernel, count)
    else:
        if rng is None:
            raise GengapError(f"The solver '{solver}' starts at random: give it an rng.")
        values, functions = _leading(kernel, count, solver, rng, folder)
    functions = _signed(functions)
    return Eigenfunctions(np.maximum(values, 0.0), functions, _residuals(kernel, values, functions))


def nystrom(
    network: nn.Module,
    inputs: np.ndarray,
    count: int,
    *,
    landmarks: int,
    rng: np.random.Generator,
    of: OutputSelection = "scalar",
    method: Method = "auto",
    memory_budget: int = KERNEL_BYTES,
    residuals: bool = True,
    parameters: CountedParameters = "trainable",
) -> Eigenfunctions:
    """Compute the leading eigenfunctions of Nystrom's approximation of a network's kernel.

    With C the kernel between all points and m landmarks drawn at random, and W that among the
    landmarks, the approximation is C W^+ C' (Williams and Seeger 2001). Its own orthonormal
    eigenvectors are found from the QR decomposition of C W^(-1/2). Those of the landmarks, extended
    to all points, would not be orthogonal.

    Args:
        network: a network in eval mode.
        inputs: (n, *input_shape) float32.
        count: number of eigenfunctions.
        landmarks: m, from ``count`` to n.
        rng: draws the landmarks.
        of: as for :func:`gengap.tangent.empirical_ntk`.
        method: as for :func:`gengap.tangent.empirical_ntk`.
        memory_budget: bytes, as for :func:`gengap.tangent.empirical_ntk`.
        residuals: whether to compute |K u - lambda u| with the network's own kernel, matrix-free;
            NaN otherwise.
        parameters: as for :func:`gengap.tangent.empirical_ntk`.

    Returns:
        Eigenvalues, orthonormal eigenfunctions and their residuals.

    Raises:
        GengapError: the numbers do not fit, or as :func:`gengap.tangent.empirical_ntk` does.
    """
    inputs = input_array(inputs)
    size = len(inputs)
    if not 1 <= count <= landmarks <= size:
        raise GengapError(
            f"{count} eigenfunctions from {landmarks} landmarks of {size} points are asked for: "
            "choose at least as many landmarks as eigenfunctions, and at most as many as points."
        )
    selected = np.sort(rng.permutation(size)[:landmarks])
    cross = empirical_ntk(
        network,
        inputs,
        inputs[selected],
        of=of,
        method=method,
        memory_budget=memory_budget,
        parameters=parameters,
    )
    among = cross[selected].astype(np.float64)
    own_values, own = scipy.linalg.eigh((among + among.T) / 2)
    check_positive(own_values, landmarks, cross.dtype)
    significant = own_values > landmarks * np.finfo(cross.dtype).eps * own_values.max()
    if count > significant.sum():
        raise GengapError(
            f"{count} eigenfunctions are asked for, but the kernel among the {landmarks} landmarks "
            f"has rank {significant.sum()}: ask for fewer, or take more landmarks."
        )
    root = own[:, significant] / np.sqrt(own_values[significant])
    orthonormal, triangle = scipy.linalg.qr(cross @ root, mode="economic")
    left, singular, _ = scipy.linalg.svd(triangle)
    values, functions = singular[:count] ** 2, _signed(orthonormal @ left[:, :count])
    errors = np.full(count, np.nan)
    if residuals:
        operator = kernel_operator(network, inputs, of=of, parameters=parameters)
        errors = _residuals(operator, values, functions)
    return Eigenfunctions(values, functions, errors)


def extend(eigen: Eigenfunctions, cross: np.ndarray) -> Floats:
    """Extend eigenfunctions to new points by Nystrom's formula K(new, points) u / lambda.

    Args:
        eigen: eigenfunctions on n points.
        cross: the kernel between the new points and these, (m, n).

    Returns:
        (m, k). At the points themselves these are the eigenfunctions.

    Raises:
        GengapError: the shapes do not fit, or an eigenvalue is zero.
    """
    if cross.ndim != 2 or cross.shape[1] != len(eigen.functions):
        raise GengapError(
            f"A kernel of shape {list(cross.shape)} does not extend eigenfunctions on "
            f"{len(eigen.functions)} points: give one of shape (new points, those points)."
        )
    if (eigen.values <= 0).any():
        raise GengapError(
            "An eigenfunction of eigenvalue 0 has no extension: compute fewer eigenfunctions."
        )
    extended: Floats = cross.astype(np.float64) @ eigen.functions / eigen.values
    return extended


def check_positive(values: np.ndarray, size: int, kind: np.dtype | type) -> None:
    """Refuse eigenvalues that are negative by more than rounding.

    Args:
        values: eigenvalues of a kernel.
        size: its number of points.
        kind: type of its entries.

    Raises:
        GengapError: an eigenvalue is too negative.
    """
    rounding = ROUNDING * np.sqrt(size) * np.finfo(kind).eps * np.abs(values).max()
    if values.min() < -rounding:
        raise GengapError(
            f"The kernel is not positive semi-definite: its eigenvalue {values.min():.3g} is below "
            f"what rounding explains ({-rounding:.1g}), so it is no tangent kernel; compute it "
            "again by empirical_ntk with double=True."
        )


def write_eigenfunctions(
    eigen: Eigenfunctions, path: str | Path, *, network: nn.Module | None = None
) -> None:
    """Write eigenfunctions, and the weights that they belong to, as safetensors.

    Tensors ``values`` (k,), ``functions`` (n, k) and ``residuals`` (k,), and one for each weight by
    its name after ``weights.``. The same content gives the same bytes.

    Raises:
        GengapError: the folder cannot be written to.
    """
    tensors = {"values": eigen.values, "functions": eigen.functions, "residuals": eigen.residuals}
    write_with_weights(tensors, path, network)


def read_eigenfunctions(path: str | Path) -> tuple[Eigenfunctions, dict[str, np.ndarray]]:
    """Read what :func:`write_eigenfunctions` wrote.

    Returns:
        The eigenfunctions, and the weights by name.

    Raises:
        GengapError: the file is missing or is not such a file.
    """
    names = ("values", "functions", "residuals")
    arrays, weights = read_with_weights(path, "eigenfunctions", names)
    return Eigenfunctions(**arrays), weights


def _checked_size(kernel: Kernel | LinearOperator) -> int:
    shape = tuple(kernel.shape)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise GengapError(
            f"A kernel of shape {list(shape)} has no eigenfunctions: give a square one."
        )
    if isinstance(kernel, np.ndarray):
        rows = slices(len(kernel), ROWS)
        if not all(over_blocks(lambda block: bool(np.isfinite(kernel[block]).all()), rows)):
            raise GengapError("The kernel holds NaN or infinity: look at the network's weights.")
        rounding = ROUNDING * np.finfo(kernel.dtype).eps * np.abs(np.diagonal(kernel)).max()
        if any(np.abs(kernel[block] - kernel[:, block].T).max() > rounding for block in rows):
            raise GengapError(
                "The kernel is not symmetric: give that of one set of points with itself."
            )
    return int(shape[0])


def _exact(kernel: Kernel | LinearOperator, count: int) -> tuple[Floats, Floats]:
    if isinstance(kernel, LinearOperator):
        raise GengapError(
            "An operator cannot be decomposed exactly: choose the solver 'lanczos' or 'lobpcg', "
            "or compute the kernel with empirical_ntk."
        )
    # All eigenvalues are computed, whatever the count, since a negative one is at the other end.
    values, functions = scipy.linalg.eigh(kernel.astype(np.float64))
    check_positive(values, len(kernel), kernel.dtype)
    return values[::-1][:count].copy(), functions[:, ::-1][:, :count].copy()


def _leading(
    kernel: Kernel | LinearOperator,
    count: int,
    solver: Solver,
    rng: np.random.Generator,
    folder: Path | None,
) -> tuple[Floats, Floats]:
    size = kernel.shape[0]
    kind = np.float32 if isinstance(kernel, LinearOperator) else kernel.dtype
    if solver == "lobpcg":
        if 5 * count >= size:
            raise GengapError(
                f"LOBPCG finds fewer than a fifth of all {size} eigenfunctions, not {count}: "
                "choose the solver 'exact' or 'lanczos'."
            )
        matrix: Any = LinearOperator(
            kernel.shape, matvec=lambda vector: times(kernel, vector), dtype=np.float64
        )
        start = rng.standard_normal((size, count))
        scale = float(np.linalg.norm(matrix @ start[:, 0]) / np.linalg.norm(start[:, 0]))
        values, functions = lobpcg(
            matrix, start, tol=LOBPCG_TOLERANCE * scale, maxiter=LOBPCG_ITERATIONS
        )
    elif solver == "lanczos":
        if count >= size:
            raise GengapError(
                f"Lanczos finds fewer than all {size} eigenfunctions, not {count}: "
                "choose the solver 'exact'."
            )
        values, functions = leading_eigenpairs(
            lambda vectors: times(kernel, vectors), size, count, rng, folder
        )
    else:
        raise GengapError(f"Unknown solver {solver!r}: choose one of auto, exact, lanczos, lobpcg.")
    check_positive(np.append(values, _lowest(kernel, np.abs(values).max(), rng)), size, kind)
    order = np.argsort(values)[::-1]
    if not np.array_equal(order, np.arange(count)):
        values, functions = values[order], functions[:, order]
    return values, np.asarray(functions, dtype=np.float64)


def _lowest(kernel: Kernel | LinearOperator, largest: float, rng: np.random.Generator) -> float:
    """Compute the lowest eigenvalue, precise to a fraction of the largest in magnitude."""
    # ARPACK's tolerance is relative to the eigenvalue, so that one near 0 must not be the target.
    shift = 2 * largest
    flipped: Any = LinearOperator(
        kernel.shape, matvec=lambda vector: shift * vector - times(kernel, vector), dtype=np.float64
    )
    first: Any = rng.standard_normal(kernel.shape[0])
    lowest = eigsh(
        flipped, 1, which="LA", v0=first, tol=LOWEST_TOLERANCE, return_eigenvectors=False
    )
    return float(shift - lowest[0])


def _signed(functions: Floats) -> Floats:
    """Make each column's entry of largest magnitude positive, in place; signs are reproducible."""
    largest = np.concatenate(
        [
            np.abs(functions[:, columns]).argmax(0)
            for columns in slices(functions.shape[1], LANCZOS_BLOCK)
        ]
    )
    functions *= np.sign(functions[largest, np.arange(functions.shape[1])])
    return functions


def _residuals(kernel: Kernel | LinearOperator, values: Floats, functions: Floats) -> Floats:
    errors = np.empty(len(values))
    for columns in slices(len(values), LANCZOS_BLOCK):
        part = functions[:, columns]
        errors[columns] = np.linalg.norm(times(kernel, part) - part * values[columns], axis=0)
    return errors
