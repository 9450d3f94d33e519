"""What is measured of a solution: spectrum, alignment, G_theta, outliers, boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gengap.curvature import effective_dimension, hessian
from gengap.curvature.alignment import GTheta, Statistic, alignments, g_theta
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import DENSE_LIMIT
from gengap.networks import Network, parameter_count, predicted_classes
from gengap.seeding import derive, generator
from gengap.studies import Context

OUTLIER_WINDOW = 30
"""Outliers are sought among so many of the largest eigenvalues."""

DOUBLE_LIMIT = 100_000
"""Parameters above which eigenpairs are computed in float32, to 1e-5 of the largest."""

LEADING = 100
"""Eigenpairs computed where the Hessian is too large to be formed."""

RANDOM_VECTORS = 10


@dataclass(frozen=True)
class Spectrum:
    """Eigenpairs of the Hessian of the mean loss, the largest first.

    Attributes:
        values: (k,), all p or the leading ones.
        vectors: (p, k).
        trace: exact where all eigenvalues are known, else estimated.
        least: the smallest eigenvalue.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    trace: float
    least: float

    @property
    def outliers(self) -> int:
        """Eigenvalues above the largest gap of the logarithms."""
        return int(effective_dimension.outliers(self.values[:OUTLIER_WINDOW]))

    @property
    def above_bulk(self) -> int:
        """Eigenvalues above the bulk, as wide to the right of 0 as it is to the left."""
        return int((self.values > -min(self.least, 0.0)).sum())


def spectrum_of(
    context: Context, network: Network, data: Split, loss: str, leading: int = LEADING
) -> Spectrum:
    """The whole spectrum where the Hessian can be formed, else its leading eigenpairs."""
    large = parameter_count(network) > DOUBLE_LIMIT
    operator = hessian(network, loss, data, dtype="float32" if large else "float64")
    if operator.size <= DENSE_LIMIT:
        values, vectors = np.linalg.eigh(operator.dense())
        return Spectrum(values[::-1].copy(), vectors[:, ::-1].copy(), values.sum(), values[0])
    seed = derive(context.seed, "eigenvectors")
    pairs = operator.eigsh(min(leading, operator.size), seed=seed)
    trace = operator.trace(seed=derive(context.seed, "trace")).value
    least = float(operator.eigsh(1, "bottom", seed=seed).values[0])
    return Spectrum(pairs.values.astype(float), pairs.vectors.astype(float), trace, least)


def measured_g_theta(
    context: Context,
    network: Network,
    data: Split,
    spectrum: Spectrum,
    threshold: Statistic | float = "mean",
) -> GTheta:
    """G_theta on the training inputs; the random vectors are the same for all of a run."""
    rng = generator(context.seed, "random vectors")
    return g_theta(network, data.inputs, spectrum.vectors, rng, threshold=threshold)


@dataclass(frozen=True)
class Plane:
    """A grid over two components of the inputs; the others are at their mean.

    Attributes:
        x, y: coordinates, (g,).
        points: (g*g, d), row by row of constant y.
        predicted: classes, (g, g), y first.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    points: NDArray[np.float32]
    predicted: NDArray[np.int64]

    @property
    def length(self) -> float:
        """Length of the decision boundary, in sides of the plane.

        By the Cauchy-Crofton formula for lines along the two axes: pi/4 of the number of changes
        between neighbours, in cells.
        """
        across = (np.diff(self.predicted, axis=0) != 0).sum()
        along = (np.diff(self.predicted, axis=1) != 0).sum()
        return float(np.pi / 4 * (across + along) / len(self.x))

    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Pairs of neighbouring points (m, 2), and whether their predictions differ (m,)."""
        index = np.arange(self.predicted.size).reshape(self.predicted.shape)
        pairs = np.concatenate(
            [
                np.stack([index[:-1].ravel(), index[1:].ravel()], axis=1),
                np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=1),
            ]
        )
        flat = self.predicted.ravel()
        return pairs, flat[pairs[:, 0]] != flat[pairs[:, 1]]


def plane_of(
    network: Network, inputs: np.ndarray, side: int, components: tuple[int, int] = (0, 1)
) -> Plane:
    """A square grid around the inputs (n, d), a fifth of their range wider on each side.

    Raises:
        GengapError: the inputs are no vectors of two or more components.
    """
    if inputs.ndim != 2 or inputs.shape[1] < 2:
        raise GengapError(
            f"A plane needs inputs of two or more components, not of shape {inputs.shape[1:]}: use "
            "another dataset, or the experiment 'images'."
        )
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    wider = 0.2 * (high - low)
    x, y = (
        np.linspace(low[c] - wider[c], high[c] + wider[c], side, dtype=np.float64)
        for c in components
    )
    points = np.tile(inputs.mean(axis=0, dtype=np.float64), (side * side, 1)).astype(np.float32)
    points[:, components[0]] = np.tile(x, side)
    points[:, components[1]] = np.repeat(y, side)
    return Plane(x, y, points, predicted_classes(network, points).reshape(side, side))


@dataclass(frozen=True)
class Crossings:
    """What alignments do between neighbouring points, at the boundary and elsewhere.

    Attributes:
        flips: fraction of crossings of the boundary at which the sign changes, among those where
            the alignment exceeds the threshold on one side.
        elsewhere: the same for neighbours of one prediction.
        jump: mean |A(x) - A(x')| over all crossings.
    """

    flips: float
    elsewhere: float
    jump: float


def crossings(plane: Plane, aligned: np.ndarray, threshold: float) -> Crossings:
    """Of alignments (g*g, m) with m vectors, together; NaN where there is nothing to count."""
    pairs, differ = plane.neighbours()
    first, second = aligned[pairs[:, 0]], aligned[pairs[:, 1]]
    active = np.maximum(np.abs(first), np.abs(second)) > threshold
    change = first * second < 0

    def share(rows: NDArray[np.bool_]) -> float:
        counted = active[rows]
        return float(change[rows][counted].mean()) if counted.any() else float("nan")

    jump = np.abs(first - second)[differ]
    return Crossings(share(differ), share(~differ), float(jump.mean()) if jump.size else np.nan)


def random_alignments(
    context: Context, network: Network, points: np.ndarray
) -> NDArray[np.float64]:
    """Alignments of points with random unit vectors, (n, :data:`RANDOM_VECTORS`): the control."""
    shape = (parameter_count(network), RANDOM_VECTORS)
    vectors = generator(context.seed, "control").standard_normal(shape)
    return alignments(network, points, vectors / np.linalg.norm(vectors, axis=0))
