"""Kendall's tau-b, Spearman's rho and Pearson's r of measures against the gap.

The rank statistics come from the signs of differences, a of x_i - x_j and b of y_i - y_j. With
multiplicities w of the networks in a bootstrap sample, the numerator of tau-b is the sum of
w_i w_j a b over pairs. Twice the centred average ranks are sums of w_j a, so the numerator of rho
is a sum over pairs too. All measures and all resamples are therefore one matrix product, with ties
treated exactly. That takes the square of the number of networks; with more than ``MOST_PAIRED`` of
them, resamples and permutations are those of the first order
(:mod:`gengap.evaluation.first_order`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from gengap.evaluation.designs import draw_indices
from gengap.evaluation.first_order import (
    dense_ranks,
    first_order,
    moments,
    moments_without,
    rank_sums,
    rho_gradient,
    tau_terms,
)
from gengap.evaluation.permutations import blocks, permuted_networks

STATISTICS = ("kendall", "spearman", "pearson")
PEARSON = STATISTICS.index("pearson")
CONFIDENCE = 0.95
MOST_PAIRED = 500
"""With more networks than this, sums over pairs are not made pair by pair."""
ROUNDING = 1e-12
"""Statistics that differ by less are equal."""


@dataclass(frozen=True)
class Correlations:
    """Correlations of measures with the gap.

    Attributes:
        estimate: (measures, 3), the statistics in the order of ``STATISTICS``; likewise the others.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        p: two-sided permutation p value of the measure alone.
        p_family: p value by the largest statistic of all measures.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    p_family: np.ndarray


def signs(values: np.ndarray) -> np.ndarray:
    """Return (n, n) float64 of sign(x_i - x_j)."""
    return np.asarray(np.sign(values[:, None] - values[None, :]))


def pair_signs(measures: np.ndarray) -> np.ndarray:
    """Return sign(x_i - x_j) of the pairs i < j: (measures, pairs) float64, pairs by rows."""
    first, second = np.triu_indices(measures.shape[1], 1)
    return np.asarray(np.sign(measures[:, first] - measures[:, second]))


def standardised(values: np.ndarray) -> np.ndarray:
    """Return values of zero mean and unit spread; zeros where all values are equal."""
    if np.all(values == values[0]):
        return np.zeros(len(values))
    # Divided by the largest first, since squares of very large or small values would overflow.
    centred = values - values.mean()
    centred /= np.abs(centred).max()
    return np.asarray(centred / np.sqrt(np.mean(centred**2)))


