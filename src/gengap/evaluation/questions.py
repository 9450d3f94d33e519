"""Permutation tests of what a measure tells about the gap, family-wise over all measures.

Four questions are asked of every measure, scalar or vector:

- ``beats_mean``: does it predict the gap at all?
- ``adds_to_additive``: does it add to an additive model of the hyper-parameters?
- ``adds_to_pairwise``: does it add to that model with all products of two hyper-parameters?
- ``within_environments``: does it predict the gap among networks that share some hyper-parameters?

**Statistic.** Each question has nuisance columns, which a model of the gap without the measure may
use. The statistic is the partial R2: the share of the gap's variance beside these columns that the
measure's columns explain. With U an orthonormal basis of the measure's columns and e the gap's
residuals, both beside the nuisance columns, it is e'UU'e / e'e. So all permutations of all measures
are one matrix product. It is computed on the networks that are fitted: its size grows with the
number of columns, and only its permutation p value can be compared between measures.

**What is permuted.** Grid points, whole: the networks of one combination of hyper-parameters share
much beside the measure. Where networks saw different draws of the training data, the same
permutation of points is applied within each draw, and the draws' means are nuisance. Replicates of
one point and one draw are exchangeable, and are shuffled as well (Winkler et al., "Multi-level
block permutation", NeuroImage 123, 2015). A point is exchanged only with points that have as many
networks in each draw.

**Which tests are exact.**

- ``beats_mean`` and ``within_environments`` are exact at any number of networks. Their null
  hypothesis is that the vectors of gaps of the points are exchangeable given the measure; over all
  points, or over those of one environment. Their nuisance columns (means of draws; means of draws
  within environments) do not change under these permutations.
- ``adds_to_additive`` and ``adds_to_pairwise`` permute the residuals of the model without the
  measure, add them to its fit, and compute the statistic from that (Freedman and Lane, "A
  nonstochastic interpretation of reported significance levels", J. Bus. Econ. Statist. 1, 1983; the
  best of the known ways in Winkler et al., "Permutation inference for the general linear model",
  NeuroImage 92, 2014). Errors are assumed exchangeable between points, but residuals are not quite:
  they vary less than errors, and their means over the replicates of a point much less where the
  model has many coefficients. So their covariance within a point is restored first
  (:func:`leverage_adjusted`); the level is nominal as the number of points grows.
- Where products of hyper-parameters leave fewer than a quarter of the networks as degrees of
  freedom, their coefficients are penalised. This ridge regression is the model of normally
  distributed coefficients (:func:`shrinkage`). The level is then nominal on average over such
  coefficients, not for each: what the penalty leaves of an interaction stays in the residuals, so a
  measure that detects this very interaction adds to it. ``benchmarks/evaluation.py`` measures by
  how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import betainc

from gengap.errors import GengapError
from gengap.evaluation.designs import (
    NETWORKS_PER_COMPONENT,
    Design,
    Designs,
    draw_indices,
    hyper_parameter_design,
    level_indices,
    levels,
)
from gengap.evaluation.permutations import combined, permuted_networks
from gengap.evaluation.references import excess_of_products
from gengap.evaluation.regression import (
    CONSTANT_TOLERANCE,
    EXPLAINED_VARIANCE,
    RANK_TOLERANCE,
    span,
    standardised_columns,
    transformed,
)

BEATS_MEAN = "beats_mean"
ADDS_TO_ADDITIVE = "adds_to_additive"
ADDS_TO_PAIRWISE = "adds_to_pairwise"
WITHIN_ENVIRONMENTS = "within_environments"
COLUMNS = ("measure", "question", "statistic", "p", "p_family", "networks")
ROUNDING = 1e-10
"""Partial R2 that differ by less than this are equal, as are p values up to this fraction."""
VARIANCE_RATIOS = np.concatenate([[0.0], np.logspace(-3, 3, 61)])
"""Ratios of the interactions' variance to that of the errors among which ridge chooses."""


