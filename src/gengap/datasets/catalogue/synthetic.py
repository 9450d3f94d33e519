"""Points in the plane, drawn from a seed: (n, 2), with classes of equal size up to one sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.registry import Drawn, dataset
from gengap.datasets.samples import Samples

GAUSSIAN_CLASSES = 3
# Centres lie on the unit circle, sqrt(3) apart. At this spread the best classifier errs on a few
# per cent of the samples.
GAUSSIAN_SPREAD = 0.4
SPIRAL_TURNS = 3
SPIRAL_START = 1 / 13
SPIRAL_NOISE = 0.02
CIRCLE_NOISE = 0.08
MOON_NOISE = 0.15
BOARD_SIDE = 4

# Centres and standard deviations (x, y) of the clouds of Sabanayagam et al. (2023,
# arXiv:2306.07104), from their published code; one cloud per class by default.
MIXTURE_CENTRES = ((2, -1), (-2, 0), (0, 2))
MIXTURE_SPREADS = ((0.5, 0.5), (0.5, 1), (0.5, 0.5))
HIERARCHICAL_CENTRES = ((2, -1), (2, 1), (-2, 1), (-2, -1))
HIERARCHICAL_SPREAD = (0.5, 0.55)
# Two clouds a class: those of class 0 lie right, those of class 1 left, alternating along y.
ZIGZAG_HEIGHTS = ((-3, 1), (-1, 3))
ZIGZAG_SPREAD = (0.3, 0.1)
LINEAR_OFFSET = 0.8
NOISY_OFFSET = 0.5


@dataset("gaussians", Drawn, classes=GAUSSIAN_CLASSES)
def gaussians(count: int, rng: np.random.Generator) -> Samples:
    """Draw three round Gaussian clouds around the corners of an equilateral triangle."""
    labels = _labels(count, GAUSSIAN_CLASSES, rng)
    angle = 2 * np.pi * labels / GAUSSIAN_CLASSES
    centres = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _samples(centres + GAUSSIAN_SPREAD * rng.standard_normal((count, 2)), labels)


@dataset("two_spirals", Drawn, classes=2)
def two_spirals(count: int, rng: np.random.Generator, noise: float = SPIRAL_NOISE) -> Samples:
    """Draw two interlocked spirals of three turns (Lang and Witbrock 1988) in the unit disc.

    Their 97 points of radius 6.5 (104 - i) / 104 and angle i pi / 16, i = 0..96, become a position
    drawn uniformly along i, with slight Gaussian noise; the second spiral is the first, mirrored
    at the origin.

    Args:
        count: number of points.
        rng: draws them.
        noise: standard deviation of the noise.

    Returns:
        Points (n, 2) of two classes.
    """
    labels = _labels(count, 2, rng)
    along = rng.random(count)
    radius = 1 - along * (1 - SPIRAL_START)
    angle = 2 * np.pi * SPIRAL_TURNS * along
    sign = 1 - 2 * labels
    points = (sign * radius) * np.stack([np.sin(angle), np.cos(angle)])
    return _samples(points.T + noise * rng.standard_normal((count, 2)), labels)


@dataset("circles", Drawn, classes=2)
def circles(count: int, rng: np.random.Generator, noise: float = CIRCLE_NOISE) -> Samples:
    """Draw scikit-learn's ``make_circles``: a circle inside another, with noise."""
    from sklearn.datasets import make_circles

    return _samples(*make_circles(count, noise=noise, factor=0.5, random_state=_seed(rng)))


@dataset("moons", Drawn, classes=2)
def moons(count: int, rng: np.random.Generator, noise: float = MOON_NOISE) -> Samples:
    """Draw scikit-learn's ``make_moons``: two interleaved half circles, with noise."""
    from sklearn.datasets import make_moons

    return _samples(*make_moons(count, noise=noise, random_state=_seed(rng)))


@dataset("checkerboard", Drawn, classes=2)
def checkerboard(count: int, rng: np.random.Generator) -> Samples:
    """Draw uniform points on the unit square, labelled by the colour of their square of 4 x 4."""
    labels = _labels(count, 2, rng)
    column = rng.integers(BOARD_SIDE, size=count)
    row = 2 * rng.integers(BOARD_SIDE // 2, size=count) + (column + labels) % 2
    corners = np.stack([column, row], axis=1)
    return _samples((corners + rng.random((count, 2))) / BOARD_SIDE, labels)


@dataset("gauss_mixture", Drawn, classes=len(MIXTURE_CENTRES))
def gauss_mixture(count: int, rng: np.random.Generator) -> Samples:
    """Draw three Gaussian clouds, one of them stretched (Sabanayagam et al. 2023, ``gauss``)."""
    labels = _labels(count, len(MIXTURE_CENTRES), rng)
    return _clouds(
        np.array(MIXTURE_CENTRES)[labels], np.array(MIXTURE_SPREADS)[labels], labels, rng
    )


@dataset("hierarchical", Drawn, classes=len(HIERARCHICAL_CENTRES))
def hierarchical(count: int, rng: np.random.Generator) -> Samples:
    """Draw four Gaussian clouds: classes 0, 1 on the right, 2, 3 on the left (Sabanayagam 2023)."""
    labels = _labels(count, len(HIERARCHICAL_CENTRES), rng)
    return _clouds(np.array(HIERARCHICAL_CENTRES)[labels], HIERARCHICAL_SPREAD, labels, rng)


@dataset("checkerboard_linear", Drawn, classes=2)
def checkerboard_linear(count: int, rng: np.random.Generator) -> Samples:
    """Draw four flat clouds in a zigzag, which a vertical line separates with a narrow margin.

    The wide margin belongs to the boundary that winds between the clouds' heights. From
    Sabanayagam et al. (2023, arXiv:2306.07104).

    Args:
        count: number of points.
        rng: draws them.

    Returns:
        Points (n, 2) of two classes.
    """
    return _zigzag(count, LINEAR_OFFSET, rng)


@dataset("checkerboard_noisy", Drawn, classes=2)
def checkerboard_noisy(count: int, rng: np.random.Generator) -> Samples:
    """Draw the clouds of ``checkerboard_linear`` so close together that no line separates them."""
    return _zigzag(count, NOISY_OFFSET, rng)


def _zigzag(count: int, offset: float, rng: np.random.Generator) -> Samples:
    labels = _labels(count, 2, rng)
    heights = np.array(ZIGZAG_HEIGHTS)[labels, rng.integers(2, size=count)]
    centres = np.stack([offset * (1 - 2 * labels), heights], axis=1)
    return _clouds(centres, ZIGZAG_SPREAD, labels, rng)


def _clouds(
    centres: np.ndarray,
    spreads: np.ndarray | tuple[float, float],
    labels: NDArray[np.int64],
    rng: np.random.Generator,
) -> Samples:
    return _samples(centres + np.array(spreads) * rng.standard_normal(centres.shape), labels)


def _labels(count: int, classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.permutation(np.arange(count, dtype=np.int64) % classes)


def _seed(rng: np.random.Generator) -> int:
    """scikit-learn takes a seed of 32 bits instead of a generator."""
    return int(rng.integers(2**32))


def _samples(points: np.ndarray, labels: np.ndarray) -> Samples:
    return Samples(points.astype(np.float32), labels.astype(np.int64))