def ratio(numerator: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Return numerator / sqrt(square) within [-1, 1], NaN where the square is not positive."""
    defined = square > 0
    root = np.sqrt(np.where(defined, square, 1.0))
    return np.asarray(np.where(defined, np.clip(numerator / root, -1.0, 1.0), np.nan))


def tie_sums(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum the squares and the cubes of the sizes of tie groups in each sample.

    Args:
        values: (n,).
        weights: (samples, n) multiplicities.

    Returns:
        (2, samples).
    """
    distinct, group = np.unique(values, return_inverse=True)
    sizes = weights
    if len(distinct) < len(values):
        sizes = weights @ np.eye(len(distinct))[group]
    squares = sizes * sizes
    return np.stack([squares.sum(axis=1), (squares * sizes).sum(axis=1)])


def weighted(measures: np.ndarray, gaps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the three statistics of measures against the gap in samples of the networks.

    tau-b and the average ranks treat ties as SciPy does (Kendall 1945; Spearman's rho is Pearson's
    r of average ranks). With more than ``MOST_PAIRED`` networks, the two are exact in the sample of
    all networks, and otherwise of first order in the weights less one.

    Args:
        measures: (measures, n) values.
        gaps: (n,) values.
        weights: (samples, n) how often each network is in the sample.

    Returns:
        (samples, measures, 3); NaN where the measure or the gap is constant in the sample.
    """
    count, n = measures.shape
    if n > MOST_PAIRED:
        return weighted_to_first_order(measures, gaps, weights)
    statistics = np.empty((len(weights), count, 3))
    of_measures = pair_signs(measures).T
    for rows in blocks(len(weights), n * (n - 1) // 2):
        statistics[rows, :, 0], statistics[rows, :, 1] = rank_numerators(
            of_measures, gaps, weights[rows]
        )
    total = weights.sum(axis=1)
    squares, cubes = tie_sums(gaps, weights)
    untied_gaps, spread_gaps = total**2 - squares, (total**3 - cubes) / 3
    scores = np.array([standardised(values) for values in measures]).reshape(count, n)
    gap_scores = standardised(gaps)
    gap_scores = gap_scores - (weights @ gap_scores / total)[:, None]
    gap_square = np.sum(weights * gap_scores**2, axis=1)
    weighted_gaps = weights * gap_scores
    for index, values in enumerate(measures):
        squares, cubes = tie_sums(values, weights)
        untied, spread = total**2 - squares, (total**3 - cubes) / 3
        varies = (untied > 0) & (untied_gaps > 0)
        centred = scores[index] - (weights @ scores[index] / total)[:, None]
        square = np.einsum("ij,ij,ij->i", weights, centred, centred) * gap_square
        for statistic, numerator, denominator in (
            (0, statistics[:, index, 0], untied * untied_gaps),
            (1, statistics[:, index, 1], spread * spread_gaps),
            (2, weighted_gaps @ scores[index], square),
        ):
            statistics[:, index, statistic] = ratio(numerator, np.where(varies, denominator, 0.0))
    return statistics


def weighted_to_first_order(
    measures: np.ndarray, gaps: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Do what :func:`weighted` does for very many networks."""
    ranks, gap_ranks = np.array([dense_ranks(own) for own in measures]), dense_ranks(gaps)
    agreement, untied, untied_gaps = tau_terms(ranks, gap_ranks)
    products = np.array([rho_gradient(own, gap_ranks) for own in ranks])
    spreads = np.array([rho_gradient(own, own) for own in [*ranks, gap_ranks]])
    scores = np.array([standardised(values) for values in measures])
    untied_of_gaps = first_order(weights, 2 * untied_gaps[None], 2)
    spread = first_order(weights, spreads, 3)
    covariance, variance, variance_of_gaps = moments(weights, scores, standardised(gaps))
    return np.stack(
        [
            ratio(
                first_order(weights, 2 * agreement, 2),
                first_order(weights, 2 * untied, 2) * untied_of_gaps,
            ),
            ratio(first_order(weights, products, 3), spread[:, :-1] * spread[:, -1:]),
            ratio(covariance, variance * variance_of_gaps[:, None]),
        ],
        axis=-1,
    )


def rank_numerators(
    of_measures: np.ndarray, gaps: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the numerators of tau-b and rho, both over ordered pairs.

    With s the sums of w_j b, that of rho is the sum over pairs i < j of
    a (w_i s_i w_j - w_j s_j w_i).

    Args:
        of_measures: (pairs, measures) signs.
        gaps: (n,).
        weights: (samples, n).

    Returns:
        Two arrays (samples, measures).
    """
    gap_signs = signs(gaps)
    first, second = np.triu_indices(len(gaps), 1)
    # Columns are gathered from transposed arrays, whose rows lie together in memory.
    columns = np.ascontiguousarray(weights.T)
    sums = gap_signs @ columns
    both = columns[first] * columns[second]
    kendall = 2 * ((both * gap_signs[first, second][:, None]).T @ of_measures)
    spearman = (both * (sums[first] - sums[second])).T @ of_measures
    return kendall, spearman


def permutation_p(
    measures: np.ndarray, gaps: np.ndarray, orders: np.ndarray, estimate: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute two-sided permutation p values of the three statistics.

    p = (1 + count) / (1 + permutations), where count is the number of permutations of the gaps
    whose statistic is at least as large in absolute value. For the family, the largest statistic of
    all measures takes the place of the measure's own (single-step maximum, Westfall and Young
    1993), so that the probability of any value below alpha is at most alpha where no measure goes
    with the gap.

    With more than ``MOST_PAIRED`` networks, the permuted numerators of tau are their projections on
    sums over networks, sum_k u_k v_k / n with twice the centred ranks u and v (Hájek, "Asymptotic
    normality of simple linear rank statistics under alternatives", Ann. Math. Statist. 39, 1968),
    which have the same variance up to a factor of 1 + O(1 / n).

    Args:
        measures: (measures, n).
        gaps: (n,).
        orders: (permutations, n) indices.
        estimate: (measures, 3) statistics of the networks as they are; NaN where there is none.

    Returns:
        p and p_family, (measures, 3) each.
    """
    measure_count, n = measures.shape
    ranks, gap_ranks = [dense_ranks(values) for values in measures], dense_ranks(gaps)
    spearman = linear(np.array([rank_sums(own) for own in ranks]), rank_sums(gap_ranks), orders)
    if n > MOST_PAIRED:
        kendall = projected_tau(ranks, gap_ranks, spearman[0])
    else:
        kendall = paired_tau(measures, gaps, orders)
    scores = np.array([standardised(values) for values in measures])
    pearson = linear(scores, standardised(gaps), orders)
    p, p_family = np.empty((measure_count, 3)), np.empty((measure_count, 3))
    for statistic, (numerators, squares) in enumerate((kendall, spearman, pearson)):
        # Denominators are the same for all permutations.
        scale = ratio(np.ones(measure_count), squares)
        sizes = np.nan_to_num(np.abs(numerators) * scale)
        bound = np.nan_to_num(np.abs(estimate[:, statistic])) - ROUNDING
        largest = np.sort(sizes.max(axis=1))
        p[:, statistic] = 1 + np.sum(sizes >= bound, axis=0)
        p_family[:, statistic] = 1 + len(largest) - np.searchsorted(largest, bound)
    return p / (1 + len(orders)), p_family / (1 + len(orders))


Numerators = tuple[np.ndarray, np.ndarray]
"""Of permutations (permutations, measures), and the square of the denominator (measures,)."""


def linear(measures: np.ndarray, gaps: np.ndarray, orders: np.ndarray) -> Numerators:
    """Return the numerators of a sum of products over networks; see :func:`permutation_p`."""
    permuted = [gaps[orders[rows]] @ measures.T for rows in blocks(*orders.shape)]
    squares = np.sum(measures**2, axis=1) * np.sum(gaps**2)
    return np.concatenate(permuted), squares


def projected_tau(
    ranks: Sequence[np.ndarray], gap_ranks: np.ndarray, products: np.ndarray
) -> Numerators:
    """Return the numerators of tau, projected on sums over networks; see :func:`permutation_p`.

    Args:
        ranks: of each measure, (n,) ranks from :func:`dense_ranks`.
        gap_ranks: (n,) those of the gaps.
        products: (permutations, measures) numerators of rho.
    """
    untied, of_gaps = (
        np.array([len(r) ** 2 - np.sum(np.bincount(r) ** 2) for r in several]) / 2
        for several in (ranks, [gap_ranks])
    )
    return products / len(gap_ranks), untied * of_gaps


def paired_tau(measures: np.ndarray, gaps: np.ndarray, orders: np.ndarray) -> Numerators:
    """Return the numerators of tau, pair by pair; see :func:`permutation_p`."""
    first, second = np.triu_indices(measures.shape[1], 1)
    gap_signs = signs(gaps)
    pairs = pair_signs(measures)
    # float32 holds whole numbers up to 2^24 exactly, and a numerator is at most the pairs.
    exact = np.dtype(np.float32 if len(first) < 2**24 else np.float64)
    matrix, table = pairs.astype(exact).T, gap_signs.astype(exact)
    permuted = [
        table[orders[rows][:, first], orders[rows][:, second]] @ matrix
        for rows in blocks(len(orders), len(first))
    ]
    squares = np.sum(pairs**2, axis=1) * np.sum(gap_signs[first, second] ** 2)
    return np.concatenate(permuted), squares


def bca_levels(samples: np.ndarray, estimate: np.ndarray, jackknife: np.ndarray) -> np.ndarray:
    """Compute the levels of the bias-corrected and accelerated bootstrap interval.

    Efron, "Better bootstrap confidence intervals", Journal of the American Statistical Association
    82 (1987). The interval is made of quantiles of the samples at these levels, so it stays within
    the statistic's bounds.

    Args:
        samples: (samples, measures) statistics of bootstrap samples; NaN where there is none.
        estimate: (measures,) statistics of the sample.
        jackknife: (clusters, measures) statistics without one cluster; NaN where there is none.

    Returns:
        (measures, 2) levels of the lower and the upper end.
    """
    counted = np.maximum(np.sum(~np.isnan(samples), axis=0), 1)
    below = np.sum(samples < estimate, axis=0) + np.sum(samples <= estimate, axis=0)
    # A share of 0 or 1 has no normal score.
    share = np.clip(below / (2 * counted), 0.5 / counted, 1 - 0.5 / counted)
    bias = ndtri(share)
    valid = ~np.isnan(jackknife)
    filled = np.where(valid, jackknife, 0.0)
    mean = filled.sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
    deviations = np.where(valid, mean - filled, 0.0)
    square = np.sum(deviations**2, axis=0)
    acceleration = np.where(
        square > 0, np.sum(deviations**3, axis=0) / (6 * np.where(square > 0, square, 1) ** 1.5), 0
    )
    tail = (1 - CONFIDENCE) / 2
    shifted = bias[:, None] + ndtri([tail, 1 - tail])
    bend = np.maximum(1 - acceleration[:, None] * shifted, np.finfo(np.float64).tiny)
    return np.asarray(ndtr(bias[:, None] + shifted / bend))


def quantiles(samples: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Compute quantiles, by linear interpolation, of the samples that are not NaN.

    Args:
        samples: (samples, measures).
        levels: (measures, levels) between 0 and 1.

    Returns:
        (measures, levels); NaN where a measure has no sample.
    """
    ordered = np.sort(samples, axis=0)  # NaN comes last
    last = np.sum(~np.isnan(samples), axis=0)[:, None] - 1
    places = levels * np.maximum(last, 0)
    below = np.floor(places).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(last, 0))
    measure = np.arange(len(levels))[:, None]
    lower, upper = ordered[below, measure], ordered[above, measure]
    return np.asarray(lower + (upper - lower) * (places - below))


def r_without(measures: np.ndarray, gaps: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Compute Pearson's r without each cluster of networks.

    Args:
        measures: (measures, n).
        gaps: (n,).
        cluster: (n,) int number of each network's cluster.

    Returns:
        (clusters, measures).
    """
    scores = np.array([standardised(values) for values in measures])
    covariance, variance, of_gaps = moments_without(cluster, scores, standardised(gaps))
    return ratio(covariance, variance * of_gaps[:, None])


def point_weights(points: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw bootstrap samples of whole grid points.

    Args:
        points: (networks,) int: the grid point of each network.
        resamples: number of samples.
        rng: draws them.

    Returns:
        (resamples, networks) float64: how often each network is in the sample.
    """
    distinct, index = np.unique(points, return_inverse=True)
    count = len(distinct)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.asarray(drawn[:, index], dtype=np.float64)


def correlate(
    measures: np.ndarray,
    gaps: np.ndarray,
    *,
    points: np.ndarray,
    draws: np.ndarray | None = None,
    resamples: int,
    permutations: int,
    rng: np.random.Generator,
) -> Correlations:
    """Correlate each measure with the gap: Kendall, Spearman and Pearson.

    Replicates of a grid point are no independent observations, so the bootstrap draws whole grid
    points with replacement, and permutations move whole grid points
    (:func:`gengap.evaluation.permutations.permuted_networks`). The 95 % interval is the
    percentile interval for the rank statistics, and the bias-corrected and accelerated one
    (:func:`bca_levels`) for Pearson's r. Samples in which the measure or the gap is constant have
    no statistic and are skipped.

    All measures share the resamples and permutations, so a measure's numbers, but for
    ``p_family``, do not depend on which others are in the table. A measure or gaps without any
    variation, or fewer than two networks, have no statistic. Then the estimate and the interval
    are NaN and p = 1, since there is no evidence. With one grid point there is no interval.

    Args:
        measures: (measures, networks) scalars.
        gaps: (networks,).
        points: (networks,) int: the grid point of each network.
        draws: (networks,) label of the draw of training data, or None for one.
        resamples: bootstrap samples.
        permutations: random permutations of the gaps.
        rng: draws both.

    Returns:
        Estimates, intervals and p values.
    """
    count, n = measures.shape
    clusters, cluster = np.unique(points, return_inverse=True)
    size = len(clusters)
    drawn = point_weights(points, resamples, rng)
    index = draw_indices(draws, n)
    anywhere = np.zeros(n, dtype=np.int64)
    orders = permuted_networks(cluster, index, anywhere, permutations, rng)[1:]
    none = np.full((count, 3), np.nan)
    if not count:
        return Correlations(none, none, none, none, none)
    if n > MOST_PAIRED:
        statistics = weighted(measures, gaps, np.vstack([np.ones((1, n)), drawn]))
        estimate, samples = statistics[0], statistics[1:]
        jackknife = r_without(measures, gaps, cluster)
    else:
        left_out = 1 - np.eye(size)[:, cluster] if size > 1 else np.empty((0, n))
        statistics = weighted(measures, gaps, np.vstack([np.ones((1, n)), left_out, drawn]))
        estimate, samples = statistics[0], statistics[1 + len(left_out) :]
        jackknife = statistics[1 : 1 + len(left_out), :, PEARSON]
    low, high = none.copy(), none.copy()
    if size > 1:
        tail = (1 - CONFIDENCE) / 2
        for statistic in range(3):
            levels = np.tile([tail, 1 - tail], (count, 1))
            if statistic == PEARSON:
                levels = bca_levels(samples[..., statistic], estimate[:, statistic], jackknife)
            ends = quantiles(samples[..., statistic], levels)
            low[:, statistic], high[:, statistic] = ends.T
    undefined = np.isnan(estimate)
    low[undefined] = high[undefined] = np.nan
    p, p_family = permutation_p(measures, gaps, orders, estimate)
    return Correlations(
        estimate, low, high, np.where(undefined, 1.0, p), np.where(undefined, 1.0, p_family)
    )