@dataclass(frozen=True)
class Nuisance:
    """What the gap may depend on besides the measure.

    Attributes:
        basis: (networks, rank) orthonormal basis of the nuisance columns, whitened.
        whitening: (networks, networks) matrix that makes the errors uncorrelated; None where they
            are.
    """

    basis: np.ndarray
    whitening: np.ndarray | None = None

    @property
    def freedom(self) -> int:
        """Degrees of freedom that the nuisance columns leave."""
        networks, rank = self.basis.shape
        return int(networks - rank)

    def residuals(self, columns: np.ndarray) -> np.ndarray:
        """Return what is left of (networks, ...) columns beside the nuisance columns."""
        if self.whitening is not None:
            columns = self.whitening @ columns
        return np.asarray(columns - self.basis @ (self.basis.T @ columns))


def ask(
    designs: Designs,
    *,
    environments: Sequence[str],
    permutations: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Answer the four questions for every measure by permutation.

    ``p`` is (1 + count) / (1 + permutations), where count is the number of permutations whose
    statistic is at least as large. ``p_family`` is adjusted over all measures by Westfall and
    Young's step-down minimum p (:func:`family_wise`): the probability that any measure without
    information about the question comes out significant is at most the level. Duplicates of a
    measure change neither.

    A question that cannot be asked has no rows: those of hyper-parameters where there are none, or
    where they leave no degree of freedom; those of their products where these take too much memory
    (:func:`gengap.evaluation.references.excess_of_products`); and ``within_environments`` where no
    two networks of an environment can be exchanged.

    Args:
        designs: the measures of a task.
        environments: hyper-parameters; networks that share their values are in one environment.
            Where none is named, the hyper-parameter that explains most of the gap's variance is
            taken (:func:`strongest_hyper_parameter`).
        permutations: random permutations, shared by all measures.
        rng: draws them.

    Returns:
        measure, question, statistic (partial R2), p, p_family, networks.

    Raises:
        GengapError: an environment is no hyper-parameter of the grid.
    """
    for name in environments:
        if name not in designs.grid.columns:
            raise GengapError(
                f"Unknown hyper-parameter {name!r} to make environments of: choose one of "
                f"{', '.join(map(str, designs.grid.columns)) or 'none, since there are none'}."
            )
    draws = draw_indices(designs.draws, len(designs.gaps))
    points = designs.points
    anywhere = np.zeros(len(points), dtype=np.int64)
    free = permuted_networks(points, draws, anywhere, permutations, rng)
    asked: list[tuple[str, Nuisance, np.ndarray, np.ndarray | None]] = [
        (BEATS_MEAN, Nuisance(orthonormal(indicators(draws))), free, None)
    ]
    if level_indices(designs.grid).shape[1]:
        strata = environment_indices(designs, environments)
        inside = permuted_networks(points, draws, strata, permutations, rng)
        additive = additive_columns(designs.grid, draws)
        asked.append((ADDS_TO_ADDITIVE, Nuisance(orthonormal(additive)), free, points))
        if not excess_of_products(designs):
            asked.append((ADDS_TO_PAIRWISE, pairwise_nuisance(designs, additive), free, points))
        asked.append((WITHIN_ENVIRONMENTS, cell_means(strata, draws), inside, None))
    measures = [replace(measure, values=unit_columns(measure)) for measure in designs.measures]
    tables = [
        answer(question, measures, designs.gaps, nuisance, sources, changing)
        for question, nuisance, sources, changing in asked
        if nuisance.freedom > 0 and not np.array_equal(sources.min(axis=0), sources.max(axis=0))
    ]
    columns = list(COLUMNS)
    return (
        pd.concat(tables, ignore_index=True)[columns]
        if tables
        else pd.DataFrame([], columns=columns)
    )


def answer(
    question: str,
    measures: Sequence[Design],
    gaps: np.ndarray,
    nuisance: Nuisance,
    sources: np.ndarray,
    points: np.ndarray | None = None,
) -> pd.DataFrame:
    """Answer one question for every measure.

    Args:
        question: its name.
        measures: with the columns of :func:`unit_columns`.
        gaps: (networks,).
        nuisance: what the gap may depend on besides the measure.
        sources: (1 + permutations, networks) from
            :func:`gengap.evaluation.permutations.permuted_networks`.
        points: (networks,) the grid point of each network, where the nuisance columns change under
            the permutations; None where they do not, so that residuals need no adjustment.

    Returns:
        The rows of ``COLUMNS``.
    """
    residuals = nuisance.residuals(gaps)
    errors = residuals if points is None else leverage_adjusted(residuals, nuisance, points)
    permuted = np.vstack([residuals, errors[sources[1:]]])
    # Where the hyper-parameters determine the gap, only rounding is left of it.
    if np.linalg.norm(residuals) <= ROUNDING * np.linalg.norm(gaps - gaps.mean()):
        permuted = np.zeros_like(permuted)
    statistics = partial_r2([directions(m, nuisance) for m in measures], permuted, nuisance)
    return pd.DataFrame(
        {
            "measure": [measure.name for measure in measures],
            "question": question,
            "statistic": statistics[0],
            "p": np.mean(statistics >= statistics[0] - ROUNDING, axis=0),
            "p_family": family_wise(statistics),
            "networks": len(gaps),
        },
        columns=list(COLUMNS),
    )


def indicators(index: np.ndarray) -> np.ndarray:
    """Return (networks, values) float64 of zeros and ones."""
    return np.asarray(np.eye(int(index.max()) + 1)[index])


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (networks, rank) of the span of columns."""
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, singular > RANK_TOLERANCE * singular.max(initial=0.0)])


