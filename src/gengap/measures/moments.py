"""Variances of features that come in batches, so that they are never held for all inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLUMNS = 2**14
"""Features that are held in double precision at a time."""


class RunningVariance:
    """The variance of each feature over all batches that were added.

    Batches are merged by the update of Chan, Golub and LeVeque 1979, "Updating formulae and a
    pairwise algorithm for computing sample variances", equation 2.1.

    Example:
        >>> running = RunningVariance()
        >>> running.add(np.array([[1.0], [3.0]]))
        >>> running.add(np.array([[5.0]]))
        >>> running.variance
        array([2.66666667])
    """

    def __init__(self) -> None:
        """Begin without any input."""
        self._count = 0
        self._mean: NDArray[np.float64] = np.zeros(())
        self._squares: NDArray[np.float64] = np.zeros(())

    def add(self, features: NDArray[np.floating]) -> None:
        """Add the features (n, f) of a batch, n at least 1."""
        added = len(features)
        mean = np.empty(features.shape[1])
        squares = np.empty_like(mean)
        for start in range(0, len(mean), COLUMNS):  # in double precision, some at a time
            columns = slice(start, start + COLUMNS)
            block = features[:, columns].astype(np.float64)
            mean[columns] = block.mean(axis=0)
            block -= mean[columns]
            squares[columns] = np.square(block, out=block).sum(axis=0)
        total = self._count + added
        shift = mean - self._mean
        self._squares = self._squares + squares + shift**2 * (self._count * added / total)
        self._mean = self._mean + shift * (added / total)
        self._count = total

    @property
    def variance(self) -> NDArray[np.float64]:
        """The variance (f,) of each feature: the mean squared distance from its mean."""
        return self._squares / self._count
