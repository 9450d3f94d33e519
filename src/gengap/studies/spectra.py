"""The spectrum of the Hessian of the mean training loss, as far as it can be computed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import SeedSequence

from gengap.curvature import CurvatureOperator, SpectralDensity, effective_dimension, hessian
from gengap.curvature.effective_dimension import filter_factors
from gengap.curvature.products import ProductRecord
from gengap.datasets import Split
from gengap.limits import DENSE_LIMIT
from gengap.networks import Network, add_weights, parameter_count
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats

OUTLIER_WINDOW = 30
"""Outliers are sought among this many of the largest eigenvalues."""

DOUBLE_LIMIT = 100_000
"""Number of parameters above which eigenpairs are computed in float32, to 1e-5 of the largest."""

LEADING = 100
"""Eigenpairs computed where the Hessian is too large to be formed."""

QUADRATURE_RUNS, QUADRATURE_STEPS = 2, 30
"""Of the quadrature of all eigenvalues but the largest."""


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of one Hessian, or of those of several networks along leading axes (...).

    Attributes:
        values: (..., k), all p eigenvalues or the largest ones, descending; NaN in the places of
            those that there are not.
        least: (...), the smallest of all.
        nodes, weights: (..., q), a quadrature of all eigenvalues that are not in ``values``: Ritz
            values, and how many eigenvalues each stands for. Empty where there are none, or where
            they were not estimated.
    """

    values: Floats
    least: Floats | float
    nodes: Floats
    weights: Floats

    @property
    def outliers(self) -> int:
        """The number of one Hessian's eigenvalues above the widest gap between their logarithms."""
        return int(effective_dimension.outliers(self.values[:OUTLIER_WINDOW]))

    @property
    def above_bulk(self) -> int:
        """The number of eigenvalues above the bulk, taken to be as wide above 0 as below."""
        return int((self.values > -np.minimum(self.least, 0.0)).sum())

    def dimensions(self, alphas: Sequence[float]) -> Floats:
        """Return the effective dimensionality N_eff (..., alphas) of all eigenvalues."""
        others = [(self.weights * filter_factors(self.nodes, alpha)).sum(-1) for alpha in alphas]
        return np.asarray(self.leading_dimensions(alphas) + np.stack(others, axis=-1))

    def leading_dimensions(self, alphas: Sequence[float]) -> Floats:
        """Return what ``values`` alone contribute to N_eff (..., alphas)."""
        values = np.nan_to_num(self.values)
        return np.stack([filter_factors(values, alpha).sum(-1) for alpha in alphas], axis=-1)


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues of a Hessian with their eigenvectors.

    Attributes:
        spectrum: of the eigenvalues (k,), all p or the leading ones.
        vectors: (p, k), orthonormal columns.
        trace: exact where all eigenvalues are known, else estimated.
    """

    spectrum: Spectrum
    vectors: Floats
    trace: float

    @property
    def values(self) -> Floats:
        """The eigenvalues (k,), descending."""
        return self.spectrum.values


def eigenpairs_of(
    context: Context,
    network: Network,
    data: Split,
    loss: str,
    leading: int = LEADING,
    *,
    dense_limit: int = DENSE_LIMIT,
    name: str | None = None,
) -> Eigenpairs:
    """Compute all eigenpairs where the Hessian can be formed, else so many leading ones.

    The Hessian is that of the mean loss of a network in eval mode over the training data. The
    context's seed starts the iterations.

    Args:
        context: seed, and the files that were asked for.
        network: the network with its weights.
        data: the training data.
        loss: of training.
        leading: eigenpairs where there are more parameters than the limit.
        dense_limit: most parameters for which all eigenpairs are computed, in 24 bytes for each
            pair of parameters.
        name: of the network among those of the run, for its files; None writes none.

    Returns:
        The eigenpairs, the trace, and the smallest eigenvalue.
    """
    pairs = _computed_pairs(context, network, data, loss, leading, dense_limit)
    if context.files is not None and name is not None:
        context.files.write_array("spectra", name, pairs.values)
        context.files.write_array("eigenvectors", name, pairs.vectors)
    return pairs


def _computed_pairs(
    context: Context, network: Network, data: Split, loss: str, leading: int, dense_limit: int
) -> Eigenpairs:
    large = parameter_count(network) > DOUBLE_LIMIT
    operator = hessian(network, loss, data, dtype="float32" if large else "float64")
    none = np.zeros(0)
    if operator.size <= dense_limit:
        values, vectors = operator.eigh(dense_limit)
        descending = Spectrum(values, float(values[-1]), none, none)
        return Eigenpairs(descending, vectors, float(values.sum()))
    seed = SeedSequence(context.seed_for("eigenvectors"))
    pairs = operator.eigsh(min(leading, operator.size), seed=seed)
    trace = operator.trace(seed=SeedSequence(context.seed_for("trace"))).value
    least = float(operator.eigsh(1, "bottom", seed=seed).values[0])
    spectrum = Spectrum(pairs.values.astype(float), least, none, none)
    return Eigenpairs(spectrum, pairs.vectors.astype(float), trace)


def record_products(context: Context, operator: CurvatureOperator, network: Network) -> None:
    """Keep an operator's products in the run's unfinished state, and read those that are there.

    So iterations of hours go on where an interrupted run was. Products take as much room on the
    disk as one copy of the weights each.

    Args:
        context: with the folder of the state; without one nothing is kept.
        operator: of the network.
        network: the network, whose weights the file's name is a digest of.
    """
    if context.resume_from is not None:
        name = f"products_{weights_digest(network)}"
        operator.record = ProductRecord(context.resume_from / name)


def weights_digest(network: Network) -> str:
    """Return 16 digits that tell networks of other weights apart."""
    digest = hashlib.sha256()
    add_weights(digest, network)
    return digest.hexdigest()[:16]


def spectrum_of(
    context: Context, operator: CurvatureOperator, count: int
) -> tuple[Spectrum, SpectralDensity]:
    """Compute the largest eigenvalues, and estimate all others by stochastic quadrature.

    The context's seed starts the iterations and draws the probes.

    Returns:
        The spectrum, with values (count,) and a quadrature of fixed size, so that those of several
        networks can be stacked; and the density, which estimates what lies below zero.
    """
    seed = SeedSequence(context.seed_for("eigenvalues"))
    pairs = operator.eigsh(min(count, operator.size), seed=seed)
    values = np.full(count, np.nan)
    values[: len(pairs.values)] = pairs.values
    probes = SeedSequence(context.seed_for("quadrature"))
    density = operator.spectral_density(QUADRATURE_RUNS, QUADRATURE_STEPS, known=pairs, seed=probes)
    nodes, weights = np.zeros((2, QUADRATURE_RUNS * QUADRATURE_STEPS))
    nodes[: density.nodes.size] = density.nodes.ravel()
    weights[: density.nodes.size] = density.weights.ravel() / len(density.nodes)
    least = float(operator.eigsh(1, "bottom", seed=seed).values[0])
    return Spectrum(values, least, nodes, weights), density
