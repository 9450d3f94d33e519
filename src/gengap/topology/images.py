"""Persistence images, landscapes, silhouettes and heat kernels on a grid from 0 to a largest value.

Written out rather than taken from persim (which the tests compare with): its images loop over
bars, its gridded landscapes move the bars onto the grid first, and its import alone takes longer
than all summaries of a network.
"""

from __future__ import annotations

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
    births, lives = bars[:, 0], bars[:, 1] - bars[:, 0]
    along_lives = _mass_per_pixel(lives, grid_end)
    if dimension == 0:
        return lives @ along_lives
    return ((lives[:, None] * _mass_per_pixel(births, grid_end)).T @ along_lives).ravel()


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
    tents = np.zeros((len(bars) + LANDSCAPE_LAYERS, LANDSCAPE_POINTS))
    np.minimum(points - bars[:, :1], bars[:, 1:] - points, out=tents[: len(bars)])
    np.maximum(tents, 0, out=tents)
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
    lives = bars[:, 1] - bars[:, 0]
    tents = np.maximum(np.minimum(points - bars[:, :1], bars[:, 1:] - points), 0)
    total = lives.sum()
    silhouette: NDArray[np.float64] = lives @ tents / (total if total > 0 else 1.0)
    return silhouette


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
    centres = (np.arange(PIXELS) + 0.5) * PIXEL_SIZE * grid_end
    deviation = SPREAD * grid_end
    births, deaths = (
        np.exp(-0.5 * ((centres - ends[:, None]) / deviation) ** 2) for ends in bars.T
    )
    heat = births.T @ deaths / (2 * np.pi * deviation**2)
    absorbed: NDArray[np.float64] = heat - heat.T
    return absorbed[np.triu_indices(PIXELS, 1)]


def _mass_per_pixel(centres: NDArray[np.float64], grid_end: float) -> NDArray[np.float64]:
    """Return the mass of a Gaussian around each centre in each pixel, (bars, PIXELS)."""
    if not len(centres):
        return np.empty((0, PIXELS))
    # Imported here, so that computing diagrams alone does not load it.
    from scipy.special import ndtr

    edges = np.arange(PIXELS + 1) * (PIXEL_SIZE * grid_end)
    return np.diff(ndtr((edges - centres[:, None]) / (SPREAD * grid_end)), axis=1)
