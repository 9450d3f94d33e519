"""How much a network's diagrams change from one draw of neurons to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.arrays import checked_bars
from gengap.topology.bottleneck import bottleneck_distance
from gengap.topology.transport import sliced_wasserstein_distance, wasserstein_distance

Bars = NDArray[np.float64]
Distance = Callable[[Bars, Bars], float]

BOTTLENECK: Mapping[str, Distance] = {"bottleneck": bottleneck_distance}
TRANSPORT: Mapping[str, Distance] = {
    "wasserstein": wasserstein_distance,
    "sliced_wasserstein": sliced_wasserstein_distance,
}


def bottleneck_between_draws(
    draws: Sequence[Sequence[npt.ArrayLike]],
) -> dict[str, NDArray[np.float64]]:
    """Compute bottleneck distances between the diagrams of consecutive draws (b, b + 1).

    They are exact over all finite bars; infinite bars are left out, as in the vectorisations.

    Args:
        draws: B draws, each with one (bars, 2) array per dimension.

    Returns:
        (B - 1,) distances by ``"bottleneck_between_draws.H0"``, ``".H1"``, ...; none of a single
        draw.

    Raises:
        GengapError: there is no draw, the draws have different numbers of dimensions, or a diagram
            is not (bars, 2).
    """
    return _between_draws(BOTTLENECK, draws)


def transport_between_draws(
    draws: Sequence[Sequence[npt.ArrayLike]],
) -> dict[str, NDArray[np.float64]]:
    """Compute costs of transport between the diagrams of consecutive draws (b, b + 1).

    Args:
        draws: B draws, each with one (bars, 2) array per dimension.

    Returns:
        (B - 1,) distances by ``"wasserstein_between_draws.H0"``, ``".H1"``, ..., and likewise
        ``"sliced_wasserstein_between_draws.H0"``, ...; none of a single draw.

    Raises:
        GengapError: as :func:`bottleneck_between_draws`.
    """
    return _between_draws(TRANSPORT, draws)


def _between_draws(
    kinds: Mapping[str, Distance], draws: Sequence[Sequence[npt.ArrayLike]]
) -> dict[str, NDArray[np.float64]]:
    """Compute distances of each kind and dimension between consecutive draws."""
    if len(draws) == 0:
        raise GengapError("There are no draws to compare: give the diagrams of two or more.")
    if len({len(draw) for draw in draws}) != 1:
        raise GengapError("The draws have different dimensions: compute them with one max_dim.")
    dimensions = [[_finite(bars) for bars in of_draws] for of_draws in zip(*draws, strict=True)]
    return {
        f"{kind}_between_draws.H{dimension}": np.array(
            [distance(one, other) for one, other in pairwise(diagrams)]
        )
        for kind, distance in kinds.items()
        for dimension, diagrams in enumerate(dimensions)
    }


def _finite(bars: npt.ArrayLike) -> Bars:
    checked = checked_bars(bars)
    return checked[np.isfinite(checked[:, 1])]
