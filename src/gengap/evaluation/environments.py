"""Robustness of measures over environments: does the order of the gaps hold wherever one looks?

A measure may go with the gap over all networks because both follow one hyper-parameter. These
statistics compare only networks that differ in one hyper-parameter. The competition's score, which
conditions on pairs of hyper-parameters, is a table of its own beside this one
(:mod:`gengap.evaluation.mutual_information`).

- The granulated Kendall coefficient psi of a hyper-parameter (Jiang et al., "Fantastic
  generalization measures and where to find them", ICLR 2020, section 2.2.2): tau among the
  networks in which it alone varies, averaged over the values of the others; and the mean over
  hyper-parameters.
- The sign error of an environment (Dziugaite et al., "In search of robust measures of
  generalization", NeurIPS 2020): half the mean of 1 - sign(difference of the measure) x
  sign(difference of the gap). An environment is a pair of settings of all hyper-parameters that
  differ in one of them, and the mean is over its replicates. The worst environment is the robust
  sign error. A coin has 1/2 in the mean. With few replicates an environment has few pairs, and the
  worst of many environments is 1 for nearly every measure, as in that paper.
- Kendall's tau given the hyper-parameters (:func:`partial_tau`).

**Pairs.** All pairs are of two networks that saw the same draw of the training data. Without draws,
each replicate of one setting is paired with each of the other. Replicates of one setting are never
paired. Both directions of a pair count once.

**Noise.** Sign errors leave out the pairs whose gaps differ by less than ``NOISE_MULTIPLE`` times
the standard error of their difference, and those of equal gaps. Errors of two gaps are taken as
independent. Networks share a test set, so their errors are usually correlated, and the true
standard error of the difference is smaller: too many pairs are left out rather than too few. An
environment without any pair left is not counted. Psi, as it was defined, has all pairs.

**Many networks.** Where a hyper-parameter has more than ``MOST_PAIRS`` pairs, each set of networks
that differ in it alone is thinned out evenly, in the order of its values, until there are no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import ndtri

from gengap.evaluation.designs import (
    Designs,
    draw_indices,
    hyper_parameter_design,
    level_indices,
    natural_key,
)
from gengap.evaluation.permutations import combined

MOST_PAIRS = 2**20
"""Most pairs of a hyper-parameter, up to rounding."""
NOISE_MULTIPLE = 2.0
"""Gaps that differ by fewer standard errors than this cannot be told apart."""
ALL = "all"
"""The row of a measure over all hyper-parameters."""
ENVIRONMENT_COLUMNS = (
    "measure", "hyper_parameter", "psi", "sign_error_mean", "sign_error_worst", "environments",
    "pairs", "pairs_left_out",
)  # fmt: skip
ROUNDING = 1e-9
"""Residuals that differ by less than this fraction of the values' largest deviation are equal."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of networks that differ in one hyper-parameter and saw the same data.

    Attributes:
        first: (pairs,) index of a network.
        second: (pairs,) index of the other.
        cell: (pairs,) int: the values of the other hyper-parameters, and the draw.
        environment: (pairs,) int: the two settings.
        larger: (pairs,) float64: sign of the first gap less the second.
        distinct: (pairs,) bool: whether the gaps differ by more than the noise.
    """

    first: np.ndarray
    second: np.ndarray
    cell: np.ndarray
    environment: np.ndarray
    larger: np.ndarray
    distinct: np.ndarray

    @cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """:func:`groups` of the pairs by cell."""
        return groups(self.cell)

    @cached_property
    def environments(self) -> tuple[np.ndarray, np.ndarray]:
        """:func:`groups` of the distinct pairs by environment."""
        return groups(self.environment[self.distinct])


def robustness(designs: Designs) -> pd.DataFrame:
    """Compute psi and sign errors of every scalar measure for each hyper-parameter.

    Args:
        designs: the measures of a task.

    Returns:
        One row for each scalar measure and each hyper-parameter of which two networks differ in it
        alone, and one where ``hyper_parameter`` is "all": psi (-1 to 1), sign_error_mean and
        sign_error_worst (0 to 1), environments (how many have a pair), pairs (whose gaps differ by
        more than noise) and pairs_left_out. In the row "all", psi is the mean of the rows above
        it, sign_error_mean the mean over all environments, sign_error_worst the largest of all;
        counts are sums. Statistics are NaN where there is no pair.
    """
    pairs = pairs_by_hyper_parameter(designs)
    scalars = [design for design in designs.measures if design.kind == "scalar"]
    rows = []
    for scalar in scalars:
        psis, errors = [], [np.empty(0)]
        for name, own in pairs.items():
            psi, error = statistics(scalar.values[:, 0], own)
            psis.append(psi)
            errors.append(error)
            rows.append((scalar.name, name, psi, *summarised(error, own.distinct)))
        psi = float(np.mean(psis)) if psis else np.nan
        distinct = np.concatenate([np.empty(0, dtype=bool), *(p.distinct for p in pairs.values())])
        rows.append((scalar.name, ALL, psi, *summarised(np.concatenate(errors), distinct)))
    return pd.DataFrame(rows, columns=list(ENVIRONMENT_COLUMNS))


def pairs_by_hyper_parameter(designs: Designs) -> dict[str, Pairs]:
    """Return the pairs of each hyper-parameter of which two networks differ in it alone."""
    count = len(designs.networks)
    draws = draw_indices(designs.draws, count)
    errors = np.zeros(count) if designs.gap_errors is None else designs.gap_errors
    points = designs.points
    found = {}
    for name in sorted(map(str, designs.grid.columns), key=natural_key):
        others = level_indices(designs.grid.drop(columns=name))
        cell = combined(others, draws)
        own = level_indices(designs.grid[[name]])
        if not own.shape[1]:
            continue
        first, second = differing_pairs(cell, own[:, 0])
        if len(first):
            noise = NOISE_MULTIPLE * np.hypot(errors[first], errors[second])
            difference = designs.gaps[first] - designs.gaps[second]
            found[name] = Pairs(
                first,
                second,
                cell[first],
                combined(*np.sort(np.stack([points[first], points[second]]), axis=0)),
                np.sign(difference),
                (np.abs(difference) >= noise) & (difference != 0),
            )
    return found


def differing_pairs(cell: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of networks of one cell and different levels, the smaller index first.

    Args:
        cell: (networks,) int: the values of the other hyper-parameters, and the draw.
        level: (networks,) int: the value of the hyper-parameter.

    Returns:
        Two (pairs,) arrays, in the order of the first and then of the second; at most about
        ``MOST_PAIRS`` of them.
    """
    order = np.lexsort((level, cell))
    sizes = np.bincount(cell)
    place = np.arange(len(cell)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    most = most_of_a_cell(sizes)
    # Every cell keeps ``most`` networks, evenly spaced in the order of the levels.
    size = sizes[cell[order]]
    share = np.minimum(most, size)
    order = order[place * share // size != (place - 1) * share // size]
    ends = np.cumsum(np.minimum(sizes, most))[cell[order]]
    left = [np.empty(0, dtype=np.int64)]
    right = [np.empty(0, dtype=np.int64)]
    for step in range(1, int(np.minimum(sizes, most).max(initial=0))):
        places = np.flatnonzero(np.arange(len(order)) + step < ends)
        one, other = order[places], order[places + step]
        differ = level[one] != level[other]
        left.append(np.minimum(one, other)[differ])
        right.append(np.maximum(one, other)[differ])
    first, second = np.concatenate(left), np.concatenate(right)
    by_pair = np.lexsort((second, first))
    return first[by_pair], second[by_pair]


def most_of_a_cell(sizes: np.ndarray) -> int:
    """Return how many networks each cell may keep, at least 2, for ``MOST_PAIRS`` pairs in all."""

    def pairs(most: int) -> int:
        counts = np.minimum(sizes, most)
        return int(np.sum(counts * (counts - 1)) // 2)

    low, high = 2, max(2, int(sizes.max(initial=2)))
    while low < high:
        middle = (low + high + 1) // 2
        if pairs(middle) <= MOST_PAIRS:
            low = middle
        else:
            high = middle - 1
    return low


def statistics(values: np.ndarray, pairs: Pairs) -> tuple[float, np.ndarray]:
    """Compute psi and the sign error of each environment for one hyper-parameter.

    Args:
        values: (networks,) of a measure.
        pairs: the pairs of the hyper-parameter.

    Returns:
        psi; and the sign error of each environment that has a pair.
    """
    agreement = np.sign(values[pairs.first] - values[pairs.second]) * pairs.larger
    psi = float(np.mean(group_means(agreement, *pairs.cells)))
    return psi, group_means((1 - agreement[pairs.distinct]) / 2, *pairs.environments)


def groups(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each element's group, and the sizes of the groups that occur."""
    _, index, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return index, sizes


def group_means(values: np.ndarray, index: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the mean of the values of each of the :func:`groups`."""
    return np.asarray(np.bincount(index, values, minlength=len(sizes)) / sizes)


def summarised(errors: np.ndarray, distinct: np.ndarray) -> tuple[float, float, int, int, int]:
    """Return mean, worst, number of environments, of pairs, and of pairs left out."""
    mean, worst = (errors.mean(), errors.max()) if len(errors) else (np.nan, np.nan)
    counted = int(distinct.sum())
    return float(mean), float(worst), len(errors), counted, len(distinct) - counted


def partial_tau(designs: Designs) -> pd.Series:
    """Compute Kendall's tau-b of each scalar measure and the gap given the hyper-parameters.

    It is tau-b of residuals: those of the gap, and those of the measure's normal scores, each from
    an additive model of the hyper-parameters and the draws of the training data, fitted by least
    squares. Normal scores of ranks (Blom 1958) make it invariant under increasing maps of the
    measure, and outliers harmless.
    Partial rank correlation by residuals is that of Conover and Iman, "Rank transformations as a
    bridge between parametric and nonparametric statistics", The American Statistician 35 (1981).

    Kendall's partial tau (Biometrika 32, 1942), made of three taus, is not used: it is not zero
    where measure and gap are independent given a third variable (Korn, The American Statistician
    38, 1984). Where measure and gap are the sum of five binary hyper-parameters and noise of
    standard deviation 0.3, independent of each other, its mean is 0.36.

    Args:
        designs: the measures of a task.

    Returns:
        (scalar measures,) -1 to 1, index measure. NaN where the hyper-parameters determine the
        measure or the gap.
    """
    from scipy.stats import kendalltau

    columns = [np.ones((len(designs.networks), 1)), hyper_parameter_design(designs.grid).values]
    if designs.draws is not None:
        columns.append(pd.get_dummies(designs.draws.astype(str)).to_numpy(dtype=np.float64))
    model = np.hstack(columns)
    scale = np.abs(model).max(axis=0)
    left, singular, _ = np.linalg.svd(model / np.where(scale > 0, scale, 1), full_matrices=False)
    basis = left[:, singular > ROUNDING * singular.max()]
    gaps = residuals(designs.gaps, basis)
    scalars = [design for design in designs.measures if design.kind == "scalar"]
    taus = [
        kendalltau(residuals(normal_scores(scalar.values[:, 0]), basis), gaps).statistic
        for scalar in scalars
    ]
    index = pd.Index([scalar.name for scalar in scalars], name="measure", dtype=object)
    return pd.Series(taus, index=index, name="partial_tau", dtype=np.float64)


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Return the standard normal quantiles of the average ranks (Blom 1958)."""
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(values) - 0.375) / (len(values) + 0.25)))


def residuals(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return what orthonormal columns (n, rank) leave of values (n,), rid of rounding errors."""
    centred = values - values.mean()
    size = float(np.abs(centred).max())
    if np.all(values == values[0]) or size == 0:
        return np.zeros(len(values))
    centred /= size
    # What differs by rounding errors alone is tied.
    return np.asarray(np.round((centred - basis @ (basis.T @ centred)) / ROUNDING))
