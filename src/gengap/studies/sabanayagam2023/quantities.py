"""What is measured of a solution: its Hessian, G_theta, and the alignment over a plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gengap.curvature.alignment import Statistic, alignments, g_theta, unit_gradients
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import DENSE_LIMIT
from gengap.networks import Network, parameter_count
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats, Floats32, Integers
from gengap.studies.planes import Regions, neighbours
from gengap.studies.sabanayagam2023.starts import Fit
from gengap.studies.spectra import LEADING, Eigenpairs, eigenpairs_of

RANDOM_VECTORS = 10

Gradient = Literal["predicted", "label", "random"] | int
"""The class of whose loss an input's gradient is: the predicted one as in the paper, its label (of
a point of a plane: that of the nearest training input), one drawn at random, or a fixed one."""


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

    @property
    def crossed(self) -> NDArray[np.bool_]:
        """Whether a point (g, g) or the one above or right of it has another prediction."""
        pairs, differ = neighbours(self.predicted)
        return self._first_of(pairs[differ])

    def reconstructed(self, threshold: float) -> NDArray[np.bool_]:
        """Return where the maps alone put the boundary, (g, g), without the predictions.

        That is where an alignment changes its sign from a point to the one above or right of it,
        and exceeds the threshold on one side.
        """
        pairs, _ = neighbours(self.predicted)
        flat = self.aligned.reshape(len(self.aligned), -1).T
        active, changed = _signs(flat[pairs[:, 0]], flat[pairs[:, 1]], threshold)
        return self._first_of(pairs[(active & changed).any(axis=1)])

    def _first_of(self, pairs: Integers) -> NDArray[np.bool_]:
        """Whether a point (g, g) is the first one of a pair (m, 2) of neighbours."""
        marked = np.zeros(self.predicted.size, dtype=bool)
        marked[pairs[:, 0]] = True
        return marked.reshape(self.predicted.shape)


def _signs(
    first: NDArray[np.floating], second: NDArray[np.floating], threshold: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether alignments of neighbours exceed the threshold on one side, and change their sign."""
    active = np.maximum(np.abs(first), np.abs(second)) > threshold
    return np.asarray(active), np.asarray(first * second < 0)


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
    dense_limit: int = DENSE_LIMIT,
    threshold: Statistic | float = "mean",
    name: str | None = None,
    hessian_of: Split | None = None,
) -> tuple[Eigenpairs, Measures]:
    """Compute the eigenpairs of the Hessian of a training split's loss, and G_theta from them.

    The context's seed draws the random vectors of G_theta, the same for all networks of a run.

    Args:
        context: seed, and the files that were asked for.
        network: the network with its weights.
        data: the training data.
        loss: of training.
        leading: see :func:`gengap.studies.spectra.eigenpairs_of`.
        dense_limit: likewise.
        threshold: of G_theta.
        name: of the network among those of the run, for its files; None writes none.
        hessian_of: the data of the Hessian's loss, if they are not all training data.

    Returns:
        The eigenpairs and the measures.
    """
    pairs = eigenpairs_of(
        context,
        network,
        hessian_of or data,
        loss,
        leading,
        dense_limit=dense_limit,
        name=name,
    )
    files = context.files
    if files is not None and name is not None and "alignments" in files.kinds:
        files.write_array("alignments", name, alignments(network, data.inputs, pairs.vectors))
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
    pairs, differ = neighbours(regions.predicted)
    first, second = aligned[pairs[:, 0]], aligned[pairs[:, 1]]
    active, change = _signs(first, second, threshold)

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


def gradient_classes(
    context: Context,
    gradient: Gradient,
    points: Floats32,
    data: Split,
) -> Integers | None:
    """Return the class (n,) of whose loss each point's gradient is; None for the predicted ones.

    Raises:
        GengapError: a fixed class that there is not.
    """
    if gradient == "predicted":
        return None
    if gradient == "random":
        return context.generator("random classes").integers(data.classes, size=len(points))
    if gradient == "label":
        flat, known = (array.reshape(len(array), -1) for array in (points, data.inputs))
        return np.asarray(data.labels[cKDTree(known).query(flat)[1]], dtype=np.int64)
    if not 0 <= gradient < data.classes:
        raise GengapError(
            f"The setting 'gradient' is {gradient}: give predicted, label, random or a class "
            f"from 0 to {data.classes - 1}."
        )
    return np.full(len(points), gradient, dtype=np.int64)


def coherence(network: Network, data: Split) -> Floats32:
    """Return the cosines (n, n) of the training inputs' gradients, ordered by their labels."""
    order = np.argsort(data.labels, kind="stable")
    batches = unit_gradients(network, data.inputs[order])
    gradients = np.concatenate([part.numpy(force=True) for _, part in batches])
    return np.asarray(gradients @ gradients.T, dtype=np.float32)
