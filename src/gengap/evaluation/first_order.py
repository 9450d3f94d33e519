"""Correlations of measures with the gap for very many networks, at a cost of n log n, not n^2.

Tau-b and Spearman's rho are ratios of sums over pairs and triples of networks
(:mod:`gengap.evaluation.rank_statistics`). In a sample in which network k occurs w_k times, such a
sum is a polynomial in the w. Here it is replaced by its expansion at w = 1 to first order,
S + sum_k (w_k - 1) dS/dw_k, which is Hoeffding's projection of a U-statistic ("A class of
statistics with asymptotically normal distribution", Ann. Math. Statist. 19, 1948; for the bootstrap
Bickel and Freedman, "Some asymptotic theory for the bootstrap", Ann. Statist. 9, 1981). With m grid
points, its error is of the order of 1 / m, and a standard error of the order of 1 / sqrt(m). In the
sample of all networks it is exact. Pearson's r is exact in every sample.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gengap.evaluation.permutations import blocks


def dense_ranks(values: np.ndarray) -> np.ndarray:
    """Return (n,) int64: the rank of each value among the distinct values, from 0."""
    return np.asarray(np.unique(values, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def below(ranks: np.ndarray) -> np.ndarray:
    """Return (n,) int64: how many values are less than each, from :func:`dense_ranks`."""
    counts = np.bincount(ranks)
    return np.asarray((np.cumsum(counts) - counts)[ranks])


def above(ranks: np.ndarray) -> np.ndarray:
    """Return (n,) int64: how many values are larger than each, from :func:`dense_ranks`."""
    return np.asarray(len(ranks) - below(ranks) - np.bincount(ranks)[ranks])


def bits(
    first: np.ndarray, second: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Go through the bits that decide which points are less than others in both coordinates.

    The second coordinate is decided bit by bit, from the highest bit on: points that agree in all
    higher bits lie together, in the order of the first coordinate, and those with a one count the
    zeros before them. That is a wavelet tree (Grossi, Gupta and Vitter, SODA 2003); it takes n log
    n steps.

    Args:
        first: (n,) int64 ranks from :func:`dense_ranks`.
        second: (n,) int64, likewise.

    Yields:
        For each bit, three (n,) arrays: the points in their order, int64; whether each of them
        has a one in this bit, bool; and the first place of the points that agree with it in all
        higher bits, int64. Where a point has a one, the points with a zero between that place and
        its own are less than it in both coordinates. Each point that is less in both is found for
        exactly one bit.
    """
    # Of equal first coordinates the larger second one comes first, so that it counts none of them.
    place = np.lexsort((-second, first))
    # NumPy sorts 16 bits by radix.
    ordered: NDArray[np.integer] = second[place]
    if len(second) < 2**16:
        ordered = ordered.astype(np.uint16)
    for bit in reversed(range(int(second.max()).bit_length())):
        prefix = ordered >> bit >> 1
        starts = np.flatnonzero(np.concatenate([[True], prefix[1:] != prefix[:-1]]))
        sizes = np.diff(np.append(starts, len(prefix)))
        yield place, ((ordered >> bit) & 1).astype(bool), np.repeat(starts, sizes)
        order = np.argsort(ordered >> bit, kind="stable")
        ordered, place = ordered[order], place[order]


def below_in_both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Count the points that are less than each in both coordinates.

    Args:
        first: (n,) int64 ranks from :func:`dense_ranks`.
        second: (n,) int64, likewise.

    Returns:
        (n,) int64.
    """
    counts = np.zeros(len(first), dtype=np.int64)
    for place, ones, starts in bits(first, second):
        zeros = np.concatenate([[0], np.cumsum(~ones)])
        counts[place] += ones * (zeros[:-1] - zeros[starts])
    return counts


def below_in_both_between(
    first: np.ndarray, second: np.ndarray, group: np.ndarray, count: int
) -> np.ndarray:
    """Count the pairs of points of which one is less in both coordinates, by their groups.

    Args:
        first: (n,) int64 ranks from :func:`dense_ranks`.
        second: (n,) int64, likewise.
        group: (n,) int64 group of each point.
        count: number of groups.

    Returns:
        (groups of the larger point, groups of the smaller one) int64.
    """
    pairs = np.zeros((count, count), dtype=np.int64)
    for columns in blocks(count, len(first)):
        numbers = np.arange(columns.start, columns.stop)
        for place, ones, starts in bits(first, second):
            zeros = (group[place][:, None] == numbers) & ~ones[:, None]
            below = np.zeros((len(place) + 1, len(numbers)), dtype=np.int64)
            np.cumsum(zeros, axis=0, out=below[1:])
            own = np.flatnonzero(ones)
            pairs[:, columns] += summed(below[own] - below[starts[own]], group[place[own]], count)
    return pairs


def below_between(ranks: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Count the pairs of points of which one is less, by their groups.

    Args:
        ranks: (n,) int64 from :func:`dense_ranks`.
        group: (n,) int64 group of each point.
        count: number of groups.

    Returns:
        (groups of the larger point, groups of the smaller one) int64.
    """
    pairs = np.zeros((count, count), dtype=np.int64)
    ordered, less = group[np.argsort(ranks, kind="stable")], below(ranks)
    for columns in blocks(count, len(ranks)):
        smaller = np.zeros((len(ranks) + 1, columns.stop - columns.start), dtype=np.int64)
        np.cumsum(ordered[:, None] == np.arange(columns.start, columns.stop), 0, out=smaller[1:])
        pairs[:, columns] = summed(smaller[less], group, count)
    return pairs


