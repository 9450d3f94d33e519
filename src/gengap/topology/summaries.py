"""Summaries of a network over its draws of neurons, with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.images import GRID_END
from gengap.topology.stability import bottleneck_between_draws, transport_between_draws
from gengap.topology.vectorisation import vectorise

if TYPE_CHECKING:
    import pandas as pd

FEWEST_DISTANCES = 3
"""Distances between consecutive draws whose variances and covariances can be told apart."""


def summarise(
    draws: Sequence[Sequence[npt.ArrayLike]], *, grid_end: float = GRID_END
) -> pd.DataFrame:
    """Average every component of every vectorisation over draws, with its standard error.

    Where there are two or more draws, the table also has the mean bottleneck, Wasserstein and
    sliced Wasserstein distance between consecutive ones: the smaller they are, the more stable are
    the network's diagrams.

    Args:
        draws: B independent draws, each with one (bars, 2) array per dimension.
        grid_end: the largest value of the grids of images and landscapes, as for ``vectorise``.

    Returns:
        Columns measure, component (0, 1, ...), value, standard_error: that of the mean, see
        :func:`error_of_mean` and, for distances, :func:`error_of_mean_distance`; NaN with too few
        draws.

    Raises:
        GengapError: no draws, draws with different numbers of dimensions, or a diagram that
            ``vectorise`` refuses.
    """
    # Imported here, so that computing diagrams alone does not load it.
    import pandas as pd

    if len(draws) == 0:
        raise GengapError("There are no draws to summarise: set draws to at least 1.")
    if len({len(draw) for draw in draws}) != 1:
        raise GengapError("The draws have different dimensions: compute them with one max_dim.")
    vectors = [vectorise(draw, grid_end=grid_end) for draw in draws]
    measures = {key: np.stack([vector[key] for vector in vectors]) for key in vectors[0]}
    errors = {key: error_of_mean(values) for key, values in measures.items()}
    if len(draws) > 1:
        distances = bottleneck_between_draws(draws) | transport_between_draws(draws)
        for key, values in distances.items():
            measures[key] = values[:, None]
            errors[key] = np.array([error_of_mean_distance(values)])
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "measure": key,
                    "component": np.arange(values.shape[1]),
                    "value": values.mean(axis=0),
                    "standard_error": errors[key],
                }
            )
            for key, values in measures.items()
        ],
        ignore_index=True,
    )


def error_of_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the standard error s / sqrt(B) of the mean over B independent draws.

    Its square is an unbiased estimate of the variance of the mean, as s^2 with the divisor B - 1 is
    one of the variance of a draw. A bootstrap of the draws would be low by sqrt((B - 1) / B).

    Args:
        values: (B, C), one row per draw.

    Returns:
        (C,) standard errors, exactly 0 where all draws are equal; NaN for a single draw.
    """
    if len(values) == 1:
        return np.full(values.shape[1], np.nan)
    centred = values - values[0]
    error: NDArray[np.float64] = centred.std(axis=0, ddof=1) / math.sqrt(len(values))
    return error


def error_of_mean_distance(distances: NDArray[np.float64]) -> float:
    """Compute the standard error of the mean distance between consecutive draws.

    Consecutive distances share a draw, so they are correlated, and others are independent: with the
    variance v of a distance and the covariance c of consecutive ones, the mean of n has the
    variance (n v + 2 (n - 1) c) / n^2. Half the mean squared difference of two distances estimates
    v, without bias, where they share no draw, and v - c where they share one. The covariance is
    that of a symmetric function of two independent draws, so it is between 0 and v / 2 (Hoeffding
    1948, "A class of statistics with asymptotically normal distribution"); estimates are brought
    into this range.

    Args:
        distances: (n,), between draws 1 and 2, 2 and 3, ...

    Returns:
        The standard error; NaN for fewer than three distances.
    """
    count = len(distances)
    if count < FEWEST_DISTANCES:
        return math.nan
    halves = (distances[:, None] - distances) ** 2 / 2
    variance = float(halves[np.triu_indices(count, 2)].mean())
    covariance = variance - float(np.diagonal(halves, 1).mean())
    covariance = min(max(covariance, 0.0), variance / 2)
    return math.sqrt((count * variance + 2 * (count - 1) * covariance) / count**2)
