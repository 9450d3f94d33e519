"""Alignment, G_theta and maps of any trained network, without training it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gengap.curvature.alignment import alignments
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.figures.style import DOUBLE_COLUMN, styled
from gengap.files import writing
from gengap.limits import DENSE_LIMIT
from gengap.networks import Network, parameter_count
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats, Floats32, Integers
from gengap.studies.planes import plane_around
from gengap.studies.sabanayagam2023.alignment_maps import (
    EmbeddedRow,
    Row,
    embedding_figure,
    map_figure,
)
from gengap.studies.sabanayagam2023.embedding import check_embeddable, embedded
from gengap.studies.sabanayagam2023.quantities import AlignmentMaps, Measures, measure
from gengap.studies.spectra import LEADING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_MAPS = 4


@dataclass(frozen=True, eq=False)
class Portrait:
    """What the eigenvectors of a network's Hessian say of its decision boundary.

    Attributes:
        parameters: of the network, p.
        measures: G_theta, trace, largest eigenvalue and outliers.
        eigenvalues: (k,), descending: all p, or the leading ones.
        alignments: of the training inputs with their eigenvectors, (n, k).
        labels: of the training inputs, (n,).
        positions: of the training inputs in the plane of the maps, or by t-SNE, (n, 2).
        maps: alignments over the plane; None where the inputs are no vectors.
        vectors: the eigenvectors (p, k), if they were asked for.
    """

    parameters: int
    measures: Measures
    eigenvalues: Floats
    alignments: Floats
    labels: Integers
    positions: Floats32
    maps: AlignmentMaps | None
    vectors: Floats | None

    def write(self, path: str | Path) -> None:
        """Write all numbers as arrays of an npz file; equal portraits give equal bytes."""
        arrays = {
            "parameters": self.parameters,
            **vars(self.measures),
            "eigenvalues": self.eigenvalues,
            "alignments": self.alignments,
            "labels": self.labels,
            "positions": self.positions,
            **({} if self.maps is None else vars(self.maps)),
            **({} if self.vectors is None else {"vectors": self.vectors}),
        }
        with writing(path) as part, part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def text(self) -> str:
        """Return the numbers as text, one per line."""
        measures, known = self.measures, len(self.eigenvalues)
        partial = "" if known == self.parameters else f" of the {known} leading eigenvectors"
        return "\n".join(
            (
                f"parameters           {self.parameters}",
                f"G_theta              {measures.g_theta:.4g} ({measures.g_theta_count}){partial}",
                f"threshold            {measures.threshold:.4g}",
                f"largest eigenvalue   {measures.lambda_1:.6g}",
                f"trace                {measures.trace:.6g}",
                f"outliers             {measures.outliers} (above the widest gap), "
                f"{measures.outliers_above_bulk} (above -lambda_min)",
            )
        )

    @styled
    def figure(self, maps: int = SHOWN_MAPS) -> Figure:
        """Plot the classes and the alignment with so many top eigenvectors."""
        if self.maps is not None:
            row = Row("", self.maps, self.eigenvalues, self.positions, self.labels)
            return map_figure([row], DOUBLE_COLUMN, 2.0, maps=maps)
        names = {int(label): f"class {label}" for label in np.unique(self.labels)}
        rows = [EmbeddedRow("", self.alignments, self.eigenvalues)]
        return embedding_figure(rows, self.positions, self.labels, names, maps)


def portray(
    context: Context,
    network: Network,
    data: Split,
    loss: str = "cross_entropy",
    *,
    leading: int = LEADING,
    dense_limit: int = DENSE_LIMIT,
    maps: int = SHOWN_MAPS,
    side: int = 80,
    components: tuple[int, int] = (0, 1),
    keep_vectors: bool = False,
) -> Portrait:
    """Measure the alignment of a trained network's gradients with the eigenvectors of its Hessian.

    Args:
        context: its seed draws the random vectors of G_theta.
        network: in eval mode, with its trained weights.
        data: the training data with the labels trained on.
        loss: that it was trained on.
        leading: eigenpairs, where there are more parameters than the limit.
        dense_limit: most parameters for which all eigenpairs are computed.
        maps: top eigenvectors whose alignment is mapped, where the inputs are vectors.
        side: points along each side of the plane.
        components: of the inputs, which span the plane.
        keep_vectors: whether the portrait holds the eigenvectors.

    Returns:
        The portrait.

    Raises:
        GengapError: the targets are numbers, or there are too many inputs to embed.
    """
    if data.has_numbers:
        raise GengapError(
            "The targets are numbers, but alignment is about the boundary between classes: give a "
            "network and data of classes."
        )
    if data.inputs.ndim != 2:
        check_embeddable(data)
    pairs, measures = measure(
        context, network, data, loss, leading=leading, dense_limit=dense_limit
    )
    mapped = None
    if data.inputs.ndim == 2 and data.inputs.shape[1] > 1:
        plane = plane_around(data.inputs, side, components=components)
        over_plane = alignments(network, plane.points, pairs.vectors[:, :maps], loss=loss)
        mapped = AlignmentMaps.of(plane.regions(network), over_plane)
    return Portrait(
        parameters=parameter_count(network),
        measures=measures,
        eigenvalues=pairs.values,
        alignments=alignments(network, data.inputs, pairs.vectors, loss=loss),
        labels=data.labels,
        positions=data.inputs[:, list(components)] if mapped else embedded(context, data.inputs),
        maps=mapped,
        vectors=pairs.vectors if keep_vectors else None,
    )
