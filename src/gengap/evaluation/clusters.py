"""Two groups of networks by one summary and the gap."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gengap.evaluation.designs import by_network, measure_designs, natural_key
from gengap.evaluation.rank_statistics import standardised

MOST_TRIED = 500
"""With more distinct points than this, a search begins at the best split of this many of them."""
ANGLE_TOLERANCE = 1e-12
"""Directions that differ by less, in radians, are one."""


def cluster(measures: pd.DataFrame, gaps: pd.Series) -> pd.DataFrame:
    """Group networks into two clusters by each scalar measure and the gap, with 2-means.

    The measure and the gap are standardised. The split is the best of all, see :func:`two_means`.

    Cluster 0 is the one with the smaller mean gap. A network without a finite value or gap is left
    out of that measure's rows; where fewer than two different points remain, all are in cluster 0.

    Args:
        measures: tidy table of one task; measures with several components are skipped.
        gaps: index network.

    Returns:
        measure, network, value, gap, cluster; measures and networks in natural order.

    Raises:
        GengapError: the table contradicts itself (``designs.measure_designs``).
    """
    networks, designs = measure_designs(measures, reduce=())
    known = by_network(gaps, "gaps")
    order = sorted(range(len(networks)), key=lambda index: natural_key(networks[index]))
    names = np.array([networks[index] for index in order], dtype=object)
    gap = np.array([known.get(name, np.nan) for name in names])
    tables = []
    for design in designs:
        if design.kind != "scalar":
            continue
        values = design.values[order, 0]
        finite = np.isfinite(values) & np.isfinite(gap)
        tables.append(
            pd.DataFrame(
                {
                    "measure": design.name,
                    "network": names[finite],
                    "value": values[finite],
                    "gap": gap[finite],
                    "cluster": two_means(values[finite], gap[finite]),
                }
            )
        )
    columns = ["measure", "network", "value", "gap", "cluster"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def two_means(values: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Split points in the plane so that the sum of squared distances to the two means is least.

    A line separates the two groups of the best split (Inaba, Katoh and Imai, "Applications of
    weighted Voronoi diagrams and randomization to variance-based k-clustering", SoCG 1994). That
    line can be turned until it touches a point of each group. So it is enough to try the lines
    through any two points.

    That takes the square of their number. With more than ``MOST_TRIED`` distinct points, the best
    split of so many of them, evenly spaced in their order, is improved by moving points to the
    nearer mean (Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28, 1982) until
    none moves. That is a local optimum of all points.

    Args:
        values: (n,) of a measure.
        gap: (n,).

    Returns:
        (n,) int64 of 0 and 1, the cluster of each point; cluster 0 has the smaller mean gap. All
        are in cluster 0 where fewer than two points differ.
    """
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64)
    columns = np.column_stack([standardised(values), standardised(gap)])
    points, inverse, counts = np.unique(columns, axis=0, return_inverse=True, return_counts=True)
    if len(points) > MOST_TRIED:
        some = np.linspace(0, len(points) - 1, MOST_TRIED).astype(np.int64)
        start = best_split(points[some] - points[some].mean(axis=0), np.ones(MOST_TRIED))
        means = [points[some][start == label].mean(axis=0) for label in (0, 1)]
        labels = nearest_means(points, counts, np.array(means))
    else:
        labels = best_split(points, counts)
    clusters = labels[inverse.reshape(-1)]
    if clusters.any() and gap[clusters == 0].mean() > gap[clusters == 1].mean():
        clusters = 1 - clusters
    return np.asarray(clusters, dtype=np.int64)


def nearest_means(points: np.ndarray, counts: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Move points to the nearer of two means, and means to their points, until none moves.

    Args:
        points: (n, 2), distinct.
        counts: (n,) how often each occurs.
        means: (2, 2) to begin with.

    Returns:
        (n,) int64 of 0 and 1.
    """
    labels = np.full(len(points), -1, dtype=np.int64)
    while True:
        distances = np.sum((points[:, None, :] - means) ** 2, axis=2)
        moved = np.argmin(distances, axis=1)
        if np.array_equal(moved, labels):
            return labels
        labels = moved
        means = np.array(
            [
                np.average(points[labels == label], axis=0, weights=counts[labels == label])
                for label in (0, 1)
            ]
        )


def best_split(points: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Try all lines through two points, as in :func:`two_means`.

    Args:
        points: (n, 2), distinct, in lexicographic order; the mean of all is zero.
        counts: (n,) how often each occurs.

    Returns:
        (n,) int64 of 0 and 1; all 0 where there is one point.
    """
    total = counts.sum()
    best, labels = -1.0, np.zeros(len(points), dtype=np.int64)
    for index, point in enumerate(points):
        others = np.delete(np.arange(len(points)), index)
        angles = np.arctan2(*(points[others] - point).T[::-1])
        order = np.argsort(angles, kind="stable")
        others, angles = others[order], angles[order]
        # Twice around, so that every half-plane is one run of points.
        around = np.concatenate([angles - 2 * np.pi, angles, angles + 2 * np.pi])
        weighted = np.column_stack([counts, counts[:, None] * points])
        totals = np.vstack([np.zeros(3), np.cumsum(np.tile(weighted[others], (3, 1)), axis=0)])
        for low, high in (
            (angles - np.pi - ANGLE_TOLERANCE, angles - ANGLE_TOLERANCE),
            (angles + ANGLE_TOLERANCE, angles + np.pi + ANGLE_TOLERANCE),
        ):
            first, last = np.searchsorted(around, low), np.searchsorted(around, high)
            inside = totals[last] - totals[first] + weighted[index]
            size = inside[:, 0]
            rest = total - size
            # The spread between the means, since the sum over all points is zero.
            between = np.sum(inside[:, 1:] ** 2, axis=1) / np.where(rest > 0, size * rest, np.inf)
            if len(between) and between.max() > best * (1 + ANGLE_TOLERANCE):
                chosen = int(between.argmax())
                best = float(between[chosen])
                labels = np.zeros(len(points), dtype=np.int64)
                labels[np.tile(others, 3)[first[chosen] : last[chosen]]] = 1
                labels[index] = 1
    return labels
