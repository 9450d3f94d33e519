"""How far weights may move along eigenvectors of the Hessian before the predictions change.

Maddox et al. 2020, section 5, "degenerate directions": networks on two spirals, on images and on
CIFAR-10 stay the same functions over long moves along directions of low curvature, and soon become
others along those of high curvature. Weights move along random unit vectors in the span of the
leading eigenvectors (``top``), orthogonal to all of them (``rest``) and, where the whole spectrum
is known, in the span of as many eigenvectors of least absolute eigenvalue (``bottom``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from gengap.curvature import hessian
from gengap.limits import DENSE_LIMIT
from gengap.networks import predicted_classes
from gengap.studies.context import Context, load_dataset
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.studies.planes import loss_surface, plane_around
from gengap.studies.solving import Solution, solve
from gengap.studies.spectra import record_products

PLANE_MARGIN = 0.1


@dataclass(frozen=True)
class Settings:
    """A network, and how far its weights move.

    Attributes:
        leading: how many eigenvectors span ``top``, and ``bottom``.
        scales: lengths of the moves, in lengths of the weights.
        draws: random vectors of each subspace.
        surface_side: points along each axis of the loss surfaces, which reach up to the largest
            scale.
        plane_side, plane_scale: points along each axis of the map of predictions, for inputs in the
            plane, and length of the moves that it shows.
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    leading: int = 20
    scales: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    draws: int = 5
    surface_side: int = 15
    plane_side: int = 60
    plane_scale: float = 0.1


@dataclass(frozen=True)
class Moves:
    """The network after moves in one subspace, by their length (s,), mean over random vectors.

    Agreement is the fraction of inputs with the same prediction as before the move.
    """

    loss: Floats
    train_agreement: Floats
    test_agreement: Floats