def additive_columns(grid: pd.DataFrame, draws: np.ndarray) -> np.ndarray:
    """Return (networks, columns): the means of the draws and the hyper-parameters' main effects."""
    return np.hstack([indicators(draws), *main_effects(grid)])


def main_effects(grid: pd.DataFrame) -> list[np.ndarray]:
    """Return the standardised columns of each hyper-parameter that varies."""
    blocks = [hyper_parameter_design(grid[[name]]).values for name in grid.columns]
    return [(block - block.mean(axis=0)) / block.std(axis=0) for block in blocks if block.size]


def interactions(grid: pd.DataFrame) -> np.ndarray:
    """Return (networks, columns): products of the columns of any two hyper-parameters."""
    blocks = main_effects(grid)
    products = [
        (first[:, :, None] * second[:, None, :]).reshape(len(grid), -1)
        for position, first in enumerate(blocks)
        for second in blocks[:position]
    ]
    return np.hstack(products) if products else np.zeros((len(grid), 0))


def pairwise_nuisance(designs: Designs, additive: np.ndarray) -> Nuisance:
    """Return the nuisance of hyper-parameters and their products, penalised if they are many.

    Args:
        designs: the grid and the gaps.
        additive: (networks, columns) from :func:`additive_columns`.

    Returns:
        Ordinary least squares where it leaves at least one degree of freedom for every
        ``NETWORKS_PER_COMPONENT`` networks; ridge elsewhere.
    """
    products = interactions(designs.grid)
    plain, fixed = Nuisance(orthonormal(np.hstack([additive, products]))), orthonormal(additive)
    networks, rank = fixed.shape
    if plain.freedom * NETWORKS_PER_COMPONENT >= networks or rank == networks:
        return plain
    whitening = shrinkage(designs.gaps, fixed, products)
    return Nuisance(orthonormal(whitening @ additive), whitening)


