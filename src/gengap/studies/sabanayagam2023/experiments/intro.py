"""Six points on a line: predictions, gradients and alignment along x, spectrum, loss surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from torch.nn.utils import parameters_to_vector

from gengap.curvature.alignment import alignments, unit_gradients
from gengap.networks import Network, device_of, logits, predicted_classes, tensor_of
from gengap.studies.context import Context, load_dataset
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.studies.planes import loss_surface
from gengap.studies.sabanayagam2023.starts import Fit, train_from
from gengap.studies.spectra import eigenpairs_of
from gengap.training import sample_losses

LOW, HIGH = 0.35, 1.6
LEADING = 2

LARGE = 0.5
"""A change of sign counts where the alignment is larger than this on one side."""


@dataclass(frozen=True)
class Settings:
    """Training on the dataset ``intro1d``.

    Attributes:
        points: along x.
        surface: points along each of v1 and v2 at which the loss is computed.
        reach: of the surface from the solution, as the norm of the change of the weights.
    """

    network: Mapping[str, Any]
    training: Mapping[str, Any]
    points: int = 250
    surface: int = 31
    reach: float = 1.0


@dataclass(frozen=True)
class Result(ExperimentResult):
    """One solution, along x and around its weights.

    Attributes:
        x, logits: (points,) and (points, 2).
        gradients: of unit length (parameters, points), like parameters beside each other.
        alignments: with v1 and v2, (points, 2).
        sections: x of the sections of the boundary.
        flips: whether the alignment with v1, v2 changes its sign there, (sections, 2).
        inputs, labels: of the training split, (6,).
        eigenvalues: all, descending.
        vectors: components of v1 and v2 (parameters, 2), in the order of the gradients.
        steps, surface: coordinates along v1 and v2, and losses, v2 first.
    """

    fit: Fit
    x: Floats32
    logits: Floats32
    gradients: Floats32
    alignments: Floats
    sections: Floats32
    flips: NDArray[np.bool_]
    inputs: Floats32
    labels: Integers
    eigenvalues: Floats
    vectors: Floats
    steps: Floats
    surface: Floats


IntroRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train once and follow everything along x."""
    data = load_dataset(context, {"name": "intro1d"})
    solution = train_from(context, data, settings.network, settings.training, "normal")
    network = solution.network
    pairs = eigenpairs_of(context, network, data.train, "cross_entropy", name="normal")
    x = np.linspace(LOW, HIGH, settings.points, dtype=np.float32)[:, np.newaxis]
    leading = pairs.vectors[:, :LEADING]
    aligned = alignments(network, x, leading)
    gradients = np.concatenate([part.numpy(force=True) for _, part in unit_gradients(network, x)])
    with torch.no_grad():
        outputs = logits(network, tensor_of(x, device_of(network)))
    order = _clustered(gradients)
    sections = np.flatnonzero(np.diff(predicted_classes(network, x)))
    steps = np.linspace(-settings.reach, settings.reach, settings.surface)
    return Result(
        fit=Fit.of(solution),
        x=x[:, 0],
        logits=outputs.numpy(force=True),
        gradients=gradients.T[order].astype(np.float32),
        alignments=aligned,
        sections=x[sections, 0],
        flips=_flips(aligned, sections),
        inputs=data.train.inputs[:, 0],
        labels=data.train.labels,
        eigenvalues=pairs.values,
        vectors=leading[order],
        steps=steps,
        surface=_surface(network, data.train.inputs, data.train.labels, leading, steps),
    )


def _flips(aligned: Floats, sections: Integers) -> NDArray[np.bool_]:
    """Whether each vector's alignment changes its sign at a section, (sections, vectors)."""
    before, after = aligned[sections], aligned[sections + 1]
    large = np.maximum(np.abs(before), np.abs(after)) > LARGE
    flips: NDArray[np.bool_] = (before * after < 0) & large
    return flips


def _clustered(gradients: Floats) -> Integers:
    """Parameters in an order that puts those of like gradients together."""
    return np.asarray(leaves_list(linkage(gradients.T, "average")), dtype=np.int64)


def _surface(
    network: Network, inputs: NDArray[np.floating], labels: Integers, vectors: Floats, steps: Floats
) -> Floats:
    """Training loss over displacements a v1 + b v2, b first."""
    device = device_of(network)
    x, y = tensor_of(inputs, device), tensor_of(labels, device)
    centre = parameters_to_vector(network.parameters()).detach()
    first, second = (torch.from_numpy(vector.copy()).to(centre) for vector in vectors.T)
    return loss_surface(
        network,
        lambda a, b: centre + a * first + b * second,
        steps,
        lambda: float(sample_losses(logits(network, x), y, "cross_entropy").mean()),
    )