@dataclass(frozen=True)
class PredictionMap:
    """Predictions over the plane of the training inputs (n, 2), whose coordinates are x and y (g,).

    Attributes:
        unmoved: predicted classes (g, g) of the trained network, y first.
        moved: those after one move in each subspace.
    """

    x: Floats
    y: Floats
    inputs: Floats32
    labels: Integers
    unmoved: Integers
    moved: Mapping[str, Integers]


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The trained network, and the effect of moves.

    Attributes:
        loss, train_error, parameters: of the trained network, on its training data.
        leading: how many eigenvectors span ``top``.
        scales: lengths of the moves (s,), in lengths of the weights.
        moves: by subspace, ``top`` first.
        surfaces: training losses (g, g) over two eigenvectors of each end, by subspace, or over two
            directions of ``rest`` where the least curved ones are unknown; ``random`` is that over
            two random directions of all weights, as in loss landscapes.
        plane: predictions after moves, where inputs lie in a plane.
    """

    loss: float
    train_error: float
    parameters: int
    leading: int
    scales: Floats
    moves: Mapping[str, Moves]
    surfaces: Mapping[str, Floats]
    plane: PredictionMap | None


DegenerateDirectionsRun = Run[Settings, Result]


@dataclass(frozen=True)
class Subspaces:
    """Subspaces of the weights.

    Attributes:
        top: orthonormal columns (p, k), the leading eigenvectors.
        bottom: those of least absolute eigenvalue, where they are known.
    """

    top: Floats
    bottom: Floats | None

    @property
    def names(self) -> tuple[str, ...]:
        """The subspaces that are known."""
        return ("top", "rest") if self.bottom is None else ("top", "rest", "bottom")

    def directions(self, name: str, count: int, rng: np.random.Generator) -> list[Floats]:
        """Return random unit vectors (p,) of a subspace."""
        return [self._direction(name, rng) for _ in range(count)]

    def _direction(self, name: str, rng: np.random.Generator) -> Floats:
        space = {"top": self.top, "bottom": self.bottom}.get(name)
        if space is not None:
            vector = space @ rng.standard_normal(space.shape[1])
        else:
            vector = rng.standard_normal(len(self.top))
            # Gram-Schmidt, twice. The published code divides by the wrong length and
            # normalises the vector in between, which leaves components along the eigenvectors.
            for _ in range(2):
                for column in self.top.T:
                    vector = vector - (column @ vector) * column
        return np.asarray(vector / np.linalg.norm(vector))

    def axes(self, rng: np.random.Generator) -> dict[str, Floats]:
        """Return two columns (p, 2): of ``top``, of ``bottom`` or else ``rest``, and ``random``."""
        axes = {"top": self.top[:, :2]}
        if self.bottom is not None:
            axes["bottom"] = self.bottom[:, :2]
        else:
            axes["rest"] = np.stack(self.directions("rest", 2, rng), axis=1)
        axes["random"] = np.linalg.qr(rng.standard_normal((len(self.top), 2)))[0]
        return axes


@dataclass(frozen=True)
class MovableNetwork:
    """A trained network, its final weights (p,), and the classes that it predicts with them."""

    solution: Solution
    weights: Tensor
    predicted: list[Integers]

    @classmethod
    def of(cls, solution: Solution) -> MovableNetwork:
        """Return a trained network before its first move."""
        weights = parameters_to_vector(solution.network.parameters()).detach().double()
        return cls(solution, weights, _predictions(solution))

    @property
    def length(self) -> float:
        """The length of the weights."""
        return float(self.weights.norm())

    def moved(self, move: Floats) -> Tensor:
        """Return the weights after a move (p,), in single precision."""
        return (self.weights + torch.as_tensor(move, device=self.weights.device)).float()

    def set_move(self, move: Floats) -> None:
        """Give the network its weights after a move (p,)."""
        vector_to_parameters(self.moved(move), self.solution.network.parameters())

    def effect(self, move: Floats) -> list[float]:
        """Return training loss, and agreement on training and on test inputs, after a move."""
        self.set_move(move)
        predictions = zip(_predictions(self.solution), self.predicted, strict=True)
        agreement = [float((now == before).mean()) for now, before in predictions]
        return [self.solution.on_train()[0], *agreement]

    def surface(self, axes: Floats, side: int) -> Floats:
        """Return the training loss (side, side) at w + a axes_1 + b axes_2, a and b in [-1, 1]."""
        return loss_surface(
            self.solution.network,
            lambda a, b: self.moved(axes @ np.array([a, b])),
            np.linspace(-1, 1, side),
            lambda: self.solution.on_train()[0],
        )


def run(context: Context, settings: Settings) -> Result:
    """Train a network and move its weights."""
    data = load_dataset(context, settings.dataset)
    solution = solve(context, data, settings.network, settings.training)
    subspaces = subspaces_of(context, solution, settings.leading)
    network = MovableNetwork.of(solution)
    loss, accuracy = solution.on_train()
    reach = max(settings.scales)
    surfaces = {
        name: network.surface(axes * network.length * reach, settings.surface_side)
        for name, axes in subspaces.axes(context.generator("surface")).items()
    }
    directions = {
        name: subspaces.directions(name, settings.draws, context.generator("moves", name))
        for name in subspaces.names
    }
    plane = None
    if data.input_shape == (2,):
        plane = _prediction_map(network, directions, settings)
    return Result(
        loss=loss,
        train_error=1 - accuracy,
        parameters=len(network.weights),
        leading=subspaces.top.shape[1],
        scales=np.array(settings.scales),
        surfaces=surfaces,
        plane=plane,
        moves={
            name: _moves(network, vectors, settings.scales) for name, vectors in directions.items()
        },
    )


def subspaces_of(context: Context, solution: Solution, leading: int) -> Subspaces:
    """Compute the leading eigenvectors of the Hessian, half of all at most, and the flattest ones.

    Returns:
        The subspaces; the least curved eigenvectors only of a small network.
    """
    operator = hessian(solution.network, solution.loss, solution.train)
    count = min(leading, operator.size // 2)
    if operator.size <= DENSE_LIMIT:
        values, vectors = np.linalg.eigh(operator.dense())
        flat = np.argsort(np.abs(values))[:count]
        return Subspaces(vectors[:, ::-1][:, :count], vectors[:, flat])
    record_products(context, operator, solution.network)
    pairs = operator.eigsh(count, seed=np.random.SeedSequence(context.seed_for("eigenvectors")))
    return Subspaces(pairs.vectors.astype(np.float64), None)


def _predictions(solution: Solution) -> list[Integers]:
    """The classes that the network predicts now for training and test inputs."""
    splits = (solution.train, solution.test)
    return [predicted_classes(solution.network, split.inputs) for split in splits]


def _moves(network: MovableNetwork, directions: Sequence[Floats], scales: Sequence[float]) -> Moves:
    effects = np.empty((3, len(directions), len(scales)))
    for row, direction in enumerate(directions):
        for column, scale in enumerate(scales):
            effects[:, row, column] = network.effect(network.length * scale * direction)
    return Moves(*(effect.mean(axis=0) for effect in effects))


def _prediction_map(
    network: MovableNetwork, directions: Mapping[str, Sequence[Floats]], settings: Settings
) -> PredictionMap:
    """The predictions of the network as it is, and after a move in each subspace."""
    train = network.solution.train
    plane = plane_around(train.inputs, settings.plane_side, margin=PLANE_MARGIN)
    unmoved = plane.regions(network.solution.network).predicted
    moved = {}
    for name, vectors in directions.items():
        network.set_move(network.length * settings.plane_scale * vectors[0])
        moved[name] = plane.regions(network.solution.network).predicted
    return PredictionMap(plane.x, plane.y, train.inputs, train.labels, unmoved, moved)