def summed(rows: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Return (count, columns): sums of (n, columns) rows over the points of each group."""
    sums = np.zeros((count, rows.shape[1]), dtype=rows.dtype)
    if len(rows):
        order = np.argsort(group, kind="stable")
        present, first = np.unique(group[order], return_index=True)
        sums[present] = np.add.reduceat(rows[order], first, axis=0)
    return sums


def concordance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum, for each network k, sign(x_k - x_j) sign(y_k - y_j) over all networks j.

    Args:
        first: (n,) int64 ranks of x from :func:`dense_ranks`.
        second: (n,) int64 ranks of y.

    Returns:
        (n,) int64; half of their sum is the numerator of tau over pairs.
    """
    both = below_in_both(first, second)
    less_first, less_second = below(first), below(second)
    by_first = dense_ranks(first * (int(second.max()) + 1) + second)
    by_second = dense_ranks(second * (int(first.max()) + 1) + first)
    # Equal in one coordinate and less in the other one.
    equal_first = below(by_first) - less_first
    equal_second = below(by_second) - less_second
    first_less = less_first - both - equal_second
    second_less = less_second - both - equal_first
    ties = np.bincount(second)[second] - equal_second - np.bincount(by_first)[by_first]
    greater = above(first) - second_less - ties
    return np.asarray(both + greater - first_less - second_less)


def sign_sums(ranks: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum, for each network k, sign(x_i - x_k) times the value of i over all networks i.

    Args:
        ranks: (n,) int64 ranks of x from :func:`dense_ranks`.
        values: (n,).

    Returns:
        (n,) float64.
    """
    totals = np.bincount(ranks, weights=values)
    up_to = np.cumsum(totals)
    return np.asarray((up_to[-1] - 2 * up_to + totals)[ranks])


def rank_sums(ranks: np.ndarray) -> np.ndarray:
    """Return (n,) float64: sum of sign(x_k - x_j) over j, twice the centred average rank."""
    return np.asarray(below(ranks) - above(ranks), dtype=np.float64)


def tau_terms(measures: np.ndarray, gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the sums over pairs of tau-b are made of, network by network.

    Args:
        measures: (measures, n) int64 ranks from :func:`dense_ranks`.
        gaps: (n,) int64 ranks.

    Returns:
        (measures, n) :func:`concordance`; and how many networks are not tied with each, in the
        measures (measures, n) and the gaps (n,).
    """
    untied = np.array([len(ranks) - np.bincount(ranks)[ranks] for ranks in measures])
    agreement = np.array([concordance(ranks, gaps) for ranks in measures])
    return (
        agreement.astype(np.float64),
        untied.astype(np.float64),
        (len(gaps) - np.bincount(gaps)[gaps]).astype(np.float64),
    )


def rho_gradient(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the derivative of rho's numerator, sum_k u_k v_k, by the weight of each network.

    Args:
        first: (n,) int64 ranks; u are their :func:`rank_sums`.
        second: (n,) int64 ranks; v are theirs.

    Returns:
        (n,) float64.
    """
    u, v = rank_sums(first), rank_sums(second)
    gradient: np.ndarray = u * v + sign_sums(first, v) + sign_sums(second, u)
    return gradient


def first_order(weights: np.ndarray, terms: np.ndarray, degree: int) -> np.ndarray:
    """Expand homogeneous polynomials of the weights at equal weights.

    Args:
        weights: (samples, n).
        terms: (polynomials, n) derivatives at weights of 1; they add up to ``degree`` times the
            value there.
        degree: of the polynomials.

    Returns:
        (samples, polynomials).
    """
    at_one = terms.sum(axis=1) / degree
    return np.asarray(weights @ terms.T - (degree - 1) * at_one)


def moments(
    weights: np.ndarray, scores: np.ndarray, gaps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute covariances and variances in samples.

    Args:
        weights: (samples, n).
        scores: (measures, n) of zero mean and unit spread.
        gaps: (n,) likewise.

    Returns:
        (samples, measures) sums of products with the gaps, and of squares, less the means of the
        sample; and (samples,) the sum of squares of the gaps.
    """
    total = weights.sum(axis=1)[:, None]
    of_gaps, squared_gaps = weights @ gaps[:, None], weights @ gaps[:, None] ** 2
    of_scores = weights @ scores.T
    products = weights @ (scores * gaps).T - of_scores * of_gaps / total
    squares = weights @ (scores**2).T - of_scores**2 / total
    return products, squares, (squared_gaps - of_gaps**2 / total)[:, 0]


def moments_without(
    clusters: np.ndarray, scores: np.ndarray, gaps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute what :func:`moments` does in the samples that lack one cluster.

    Args:
        clusters: (n,) int number of each network's cluster, from 0 without a hole.
        scores: as in :func:`moments`.
        gaps: as in :func:`moments`.

    Returns:
        As :func:`moments`, with a sample for each cluster.
    """
    size = int(clusters.max()) + 1

    def rest(values: np.ndarray) -> np.ndarray:
        return np.asarray(values.sum() - np.bincount(clusters, weights=values, minlength=size))

    total = rest(np.ones(len(gaps)))
    of_gaps, squared_gaps = rest(gaps), rest(gaps**2)
    products, squares = np.empty((size, len(scores))), np.empty((size, len(scores)))
    for index, own in enumerate(scores):
        of_scores = rest(own)
        products[:, index] = rest(own * gaps) - of_scores * of_gaps / total
        squares[:, index] = rest(own**2) - of_scores**2 / total
    return products, squares, squared_gaps - of_gaps**2 / total
