"""Persistence images and landscapes, on grids fixed for dissimilarities in [0, 1].

Written out rather than taken from persim (which the tests compare with): its images loop over
bars, its gridded landscapes move the bars onto the grid first, and its import alone takes longer
than all summaries of a network.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PIXELS = 20
PIXEL_SIZE = 1 / PIXELS
SPREAD = PIXEL_SIZE

LANDSCAPE_LAYERS = 5
LANDSCAPE_POINTS = 100


def persistence_image(bars: NDArray[np.float64], dimension: int) -> NDArray[np.float64]:
    """Integrate bars over pixels, smoothed by a Gaussian and weighted by their life.

    From Adams et al. 2017 (JMLR 18:8), with weight w = life, deviation ``SPREAD`` and square
    pixels on births and lives in [0, 1]. In dimension 0 all births are 0, so the image is the
    marginal over births: one row of pixels.

    Args:
        bars: (bars, 2) finite births and deaths.
        dimension: dimension of homology.

    Returns:
        (PIXELS,) for dimension 0, by life; else (PIXELS * PIXELS,), by birth, then life.
    """
    births, lives = bars[:, 0], bars[:, 1] - bars[:, 0]
    along_lives = _mass_per_pixel(lives)
    if dimension == 0:
        return lives @ along_lives
    return ((lives[:, None] * _mass_per_pixel(births)).T @ along_lives).ravel()


def persistence_landscape(bars: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate the first landscape functions at the midpoints of a grid on [0, 1].

    From Bubenik 2015 (JMLR 16:3): the k-th function at t is the k-th largest over bars
    of max(0, min(t - birth, death - t)).

    Args:
        bars: (bars, 2) finite births and deaths.

    Returns:
        (LANDSCAPE_LAYERS * LANDSCAPE_POINTS,), by layer, then t.
    """
    points = (np.arange(LANDSCAPE_POINTS) + 0.5) / LANDSCAPE_POINTS
    tents = np.zeros((len(bars) + LANDSCAPE_LAYERS, LANDSCAPE_POINTS))
    np.minimum(points - bars[:, :1], bars[:, 1:] - points, out=tents[: len(bars)])
    np.maximum(tents, 0, out=tents)
    highest = np.partition(tents, -LANDSCAPE_LAYERS, axis=0)[-LANDSCAPE_LAYERS:]
    return np.sort(highest, axis=0)[::-1].ravel()


def _mass_per_pixel(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mass of a Gaussian around each centre in each pixel, (bars, PIXELS)."""
    if not len(centres):
        return np.empty((0, PIXELS))
    # Imported here, so that computing diagrams alone does not load it.
    from scipy.special import ndtr

    edges = np.arange(PIXELS + 1) * PIXEL_SIZE
    return np.diff(ndtr((edges - centres[:, None]) / SPREAD), axis=1)
