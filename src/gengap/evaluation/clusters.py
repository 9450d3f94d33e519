"""Two groups of networks by one summary and the gap."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gengap.evaluation.designs import by_network, measure_designs, natural_key
from gengap.evaluation.rank_statistics import standardised

DIGITS = 12
"""Of coordinates along a normal, for points to be on one line."""

TIED = 1e-12
"""Splits that differ by less are the same; the first counts."""


def cluster(measures: pd.DataFrame, gaps: pd.Series) -> pd.DataFrame:
    """2-means of (summary, gap), both standardised, for each scalar measure.

    Of all splits in two, that of least inertia, which K-means looks for from random starts: found
    exactly, so that no seed enters. Cluster 0 is the one with the smaller mean gap. A network
    without a finite value or gap is left out of that measure's rows; where fewer than two different
    points remain, all are in cluster 0.

    Args:
        measures: tidy table of one task; measures with several components are passed over.
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
    """(n,) int64 of 0 and 1, cluster 0 with the smaller mean gap.

    A line separates the two clusters of least inertia, and some line through two of the points
    makes the same split or moves but points of its own: so every split of the points in their order
    along a normal of such a line, its own points in either order, is looked at.
    """
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64)
    points = np.column_stack([standardised(values), standardised(gap)])
    best, found = 0.0, np.zeros(len(points), dtype=np.int64)
    for first in range(len(points) - 1):
        orders = _orders(points, points[first + 1 :] - points[first])
        between = _between(points[orders])
        row, place = np.unravel_index(int(between.argmax()), between.shape)
        if between[row, place] > best * (1 + TIED) + TIED:
            best = between[row, place]
            found = np.zeros(len(points), dtype=np.int64)
            found[orders[row, : place + 1]] = 1
    swapped = best > 0 and gap[found == 0].mean() > gap[found == 1].mean()
    return np.asarray(1 - found if swapped else found, dtype=np.int64)


def _orders(points: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """(2 m, n): orders of points along the normals of m lines, ties along the line both ways."""
    normals = np.column_stack([-lines[:, 1], lines[:, 0]])
    across = (normals @ points.T).round(DIGITS)
    along = lines @ points.T
    return np.concatenate(
        [np.lexsort((along, across), axis=1), np.lexsort((-along, across), axis=1)]
    )


def _between(ordered: np.ndarray) -> np.ndarray:
    """Sum of squares between the first k and the other points, (m, n - 1), of (m, n, 2)."""
    count = ordered.shape[1]
    sums = np.cumsum(ordered, axis=1)
    first = np.arange(1, count)[:, None]
    head, rest = sums[:, :-1], sums[:, -1:] - sums[:, :-1]
    apart = head / first - rest / (count - first)
    between: np.ndarray = (apart**2).sum(axis=2) * (first * (count - first))[:, 0] / count
    return between
