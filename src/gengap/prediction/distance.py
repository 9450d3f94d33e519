"""How far a network is from those of a reference, in all measures at once."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from gengap.evaluation.learners import prepared

MOST_BEYOND = 3.0
"""A value that is further beyond the range of the training networks than this many times the range
counts as that far."""


def squared_distances(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the squared Mahalanobis distance of each network from some of them.

    Columns are transformed and standardised as for the predictors. Transforms by rank, and bounds
    on wild values, hide how far a value is beyond the range of the training networks, so the number
    of ranges by which it is beyond is added. The covariance is shrunk towards a multiple of the
    identity (Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices", Journal of Multivariate Analysis 88, 2004).

    Args:
        values: (networks, columns).
        train: (reference networks,) bool, of the first rows: those to be distant from.

    Returns:
        (networks,).
    """
    from sklearn.covariance import ledoit_wolf

    inside = np.zeros(len(values), dtype=bool)
    inside[: len(train)] = train
    columns = prepared(values, inside[None])[0] + beyond(values, inside)
    covariance, _ = ledoit_wolf(columns[inside])
    centred = columns - columns[inside].mean(axis=0)
    # A covariance of columns that are all constant is zero.
    factor = np.linalg.cholesky(covariance + np.finfo(float).eps * np.eye(len(covariance)))
    return np.asarray(np.sum(solve_triangular(factor, centred.T, lower=True) ** 2, axis=0))


def beyond(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return by how many ranges each value is above (below: negative) the range of some networks.

    Args:
        values: (networks, columns).
        inside: (networks,) bool.

    Returns:
        (networks, columns), at most ``MOST_BEYOND`` in size; also where the range is a point.
    """
    low, high = values[inside].min(axis=0), values[inside].max(axis=0)
    excess = np.maximum(values - high, 0.0) - np.maximum(low - values, 0.0)
    limit = MOST_BEYOND * (high - low)
    clipped = np.clip(excess, -limit, limit)
    point = high == low
    ranges = clipped / np.where(point, 1.0, high - low)
    return np.asarray(np.where(point, MOST_BEYOND * np.sign(excess), ranges))


def distance_p(distances: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the p value of each distance: how many of the reference's own are as large.

    Args:
        distances: (new networks,).
        reference: (networks,) distances of the reference's networks from those of other folds.

    Returns:
        (new networks,) (1 + count) / (1 + networks), which is uniform for exchangeable networks or
        larger (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005).
    """
    count = np.sum(reference[None, :] >= distances[:, None], axis=1)
    return np.asarray((1 + count) / (1 + len(reference)))
