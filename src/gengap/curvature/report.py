"""Eigenvalues and effective dimensionality of any saved network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gengap.curvature.effective_dimension import filter_factors, sweep
from gengap.curvature.operators import CurvatureOperator, Dtype, Reduction, ggn, hessian
from gengap.curvature.spectra import EigenPairs
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.files import writing
from gengap.limits import DENSE_LIMIT, LARGEST_EIGENVALUES
from gengap.networks.differentiation import CountedParameters

log = logging.getLogger(__name__)

Matrix = Literal["hessian", "ggn"]
SMALLEST = 5
"""Default number of smallest eigenvalues: the negative ones, if there are any."""
MATRICES = {"hessian": hessian, "ggn": ggn}
Vectors = tuple[NDArray[np.floating] | None, NDArray[np.floating] | None]


@dataclass(frozen=True, eq=False)
class CurvatureReport:
    """Eigenvalues of a network's curvature, and the quantities that follow from them.

    Attributes:
        eigenvalues: (k,), descending: all of them, or the largest.
        residuals: (k,), bounds of |A v - lambda v|; 0 where all eigenvalues are known.
        smallest: (b,), ascending: the smallest eigenvalues; empty where all are known.
        parameters: p.
        loss: the loss, of the same reduction.
        trace, trace_error: the trace and its standard error, 0 where all eigenvalues are known.
        alphas: (m,).
        effective_dimensionality: (m,), of the ``eigenvalues``; a lower bound unless all are known.
        negatives, negative_mass: number and mass of the computed eigenvalues below zero.
        vectors: (p, k), the eigenvectors of ``eigenvalues``; None unless they were asked for.
        smallest_vectors: (p, b), likewise of ``smallest``.
    """

    eigenvalues: NDArray[np.float64]
    residuals: NDArray[np.float64]
    smallest: NDArray[np.float64]
    parameters: int
    loss: float
    trace: float
    trace_error: float
    alphas: NDArray[np.float64]
    effective_dimensionality: NDArray[np.float64]
    negatives: int
    negative_mass: float
    vectors: NDArray[np.floating] | None = None
    smallest_vectors: NDArray[np.floating] | None = None

    def write(self, path: str | Path) -> None:
        """Write every attribute as an array of an npz file; equal reports give equal bytes."""
        with writing(path) as part, part.open("wb") as file:
            arrays = {name: value for name, value in vars(self).items() if value is not None}
            np.savez(file, allow_pickle=False, **arrays)

    def text(self) -> str:
        """Return the numbers as text, one per line."""
        known = len(self.eigenvalues)
        number = known + len(self.smallest)
        computed = "" if known == self.parameters else f" of the {number} computed"
        below = f"{self.negatives}{computed}, of mass {self.negative_mass:.3g}"
        lines = [
            f"parameters                {self.parameters}",
            f"loss                      {self.loss:.6g}",
            f"eigenvalues computed      {number}",
            f"largest eigenvalue        {self.eigenvalues[0]:.6g}",
            f"largest residual          {self.residuals.max():.2g}",
            f"trace                     {self.trace:.6g} +- {self.trace_error:.2g}",
            f"below zero                {below}",
        ]
        partial = "" if known == self.parameters else f" of the {known} largest eigenvalues"
        lines += [
            f"N_eff, alpha {alpha:<12g} {value:.6g}{partial}"
            for alpha, value in zip(self.alphas, self.effective_dimensionality, strict=True)
        ]
        return "\n".join(lines)


def report(
    network: nn.Module,
    loss: str,
    data: Split,
    *,
    matrix: Matrix = "hessian",
    reduction: Reduction = "mean",
    dtype: Dtype | None = None,
    top: int | None = LARGEST_EIGENVALUES,
    bottom: int | None = None,
    alphas: Sequence[float] = (0.01, 0.1, 1.0, 10.0),
    seed: int | np.random.SeedSequence = 0,
    parameters: CountedParameters = "trainable",
    dense_limit: int = DENSE_LIMIT,
    keep_vectors: bool = False,
) -> CurvatureReport:
    """Compute eigenvalues of a network's curvature, and what follows from them.

    Args:
        network: the network with its weights.
        loss: one of ``gengap.names.LOSSES``.
        data: the inputs and labels that the loss is over.
        matrix: ``hessian`` or ``ggn``.
        reduction: whether the loss is the ``mean`` or the ``sum`` over the inputs.
        dtype: type in which products are computed.
        top: number of largest eigenvalues; None for all.
        bottom: number of smallest eigenvalues besides; None for 5, or as many as are left.
        alphas: alphas of the effective dimensionality: weight decays if ``reduction`` is mean, n
            times these if it is sum.
        seed: seed of the random vectors, see :func:`gengap.seeding.salted`.
        parameters: which ones count, see :class:`gengap.curvature.operators.OperatorOptions`.
        dense_limit: most parameters for which all eigenvalues are computed, in 24 bytes for each
            pair of parameters.
        keep_vectors: whether the report holds the eigenvectors.

    Returns:
        The eigenvalues, the trace, the effective dimensionality and the negative part.

    Raises:
        GengapError: see :func:`gengap.curvature.hessian` and :mod:`gengap.curvature.spectra`.
    """
    if matrix not in MATRICES:
        raise GengapError(f"The matrix is {matrix!r}: choose one of {', '.join(MATRICES)}.")
    operator = MATRICES[matrix](
        network, loss, data, reduction=reduction, dtype=dtype, parameters=parameters
    )
    vectors: Vectors = (None, None)
    if top is None:
        if keep_vectors:
            values, every = operator.eigh(dense_limit)
            vectors = every, every[:, :0]
        else:
            values = operator.spectrum(dense_limit)
        smallest, residuals = np.zeros(0), np.zeros(len(values))
        total, error = float(values.sum()), 0.0
    else:
        largest, least = _outermost(operator, top, bottom, seed)
        values, residuals = largest.values.astype(float), largest.residuals
        smallest = least.values.astype(float) if least else np.zeros(0)
        if keep_vectors:
            vectors = largest.vectors, least.vectors if least else largest.vectors[:, :0]
        estimate = operator.trace(seed=seed)
        total, error = estimate.value, estimate.standard_error
    summary = sweep(np.concatenate([values, smallest]), alphas, operator.dtype)
    return CurvatureReport(
        eigenvalues=values,
        residuals=residuals,
        smallest=smallest,
        parameters=operator.size,
        loss=operator.loss,
        trace=total,
        trace_error=error,
        alphas=summary.alphas,
        effective_dimensionality=np.array([filter_factors(values, a).sum() for a in alphas]),
        negatives=summary.negatives.count,
        negative_mass=summary.negatives.mass,
        vectors=vectors[0],
        smallest_vectors=vectors[1],
    )


def _outermost(
    operator: CurvatureOperator, top: int, bottom: int | None, seed: int | np.random.SeedSequence
) -> tuple[EigenPairs, EigenPairs | None]:
    if bottom is None:
        bottom = max(min(SMALLEST, operator.size - top), 0)
    if top + bottom > operator.size:
        raise GengapError(
            f"{top + bottom} eigenvalues are asked for, but there are {operator.size} parameters: "
            f"ask for at most that many{', or for all' if operator.size <= DENSE_LIMIT else ''}."
        )
    smallest = operator.eigsh(bottom, "bottom", seed=seed) if bottom else None
    return operator.eigsh(top, seed=seed), smallest
