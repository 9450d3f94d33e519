"""Grids over two components of the inputs or two directions of the weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from gengap.errors import GengapError
from gengap.networks import Network, predicted_classes
from gengap.studies.outcomes import Floats, Floats32, Integers

MARGIN = 0.2
"""How much wider a plane is than its inputs on each side, as a fraction of their range."""


@dataclass(frozen=True)
class Plane:
    """A square grid over two components x, y (g,) of the inputs; the others are at their mean.

    Attributes:
        points: inputs (g*g, d), row by row of constant y.
    """

    x: Floats
    y: Floats
    points: Floats32

    def regions(self, network: Network) -> Regions:
        """Return the classes that a network in eval mode predicts at the points."""
        predicted = predicted_classes(network, self.points)
        return Regions(self, predicted.reshape(len(self.y), len(self.x)))


@dataclass(frozen=True)
class Regions:
    """The predicted classes (g, g) over a plane, y first."""

    plane: Plane
    predicted: Integers

    @property
    def length(self) -> float:
        """The length of the decision boundary, in sides of the plane.

        By the Cauchy-Crofton formula for lines along the two axes: pi/4 of the number of changes
        between neighbours, in cells.
        """
        across = (np.diff(self.predicted, axis=0) != 0).sum()
        along = (np.diff(self.predicted, axis=1) != 0).sum()
        return float(np.pi / 4 * (across + along) / len(self.plane.x))


def neighbours(predicted: NDArray[np.integer]) -> tuple[Integers, NDArray[np.bool_]]:
    """Return pairs of neighbours in a plane (m, 2), and whether their predictions differ (m,).

    A point is its place among the predictions (g, g) row by row, and comes before the one above or
    right of it.
    """
    index = np.arange(predicted.size).reshape(predicted.shape)
    pairs = np.concatenate(
        [
            np.stack([index[:-1].ravel(), index[1:].ravel()], axis=1),
            np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=1),
        ]
    )
    flat = predicted.ravel()
    return pairs, flat[pairs[:, 0]] != flat[pairs[:, 1]]


def plane_around(
    inputs: Floats32, side: int, *, components: tuple[int, int] = (0, 1), margin: float = MARGIN
) -> Plane:
    """Return a square grid around inputs (n, d), whose other components are at their mean.

    Args:
        inputs: (n, d).
        side: points along each component.
        components: the two that span the plane.
        margin: how much wider the plane is on each side, as a fraction of the inputs' range.

    Returns:
        The grid.

    Raises:
        GengapError: the inputs are no vectors of two or more components.
    """
    if inputs.ndim != 2 or inputs.shape[1] < 2:
        raise GengapError(
            f"A plane needs inputs of two or more components, not of shape {inputs.shape[1:]}: use "
            "another dataset, or another experiment."
        )
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    wider = margin * (high - low)
    x, y = (
        np.linspace(low[c] - wider[c], high[c] + wider[c], side, dtype=np.float64)
        for c in components
    )
    points = np.tile(inputs.mean(axis=0, dtype=np.float64), (side * side, 1)).astype(np.float32)
    points[:, components[0]] = np.tile(x, side)
    points[:, components[1]] = np.repeat(y, side)
    return Plane(x, y, points)


@torch.no_grad()
def loss_surface(
    network: Network,
    weights_at: Callable[[float, float], Tensor],
    steps: Floats,
    loss: Callable[[], float],
) -> Floats:
    """Evaluate a loss over a plane of weights; the network has its own weights again afterwards.

    The vector of all parameters (p,) is given by coordinates (a, b) of the plane, steps (s,) along
    each axis; the loss is that of the network with its present weights.

    Returns:
        The losses (s, s), b first.
    """
    own = parameters_to_vector(network.parameters())
    losses = np.empty((len(steps), len(steps)))
    for row, b in enumerate(steps):
        for column, a in enumerate(steps):
            vector_to_parameters(weights_at(a, b), network.parameters())
            losses[row, column] = loss()
    vector_to_parameters(own, network.parameters())
    return losses
