"""Two groups of networks by one summary and the gap."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from gengap.evaluation.designs import by_network, measure_designs, natural_key
from gengap.evaluation.rank_statistics import standardised
from gengap.seeding import derive

CLUSTERS = 2
STARTS = 500
"""Number of K-means starts, each from two of the points; the smallest inertia counts.

One start in thirty finds the best split of a dozen points without any structure.
"""


def cluster(measures: pd.DataFrame, gaps: pd.Series, *, seed: int = 0) -> pd.DataFrame:
    """Group networks into two clusters by each scalar measure and the gap, with K-means.

    The measure and the gap are standardised.

    Cluster 0 is the one with the smaller mean gap. A network without a finite value or gap is left
    out of that measure's rows; where fewer than two different points remain, all are in cluster 0.

    Args:
        measures: tidy table of one task; measures with several components are skipped.
        gaps: index network.
        seed: seed of the starts.

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
                    "cluster": two_means(values[finite], gap[finite], seed),
                }
            )
        )
    columns = ["measure", "network", "value", "gap", "cluster"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def two_means(values: np.ndarray, gap: np.ndarray, seed: int) -> np.ndarray:
    """Return the cluster of each point, (n,) of 0 and 1; cluster 0 has the smaller mean gap."""
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64)
    points = np.column_stack([standardised(values), standardised(gap)])
    if len(np.unique(points, axis=0)) < CLUSTERS:
        return np.zeros(len(points), dtype=np.int64)
    state = derive(seed, "evaluation", "clusters") % 2**32
    method = KMeans(CLUSTERS, init="random", n_init=STARTS, random_state=state)
    # More threads would only make K-means on a few points slower, and its sums less sure.
    with threadpool_limits(1):
        labels = method.fit_predict(points)
    swapped = gap[labels == 0].mean() > gap[labels == 1].mean()
    return np.asarray(1 - labels if swapped else labels, dtype=np.int64)
