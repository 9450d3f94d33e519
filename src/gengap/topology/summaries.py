"""Summaries of a network over its draws of neurons, with bootstrap standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.arguments import whole_number
from gengap.errors import GengapError
from gengap.topology.images import GRID_END
from gengap.topology.stability import bottleneck_between_draws, transport_between_draws
from gengap.topology.vectorisation import vectorise

if TYPE_CHECKING:
    import pandas as pd

# Components per block: bounds the (resamples, components) matrix of resampled means.
BLOCK_COMPONENTS = 512

FEWEST_RESAMPLES = 2
"""A standard deviation needs at least two."""


def summarise(
    draws: Sequence[Sequence[npt.ArrayLike]],
    resamples: int,
    rng: np.random.Generator,
    *,
    grid_end: float = GRID_END,
) -> pd.DataFrame:
    """Average every component of every vectorisation over draws, with its standard error.

    Where there are two or more draws, the table also has the mean bottleneck, Wasserstein and
    sliced Wasserstein distance between consecutive ones: the smaller they are, the more stable are
    the network's diagrams.

    Args:
        draws: B draws, each with one (bars, 2) array per dimension.
        resamples: number of bootstrap samples of the draws, at least 2.
        rng: draws the samples.
        grid_end: the largest value of the grids of images and landscapes, as for ``vectorise``.

    Returns:
        Columns measure, component (0, 1, ...), value, standard_error: the standard deviation of
        the mean over bootstrap samples of the B draws (Efron 1979); NaN with a single draw, which
        says nothing about the error.

    Raises:
        GengapError: no draws, draws with different numbers of dimensions, resamples below 2, or a
            diagram that ``vectorise`` refuses.
    """
    # Imported here, so that computing diagrams alone does not load it.
    import pandas as pd

    resamples = whole_number(resamples, "resamples", FEWEST_RESAMPLES)
    if len(draws) == 0:
        raise GengapError("There are no draws to summarise: set draws to at least 1.")
    if len({len(draw) for draw in draws}) != 1:
        raise GengapError("The draws have different dimensions: compute them with one max_dim.")
    vectors = [vectorise(draw, grid_end=grid_end) for draw in draws]
    measures = {key: np.stack([vector[key] for vector in vectors]) for key in vectors[0]}
    if len(draws) > 1:
        measures |= _columns(bottleneck_between_draws(draws))
    errors = _standard_errors(measures, resamples, rng)
    if len(draws) > 1:
        # Apart, since a matrix of other width rounds otherwise: no earlier error changes.
        transport = _columns(transport_between_draws(draws))
        errors |= _standard_errors(transport, resamples, rng)
        measures |= transport
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


def _columns(distances: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Return distances (rows,) as measures of one component, (rows, 1)."""
    return {key: values[:, None] for key, values in distances.items()}


def _standard_errors(
    measures: dict[str, NDArray[np.float64]], resamples: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Compute standard errors; measures with the same number of rows share the samples."""
    errors: dict[str, NDArray[np.float64]] = {}
    for rows in sorted({len(values) for values in measures.values()}, reverse=True):
        keys = [key for key, values in measures.items() if len(values) == rows]
        together = np.concatenate([measures[key] for key in keys], axis=1)
        ends = np.cumsum([measures[key].shape[1] for key in keys])[:-1]
        errors |= dict(zip(keys, np.split(_bootstrap(together, resamples, rng), ends), strict=True))
    return errors


def _bootstrap(
    values: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the standard errors (C,) of the mean over the rows of (B, C) values."""
    rows, components = values.shape
    if rows == 1:
        return np.full(components, np.nan)
    weights = rng.multinomial(rows, np.full(rows, 1 / rows), size=resamples) / rows
    # Centred, so that a component that never changes has an error of exactly 0.
    centred = values - values[0]
    blocks = range(0, components, BLOCK_COMPONENTS)
    return np.concatenate(
        [(weights @ centred[:, i : i + BLOCK_COMPONENTS]).std(axis=0, ddof=1) for i in blocks]
    )
