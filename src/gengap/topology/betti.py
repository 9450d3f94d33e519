"""Betti curves as exact step functions, and the numbers that summarise a diagram.

Corneanu, Madadi, Escalera and Martinez, "What does it mean to learn in deep networks? And, how does
one detect adversarial attacks?" (CVPR 2019) look at the curves while a network trains, and
"Computing the testing error without a testing set" (CVPR 2020) at averages over the bars.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.arrays import checked_bars, square_matrix

Curve = NDArray[np.float64]

SUMMARIES = (
    "life",
    "midlife",
    "peak",
    "argmax",
    "death_birth_ratio",
    "integral",
    "count",
    "entropy",
)


def betti_curve(bars: npt.ArrayLike, grid: NDArray[np.floating], nodes: int = 1) -> Curve:
    """Count the bars alive at each point of a grid, divided by ``nodes``.

    A bar i is alive at e if birth_i <= e < death_i. The count is exact whatever the order of the
    bars. (The published conversion assumed sorted deaths.)

    Args:
        bars: (bars, 2) births and deaths; a death may be infinite.
        grid: (points,) filtration values, in any order.
        nodes: 1, or the number of the graph's nodes for a curve per node.

    Returns:
        (points,) float64.

    Raises:
        GengapError: the bars are no diagram, or there is fewer than one node.
    """
    births, deaths = _ends(bars)
    if nodes < 1:
        raise GengapError(
            f"A Betti curve per node of {nodes} nodes has no meaning: give 1 or more."
        )
    born = np.searchsorted(births, grid, side="right")
    dead = np.searchsorted(deaths, grid, side="right")
    return (born - dead) / nodes


def betti_steps(bars: npt.ArrayLike) -> tuple[Curve, Curve]:
    """Return where the Betti curve changes, ascending (steps,), and its values from there on."""
    births, deaths = _ends(bars)
    steps = np.unique(np.concatenate([births, deaths[np.isfinite(deaths)]]))
    return steps, betti_curve(bars, steps)


def smoothed(curve: NDArray[np.floating], points: float) -> Curve:
    """Smooth a curve by a Gaussian window, for display only.

    Args:
        curve: (n,) values on a regular grid.
        points: standard deviation of the window in grid points.

    Returns:
        (n,) float64.

    Raises:
        GengapError: ``points`` is not above 0.
    """
    if not points > 0:
        raise GengapError(f"A window of {points} points smooths nothing: give a number above 0.")
    reach = int(np.ceil(3 * points))
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / points) ** 2)
    padded = np.pad(np.asarray(curve, dtype=np.float64), reach, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")


def in_density(diagrams: Sequence[npt.ArrayLike], dissimilarity: npt.ArrayLike) -> list[Curve]:
    """Rescale bars to density: the fraction of all edges that are present.

    A density filtration adds edges by rank, so that graphs whose correlations differ in strength
    are compared at equal numbers of edges. Its diagrams are those of the dissimilarity with each
    value e replaced by #{edges <= e} / #{edges}; bars between tied values stay apart. Infinite
    entries are no edges, and count in neither number.

    Args:
        diagrams: per dimension, (bars, 2) births and deaths in the dissimilarity's unit.
        dissimilarity: (n, n) from which they were computed.

    Returns:
        Per dimension, (bars, 2) float64 in [0, 1]; infinite deaths stay infinite.

    Raises:
        GengapError: the matrix is not square, or a diagram is not (bars, 2).
    """
    lengths = square_matrix(dissimilarity).astype(np.float32, copy=False)
    edges = np.sort(lengths[np.triu_indices(len(lengths), 1)])
    edges = edges[np.isfinite(edges)]
    rescaled = []
    for bars in diagrams:
        values = checked_bars(bars).astype(np.float32)
        density = np.searchsorted(edges, values, side="right") / max(1, len(edges))
        density = np.where(np.isinf(values), np.inf, density)
        # Births of points come before the first edge, also where that has length 0.
        rescaled.append(np.where(values == 0, 0.0, density).reshape(-1, 2))
    return rescaled


def summarise_bars(bars: npt.ArrayLike, nodes: int = 1) -> dict[str, float]:
    """Summarise a diagram by eight numbers, all zero where it has no finite bar.

    Over the finite bars (b, d):

    ==================  =========================================================================
    life                mean of d - b
    midlife             mean of (b + d) / 2 (the published code computes the mean of d + b / 2)
    peak                the Betti curve's largest value, divided by ``nodes``
    argmax              the smallest filtration value at which the curve reaches it
    death_birth_ratio   mean of d / b over the bars with b > 0
    integral            of the Betti curve over the filtration value, divided by ``nodes``
    count               number of bars, divided by ``nodes``
    entropy             -sum p log p (natural logarithm) of the lives' shares p
    ==================  =========================================================================

    Args:
        bars: (bars, 2) births and deaths; infinite ones and those of no length are left out.
        nodes: 1, or the number of the graph's nodes.

    Returns:
        One number for each name in ``SUMMARIES``.

    Raises:
        GengapError: the bars are no diagram.
    """
    finite = checked_bars(bars)
    finite = finite[np.isfinite(finite[:, 1]) & (finite[:, 1] > finite[:, 0])]
    if len(finite) == 0:
        return dict.fromkeys(SUMMARIES, 0.0)
    births, deaths = finite.T
    lives = deaths - births
    steps, curve = betti_steps(finite)
    top = int(np.argmax(curve))
    shares = lives / lives.sum()
    late = births > 0
    values = (
        lives.mean(),
        ((births + deaths) / 2).mean(),
        curve[top] / nodes,
        steps[top],
        (deaths[late] / births[late]).mean() if late.any() else 0.0,
        lives.sum() / nodes,
        len(finite) / nodes,
        -(shares * np.log(shares)).sum() + 0.0,
    )
    return dict(zip(SUMMARIES, map(float, values), strict=True))


def _ends(bars: npt.ArrayLike) -> tuple[Curve, Curve]:
    """Return births and deaths, each sorted separately."""
    checked = checked_bars(bars)
    return np.sort(checked[:, 0]), np.sort(checked[:, 1])