def shrinkage(gaps: np.ndarray, fixed: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Whiten the gap under ridge regression on products of hyper-parameters.

    Ridge is the model gap = fixed effects + products b + errors with b normal of variance t s^2 and
    errors of variance s^2. The ratio t maximises the restricted likelihood (Patterson and Thompson
    1971) of the gap without any measure, over ``VARIANCE_RATIOS``. With V = 1 + t products
    products', the returned V^(-1/2) makes b and the errors together uncorrelated. V^(-1) gap are
    the residuals of ridge regression with the penalty 1 / t.

    Args:
        gaps: (networks,).
        fixed: (networks, rank) orthonormal basis of the columns that are not penalised.
        products: (networks, columns).

    Returns:
        (networks, networks), symmetric.
    """
    # Products are in units in which a network's interactions have variance t s^2 on average.
    kernel = products @ products.T / max(products.shape[1], 1)
    complement = np.linalg.svd(fixed, full_matrices=True)[0][:, fixed.shape[1] :]
    spectrum, axes = np.linalg.eigh(complement.T @ kernel @ complement)
    squares = (axes.T @ (complement.T @ gaps)) ** 2
    variances = 1.0 + VARIANCE_RATIOS[:, None] * np.maximum(spectrum, 0.0)
    with np.errstate(divide="ignore"):
        deviance = np.log(variances).sum(axis=1) + len(spectrum) * np.log(
            (squares / variances).sum(axis=1)
        )
    ratio = VARIANCE_RATIOS[int(np.argmin(deviance))]
    values, vectors = np.linalg.eigh(kernel)
    return np.asarray(vectors / np.sqrt(1.0 + ratio * np.maximum(values, 0.0)) @ vectors.T)


def environment_indices(designs: Designs, environments: Sequence[str]) -> np.ndarray:
    """Return (networks,) int64: the environment of each network."""
    names = list(environments) or [strongest_hyper_parameter(designs)]
    return combined(*(levels(designs.grid[name])[1] for name in names))


def strongest_hyper_parameter(designs: Designs) -> str:
    """Return the hyper-parameter that explains most of the gap's variance, one at a time.

    A measure is most tempted to detect this one instead of generalisation. Shares are adjusted for
    the number of values (adjusted R2). The choice sees the gaps and no measure, so a test within
    its values is exact where the measure, not only the gap, is exchangeable there.

    Returns:
        Its name; of equal ones the first in the grid.
    """
    shares = {}
    for name in designs.grid.columns:
        basis = orthonormal(indicators(levels(designs.grid[name])[1]))
        freedom = len(basis) - basis.shape[1]
        if basis.shape[1] < 2 or freedom == 0:
            continue
        rest = designs.gaps - basis @ (basis.T @ designs.gaps)
        shares[str(name)] = -float(rest @ rest) / freedom
    return max(shares, key=lambda name: shares[name]) if shares else str(designs.grid.columns[0])


def cell_means(strata: np.ndarray, draws: np.ndarray) -> Nuisance:
    """Return the nuisance of the mean gap of each draw in each stratum."""
    return Nuisance(orthonormal(indicators(combined(strata, draws))))


def unit_columns(design: Design) -> np.ndarray:
    """Return a measure's columns in units that make them comparable.

    A heavy-tailed scalar is transformed as in cross-validation, from its values alone
    (:func:`gengap.evaluation.regression.transformed`). Columns are standardised, but those of a
    reduced measure keep their common unit. Many columns are rotated into as many as there are
    networks.

    Returns:
        (networks, at most networks), with largest singular value 1; without columns where the
        measure does not vary.
    """
    everyone = np.ones((1, len(design.values)), dtype=bool)
    if design.reduced:
        # Divided by the largest first, since squares of very large values would overflow.
        columns = design.values / (np.abs(design.values).max(initial=0.0) or 1.0)
        columns = columns - columns.mean(axis=0)
    else:
        values = design.values[None]
        if design.kind == "scalar":
            values = transformed(design.values, everyone)[0]
        columns = standardised_columns(values, everyone)[0]
    columns = span(columns)
    size = np.linalg.norm(columns, 2)
    if size <= CONSTANT_TOLERANCE:
        return np.zeros((len(columns), 0))
    return np.asarray(columns / size)


def directions(measure: Design, nuisance: Nuisance) -> np.ndarray:
    """Return the directions in which a measure varies beside the nuisance columns.

    There are at most a quarter as many as there are degrees of freedom, those of largest variance,
    since many directions explain anything. A reduced measure has no more than those that keep 95 %
    of the variance, as in cross-validation.

    Args:
        measure: with the columns of :func:`unit_columns`.
        nuisance: what the gap may depend on besides the measure.

    Returns:
        (networks, directions) orthonormal columns; none where the nuisance columns determine the
        measure.
    """
    if not measure.values.size:
        return measure.values
    left, singular, _ = np.linalg.svd(nuisance.residuals(measure.values), full_matrices=False)
    most = max(1, nuisance.freedom // NETWORKS_PER_COMPONENT)
    count = min(most, int(np.sum(singular > RANK_TOLERANCE)))
    if measure.reduced and count:
        variance = np.cumsum(singular**2)
        enough = int(np.searchsorted(variance, EXPLAINED_VARIANCE * variance[-1])) + 1
        count = min(count, enough)
    return np.asarray(left[:, :count])


def leverage_adjusted(residuals: np.ndarray, nuisance: Nuisance, points: np.ndarray) -> np.ndarray:
    """Give the residuals of each grid point the covariance of its errors.

    With H the projection on the nuisance columns, uncorrelated errors of one point have residuals
    of covariance proportional to 1 - H_pp, the point's block. They are multiplied by
    (1 - H_pp)^(-1/2) (Bell and McCaffrey, "Bias reduction in standard errors for linear regression
    with multi-stage samples", Survey Methodology 28, 2002).

    Args:
        residuals: (networks,).
        nuisance: whose residuals they are.
        points: (networks,) the grid point of each network.

    Returns:
        (networks,); 0 in directions in which the nuisance columns leave nothing.
    """
    adjusted = np.zeros_like(residuals)
    order = np.argsort(points, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(points))[:-1]):
        basis = nuisance.basis[rows]
        values, vectors = np.linalg.eigh(np.eye(len(basis)) - basis @ basis.T)
        scale = np.where(
            values > RANK_TOLERANCE, 1 / np.sqrt(np.maximum(values, RANK_TOLERANCE)), 0
        )
        adjusted[rows] = vectors @ (scale * (vectors.T @ residuals[rows]))
    return adjusted


def partial_r2(
    bases: Sequence[np.ndarray], residuals: np.ndarray, nuisance: Nuisance
) -> np.ndarray:
    """Compute the partial R2 of each measure for each permutation of the gap's residuals.

    Args:
        bases: (networks, directions) of each measure from :func:`directions`.
        residuals: (permutations, networks).
        nuisance: what the gap may depend on besides the measure.

    Returns:
        (permutations, measures); 0 where a measure has no direction or the gap no residual.
    """
    statistics = np.zeros((len(residuals), len(bases)))
    total = np.sum(residuals**2, axis=1) - np.sum((residuals @ nuisance.basis) ** 2, axis=1)
    varying = [index for index, basis in enumerate(bases) if basis.shape[1]]
    if varying and np.all(total > 0):
        counts = [bases[index].shape[1] for index in varying]
        squares = (residuals @ np.hstack([bases[index] for index in varying])) ** 2
        explained = np.add.reduceat(squares, np.cumsum([0, *counts[:-1]]), axis=1)
        statistics[:, varying] = explained / total[:, None]
    return statistics


def family_wise(statistics: np.ndarray) -> np.ndarray:
    """Adjust p values over all measures by Westfall and Young's step-down minimum p.

    The minimum over measures is that of approximate p values, not of the statistics, so that a
    vector of many columns, whose partial R2 is large anyway, does not dominate. A permutation p has
    no value below 1 / permutations, at which many measures would tie. So the approximate p of a
    partial R2 is that of a beta distribution, as for normal errors, with the mean and variance of
    this measure's permutations. Its shape matters little: the minimum is compared with its own
    permutations (Westfall and Young, "Resampling-based multiple testing", 1993, algorithm 2.8). The
    largest value of each measure does not enter mean and variance, so that a measure that is
    significant does not hide itself; that treats all permutations alike, so the test stays exact.

    Args:
        statistics: (1 + permutations, measures) partial R2, the observed ones first.

    Returns:
        (measures,) adjusted p values.
    """
    p = beta_p(statistics)
    order = np.argsort(p[0], kind="stable")
    # From the least significant measure on, the minimum over it and all that are less significant.
    least = np.minimum.accumulate(p[:, order[::-1]], axis=1)[:, ::-1]
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(np.mean(least <= p[0, order] * (1 + ROUNDING), axis=0))
    return adjusted


def beta_p(statistics: np.ndarray) -> np.ndarray:
    """Return approximate p values of statistics within [0, 1], by columns.

    Args:
        statistics: (permutations, measures).

    Returns:
        (permutations, measures): upper tails of the beta distribution with the mean and variance of
        the column without its largest value; 1 where the column does not vary.
    """
    ordered = np.sort(statistics, axis=0)[: max(len(statistics) - 1, 1)]
    mean, variance = ordered.mean(axis=0), ordered.var(axis=0)
    varies = (variance > ROUNDING**2) & (mean > 0) & (mean < 1)
    mean, variance = np.where(varies, mean, 0.5), np.where(varies, variance, 0.125)
    size = np.maximum(mean * (1 - mean) / variance - 1, ROUNDING)
    tails = betainc((1 - mean) * size, mean * size, 1 - np.clip(statistics, 0.0, 1.0))
    return np.where(varies, tails, 1.0)
