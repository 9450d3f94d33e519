"""Persistence images, landscapes, silhouettes and heat kernels on a grid from 0 to a largest value.

Written out rather than taken from persim (which the tests compare with): its images loop over
bars, its gridded landscapes move the bars onto the grid first, and its import alone takes longer
than all summaries of a network.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gengap.arguments import number_from_zero
from gengap.errors import GengapError

GRID_END = 1.0
"""Dissimilarities 1 - |r| lie in [0, 1], and so do the bars of their diagrams."""

PIXELS = 20
PIXEL_SIZE = 1 / PIXELS
SPREAD = PIXEL_SIZE

LANDSCAPE_LAYERS = 5
LANDSCAPE_POINTS = 100

BLOCK_BARS = 1024
"""Bars that are put on the grid at a time, so that their values stay in the processor's cache."""

ALL_MASS = 8.5
"""Deviations above its centre at which a Gaussian has all its mass, in float64."""


def check_grid(bars: NDArray[np.float64], grid_end: float) -> None:
    """Refuse bars that lie outside of the grid, where images and landscapes would not show them.

    Args:
        bars: (bars, 2) finite births and deaths.
        grid_end: the largest value of the grid.

    Raises:
        GengapError: a bar is born below 0 or dies beyond the grid, or the grid has no extent.
    """
    if not 0 < number_from_zero(grid_end, "grid_end") < np.inf:
        raise GengapError(f"grid_end is {grid_end}: give a finite number above 0.")
    births, deaths = bars[:, 0], bars[:, 1]
    if len(bars) == 0 or (births.min() >= 0 and deaths.max() <= grid_end):
        return
    if births.min() < 0:
        raise GengapError(
            f"A bar is born at {births.min():g}, but persistence images and landscapes begin at 0: "
            "add a constant to the filtration values."
        )
    raise GengapError(
        f"Bars reach beyond the grid of persistence images and landscapes, [0, {grid_end:g}] (the "
        f"largest birth is {births.max():g}, death {deaths.max()}, life "
        f"{(deaths - births).max():g}): pass grid_end={deaths.max()} or more, the same for all "
        "networks, or divide the dissimilarities by their largest value."
    )


def persistence_image(
    bars: NDArray[np.float64], dimension: int, grid_end: float = GRID_END
) -> NDArray[np.float64]:
    """Integrate bars over pixels, smoothed by a Gaussian and weighted by their life.

    From Adams et al. 2017 (JMLR 18:8), with weight w = life, deviation ``SPREAD`` and square
    pixels on births and lives in [0, 1], or times ``grid_end``. In dimension 0 all births are 0, so
    the image is the marginal over births: one row of pixels.

    Args:
        bars: (bars, 2) finite births and deaths, which :func:`check_grid` accepts.
        dimension: dimension of homology.
        grid_end: the largest birth and life on the grid.

    Returns:
        (PIXELS,) for dimension 0, by life; else (PIXELS * PIXELS,), by birth, then life.
    """
    image = np.zeros(PIXELS if dimension == 0 else (PIXELS, PIXELS))
    for block in _blocks(bars):
        births, lives = block[:, 0], block[:, 1] - block[:, 0]
        along_lives = _mass_per_pixel(lives, grid_end)
        if dimension == 0:
            image += along_lives @ lives
        else:
            image += _mass_per_pixel(births, grid_end) @ (along_lives * lives).T
    return image.ravel()


def persistence_landscape(
    bars: NDArray[np.float64], grid_end: float = GRID_END
) -> NDArray[np.float64]:
    """Evaluate the first landscape functions at the midpoints of a grid on [0, ``grid_end``].

    From Bubenik 2015 (JMLR 16:3): the k-th function at t is the k-th largest over bars
    of max(0, min(t - birth, death - t)).

    Args:
        bars: (bars, 2) finite births and deaths, which :func:`check_grid` accepts.
        grid_end: the largest t of the grid.

    Returns:
        (LANDSCAPE_LAYERS * LANDSCAPE_POINTS,), by layer, then t.
    """
    points = (np.arange(LANDSCAPE_POINTS) + 0.5) / LANDSCAPE_POINTS * grid_end
    tents = _tents(_outermost(bars), points)
    tents = np.concatenate([np.zeros((LANDSCAPE_LAYERS, LANDSCAPE_POINTS)), tents])
    highest = np.partition(tents, -LANDSCAPE_LAYERS, axis=0)[-LANDSCAPE_LAYERS:]
    return np.sort(highest, axis=0)[::-1].ravel()


