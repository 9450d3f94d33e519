"""Kendall's tau-b, Spearman's rho and Pearson's r of measures against the gap.

All three come from the matrices of signs, A of sign(x_i - x_j) and B of sign(y_i - y_j). With
multiplicities w of the networks in a bootstrap sample, the numerator of tau-b is w' (A * B) w, and
A w is twice the centred average ranks within the sample. So every resample is a row of a matrix
product, with ties treated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STATISTICS = ("kendall", "spearman", "pearson")
CONFIDENCE = 0.95
SIGNS_HELD = 2**24
"""Most entries of permuted sign matrices that are held at once (64 MiB)."""
ROUNDING = 1e-12


@dataclass(frozen=True)
class Correlations:
    """Arrays of shape (measures, 3), the statistics in the order of ``STATISTICS``."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def signs(values: np.ndarray) -> np.ndarray:
    """Return (n, n) float64 of sign(x_i - x_j)."""
    return np.asarray(np.sign(values[:, None] - values[None, :]))


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


def weighted(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the three statistics of x against y in samples given by multiplicities.

    tau-b and the average ranks treat ties as scipy does (Kendall 1945; Spearman's rho is Pearson's
    r of average ranks).

    Args:
        x: (n,) values.
        y: (n,) values.
        weights: (samples, n) how often each value is in the sample; rows sum to n.

    Returns:
        (samples, 3); NaN where x or y is constant in the sample.
    """
    signs_x, signs_y = signs(x), signs(y)

    def quadratic(matrix: np.ndarray) -> np.ndarray:
        return np.asarray(np.sum((weights @ matrix) * weights, axis=1))

    untied_x, untied_y = quadratic(np.abs(signs_x)), quadratic(np.abs(signs_y))
    kendall = ratio(quadratic(signs_x * signs_y), untied_x * untied_y)
    varies = (untied_x > 0) & (untied_y > 0)

    def product_moment(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        total = weights.sum(axis=1, keepdims=True)
        a = a - (weights * a).sum(axis=1, keepdims=True) / total
        b = b - (weights * b).sum(axis=1, keepdims=True) / total
        square = (weights * a**2).sum(axis=1) * (weights * b**2).sum(axis=1)
        return ratio((weights * a * b).sum(axis=1), np.where(varies, square, 0.0))

    spearman = product_moment(weights @ signs_x.T, weights @ signs_y.T)
    pearson = product_moment(standardised(x)[None, :], standardised(y)[None, :])
    return np.column_stack([kendall, spearman, pearson])


def permutation_p(measures: np.ndarray, gaps: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Compute two-sided permutation p values of the three statistics.

    p = (1 + count) / (1 + permutations), where count is the number of permutations of the gaps
    whose statistic is at least as large in absolute value. Denominators do not change under
    permutation, so numerators are compared: those of the rank statistics are whole numbers and
    compared exactly.

    Args:
        measures: (measures, n).
        gaps: (n,).
        orders: (permutations, n) indices.

    Returns:
        (measures, 3).
    """
    count, n = len(orders), len(gaps)
    gap_signs = signs(gaps).astype(np.float32)
    # float32 holds whole numbers exactly up to 2^24, and |numerator| < n^2.
    exact = np.dtype(np.float32 if n * n < 2**24 else np.float64)
    measure_signs = np.array([signs(values).ravel() for values in measures], dtype=exact)
    ranks = np.array([signs(values).sum(axis=1) for values in measures])
    scores = np.array([standardised(values) for values in measures])
    extreme = np.zeros((len(measures), 3))

    def add(statistic: int, numerators: np.ndarray, observed: np.ndarray, slack: float) -> None:
        bound = np.abs(observed)[:, None] - slack * n
        extreme[:, statistic] += np.sum(np.abs(numerators) >= bound, axis=1)

    step = max(1, SIGNS_HELD // (n * n))
    for start in range(0, count, step):
        chosen = orders[start : start + step]
        permuted = gap_signs[chosen[:, :, None], chosen[:, None, :]].reshape(len(chosen), -1)
        add(0, measure_signs @ permuted.T.astype(exact), measure_signs @ gap_signs.ravel(), 0.0)
    gap_ranks, gap_scores = gap_signs.sum(axis=1, dtype=np.float64), standardised(gaps)
    add(1, ranks @ gap_ranks[orders].T, ranks @ gap_ranks, 0.0)
    add(2, scores @ gap_scores[orders].T, scores @ gap_scores, ROUNDING)
    return (1 + extreme) / (1 + count)


def correlate(
    measures: np.ndarray,
    gaps: np.ndarray,
    *,
    resamples: int,
    permutations: int,
    rng: np.random.Generator,
) -> Correlations:
    """Correlate each measure with the gap: Kendall, Spearman and Pearson.

    The interval is the 95 % percentile bootstrap over networks (samples in which the measure or the
    gap is constant have no statistic and are skipped). All measures share the resamples and
    permutations, so a measure's numbers do not depend on which others are in the table. A measure
    or gaps without any variation, or fewer than two networks, have no statistic. Then the estimate
    and the interval are NaN and p = 1, since there is no evidence.

    Args:
        measures: (measures, networks) scalars.
        gaps: (networks,).
        resamples: bootstrap samples.
        permutations: random permutations of the gaps.
        rng: draws both.

    Returns:
        Estimates, intervals and p values.
    """
    count, n = measures.shape
    weights = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    orders = np.argsort(rng.random((permutations, n)), axis=1)
    estimate = np.full((count, 3), np.nan)
    low, high = estimate.copy(), estimate.copy()
    tail = (1 - CONFIDENCE) / 2
    for index, values in enumerate(measures):
        estimate[index] = weighted(values, gaps, np.ones((1, n)))[0]
        if np.isnan(estimate[index]).any():
            continue
        samples = weighted(values, gaps, weights)
        samples = samples[~np.isnan(samples).any(axis=1)]
        if len(samples):
            low[index], high[index] = np.quantile(samples, [tail, 1 - tail], axis=0)
    p = permutation_p(measures, gaps, orders) if count else np.ones((0, 3))
    return Correlations(estimate, low, high, np.where(np.isnan(estimate), 1.0, p))
