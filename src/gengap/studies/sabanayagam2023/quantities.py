"""What is measured of a solution: its Hessian, G_theta, and the alignment over a plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gengap.curvature.alignment import Statistic, alignments, g_theta
from gengap.datasets import Split
from gengap.networks import Network, parameter_count
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats, Floats32
from gengap.studies.planes import Regions
from gengap.studies.sabanayagam2023.starts import Fit
from gengap.studies.spectra import LEADING, Eigenpairs, eigenpairs_of

RANDOM_VECTORS = 10


@dataclass(frozen=True)
class Measures:
    """What a spectrum and the alignments with its eigenvectors say of a boundary.

    Attributes:
        g_theta_count, g_theta: eigenvectors that count in G_theta, and their fraction of all.
        threshold: of G_theta.
        trace, lambda_1: of the Hessian, and its largest eigenvalue.
        outliers: eigenvalues above the largest gap of the logarithms.
        outliers_above_bulk: eigenvalues above the bulk, taken to be as wide above 0 as below.
        negative_mass: sum of the negative eigenvalues that were computed, as a positive number.
        largest: largest |A_i| of each eigenvector over the training inputs, (k,).
    """

    g_theta_count: int
    g_theta: float
    threshold: float
    trace: float
    lambda_1: float
    outliers: int
    outliers_above_bulk: int
    negative_mass: float
    largest: Floats32


@dataclass(frozen=True)
class Compared:
    """A solution that is compared with others: how it fits, and what is measured of it."""

    fit: Fit
    measures: Measures


@dataclass(frozen=True)
class AlignmentMaps:
    """Predictions (g, g) over a plane, y first, and the alignment (vectors, g, g) with vectors."""

    x: Floats
    y: Floats
    predicted: NDArray[np.int16]
    aligned: Floats32

    @classmethod
    def of(cls, regions: Regions, aligned: Floats) -> AlignmentMaps:
        """Return the maps of alignments (g*g, vectors) with the points of a plane."""
        plane, maps = regions.plane, aligned.T.reshape(-1, *regions.predicted.shape)
        predicted = regions.predicted.astype(np.int16)
        return cls(plane.x, plane.y, predicted, maps.astype(np.float32))


@dataclass(frozen=True)
class Crossings:
    """What alignments do between neighbouring points of a plane.

    Attributes:
        flips: fraction of crossings of the boundary at which the sign changes, among those where
            the alignment exceeds the threshold on one side.
        flips_elsewhere: the same fraction of neighbours with one prediction.
        jump: mean |A(x) - A(x')| over all crossings.
    """

    flips: float
    flips_elsewhere: float
    jump: float


def measure(
    context: Context,
    network: Network,
    data: Split,
    loss: str = "cross_entropy",
    *,
    leading: int = LEADING,
    threshold: Statistic | float = "mean",
) -> tuple[Eigenpairs, Measures]:
    """Compute the eigenpairs of the Hessian of a training split's loss, and G_theta from them.

    The context's seed draws the random vectors of G_theta, the same for all networks of a run;
    ``leading`` is that of :func:`gengap.studies.spectra.eigenpairs_of`.

    Returns:
        The eigenpairs and the measures.
    """
    pairs = eigenpairs_of(context, network, data, loss, leading)
    rng = context.generator("random vectors")
    counted = g_theta(network, data.inputs, pairs.vectors, rng, threshold=threshold)
    measures = Measures(
        g_theta_count=counted.count,
        g_theta=counted.fraction,
        threshold=counted.threshold,
        trace=pairs.trace,
        lambda_1=float(pairs.values[0]),
        outliers=pairs.spectrum.outliers,
        outliers_above_bulk=pairs.spectrum.above_bulk,
        negative_mass=float(-pairs.values[pairs.values < 0].sum()),
        largest=counted.largest.astype(np.float32),
    )
    return pairs, measures


def crossings(regions: Regions, aligned: Floats, threshold: float) -> Crossings:
    """Count what alignments (g*g, vectors) do at the boundary and elsewhere, all vectors together.

    Returns:
        Fractions, of alignments above the threshold, and mean; NaN with nothing to count.
    """
    pairs, differ = regions.neighbours()
    first, second = aligned[pairs[:, 0]], aligned[pairs[:, 1]]
    active = np.maximum(np.abs(first), np.abs(second)) > threshold
    change = first * second < 0

    def fraction(rows: NDArray[np.bool_]) -> float:
        counted = active[rows]
        return float(change[rows][counted].mean()) if counted.any() else float("nan")

    jump = np.abs(first - second)[differ]
    mean = float(jump.mean()) if jump.size else np.nan
    return Crossings(fraction(differ), fraction(~differ), mean)


def random_alignments(context: Context, network: Network, points: Floats32) -> Floats:
    """Return the alignments (n, :data:`RANDOM_VECTORS`) of points with random unit vectors."""
    shape = (parameter_count(network), RANDOM_VECTORS)
    vectors = context.generator("control").standard_normal(shape)
    return alignments(network, points, vectors / np.linalg.norm(vectors, axis=0))