def persistence_silhouette(
    bars: NDArray[np.float64], grid_end: float = GRID_END
) -> NDArray[np.float64]:
    """Evaluate the silhouette at the midpoints of a grid on [0, ``grid_end``].

    From Chazal et al. 2014 ("Stochastic convergence of persistence landscapes and silhouettes"):
    at t, the mean over bars of max(0, min(t - birth, death - t)), weighted by the bars' lives.

    Args:
        bars: (bars, 2) finite births and deaths, which :func:`check_grid` accepts.
        grid_end: the largest t of the grid.

    Returns:
        (LANDSCAPE_POINTS,), by t; zeros without bars.
    """
    points = (np.arange(LANDSCAPE_POINTS) + 0.5) / LANDSCAPE_POINTS * grid_end
    silhouette = np.zeros(LANDSCAPE_POINTS)
    # Bars that are born at about the same time share the few points at which they are alive.
    for block in _blocks(bars[np.argsort(bars[:, 0])]):
        alive = slice(*np.searchsorted(points, [block[0, 0], block[:, 1].max()]))
        silhouette[alive] += (block[:, 1] - block[:, 0]) @ _tents(block, points[alive])
    total = (bars[:, 1] - bars[:, 0]).sum()
    return silhouette / total if total > 0 else silhouette


def heat_kernel(bars: NDArray[np.float64], grid_end: float = GRID_END) -> NDArray[np.float64]:
    """Evaluate the heat that spreads from the bars and is absorbed by the diagonal.

    From Reininghaus et al. 2015 ("A stable multi-scale kernel for topological machine learning"):
    the sum over bars p of g(z - p) - g(z - p'), where g is the Gaussian density of deviation
    ``SPREAD`` times ``grid_end``, and p' is p with birth and death exchanged.

    Args:
        bars: (bars, 2) finite births and deaths, which :func:`check_grid` accepts.
        grid_end: the largest birth and death on the grid.

    Returns:
        (PIXELS * (PIXELS - 1) / 2,), at the pixels' centres z above the diagonal, by birth, then
        death.
    """
    deviation = SPREAD * grid_end
    centres = (np.arange(PIXELS) + 0.5) * PIXEL_SIZE / SPREAD
    heat = np.zeros((PIXELS, PIXELS))
    for block in _blocks(bars):
        births, deaths = (
            np.exp(-0.5 * (centres[:, None] - ends / deviation) ** 2) for ends in block.T
        )
        heat += births @ deaths.T
    absorbed: NDArray[np.float64] = (heat - heat.T) / (2 * np.pi * deviation**2)
    return absorbed[np.triu_indices(PIXELS, 1)]


def _blocks(bars: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield a few bars at a time."""
    for start in range(0, len(bars), BLOCK_BARS):
        yield bars[start : start + BLOCK_BARS]


def _tents(bars: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return max(0, min(t - birth, death - t)) of each bar at each point t, (bars, points)."""
    tents = np.minimum(points - bars[:, :1], bars[:, 1:] - points)
    np.maximum(tents, 0, out=tents)
    return tents


def _outermost(bars: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the bars that are needed for the landscape: few of them lie inside five others.

    A bar that lies inside as many others as there are layers is in none of them. Among bars by
    descending death, these are the bars that are born no earlier than that many bars before them.

    Returns:
        (fewer bars, 2), by descending death.
    """
    bars = bars[np.argsort(-bars[:, 1], kind="stable")]
    # Follow the earliest birth so far, the second earliest, and so on: what is not among the
    # earlier ones is passed on.
    passed_on = bars[:, 0]
    for _ in range(LANDSCAPE_LAYERS):
        earliest = np.append(np.inf, np.minimum.accumulate(passed_on))[:-1]
        passed_on = np.maximum(passed_on, earliest)
    return bars[bars[:, 0] < earliest]


def _mass_per_pixel(centres: NDArray[np.float64], grid_end: float) -> NDArray[np.float64]:
    """Return the mass of a Gaussian around each centre in each pixel, (PIXELS, bars)."""
    # Imported here, so that computing diagrams alone does not load it.
    from scipy.special import ndtr

    edges = np.arange(PIXELS + 1) * (PIXEL_SIZE / SPREAD)
    places = centres / (SPREAD * grid_end)
    partly = int(np.searchsorted(edges, places.max() + ALL_MASS))
    below = np.ones((PIXELS + 1, len(places)))
    ndtr(edges[:partly, None] - places, out=below[:partly])
    mass: NDArray[np.float64] = below[1:] - below[:-1]
    return mass
