"""Distances to the decision boundary: by direct search, and from points of alignment 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap.curvature.alignment import alignments, gradient_direction
from gengap.curvature.per_sample import batch_size, gradient_size
from gengap.errors import GengapError
from gengap.networks import (
    batched_outputs,
    class_logits,
    device_of,
    logits,
    predictions,
    tensor_of,
)
from gengap.networks.differentiation import (
    CountedParameters,
    full_precision,
    input_array,
    input_tensor,
)
from gengap.networks.inference import PREDICTION_BATCH
from gengap.training.optimisers import without_compiler

DIRECTIONS = 64
SCANNED = 32
"""Number of points along a ray at which predictions are computed before bisection."""

BISECTIONS = 24
REFINEMENTS = 4
"""Number of rounds over all classes, each as the rival."""

OVERSHOOT = 1.25
"""How far beyond the linearised boundary a crossing is searched for."""

ALIGNED = 0.01
"""Points whose |alignment| comes as near as this to the best of all starts are kept."""

REACHED = 0.95
"""Smallest |alignment| that counts as 1; below it there is no point for an estimate."""


@dataclass(frozen=True)
class BoundarySearch:
    """Nearest points of the decision boundary.

    Attributes:
        distances: (n,) Euclidean distances of the inputs, in the units of the inputs.
        points: (n, *input_shape) points on the boundary, just beyond it.
    """

    distances: NDArray[np.float64]
    points: NDArray[np.float64]


def boundary_search(
    network: nn.Module,
    inputs: np.ndarray,
    rng: np.random.Generator,
    *,
    others: np.ndarray | None = None,
    directions: int = DIRECTIONS,
) -> BoundarySearch:
    """Find the nearest point with another prediction than each input, by direct search.

    From each input, rays run in random directions (the same for all) and towards the nearest known
    input with another prediction, no further than that one; the first crossing on a ray is
    bisected. The nearest crossing is refined by the iteration of Hasofer-Lind and Rackwitz-Fiessler
    (project the input onto the boundary with each other class, linearised at the last crossing),
    and each step is kept if it comes nearer. So distances are upper bounds; for a linear classifier
    they are exact.

    Args:
        network: any classifier, in eval mode.
        inputs: (n, *input_shape).
        rng: draws the directions.
        others: (m, *input_shape), inputs that bound the search; by default ``inputs`` themselves.
        directions: number of random directions per input.

    Returns:
        The distance of each input, and the nearest point found.

    Raises:
        GengapError: all inputs have the same prediction.
    """
    network, inputs = full_precision(network), _continuous(network, inputs)
    search = _Search(network, inputs.shape[1:])
    start = search.flat(inputs)
    known = start if others is None else search.flat(input_array(others))
    source, targets = search.predict(start), search.predict(known)
    reach, nearest = _nearest_other(start, source, known, targets)
    random = rng.standard_normal((directions, start.shape[1]))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    rays = torch.from_numpy(random).to(start)[None].expand(len(start), -1, -1)
    towards = (nearest - start) / reach[:, None]
    best = torch.full_like(reach, torch.inf)
    points = start.clone()
    for index in range(directions + 1):
        ray = towards if index == directions else rays[:, index]
        distance = search.crossing(start, ray, reach, source)
        nearer = distance < best
        best = torch.where(nearer, distance, best)
        points = torch.where(nearer[:, None], start + distance[:, None] * ray, points)
    for rival in search.classes * REFINEMENTS:
        ray, length = search.projection(start, points, source, rival)
        limit = torch.minimum(OVERSHOOT * length, best)
        distance = search.crossing(start, ray, limit, source)
        nearer = distance < best
        best = torch.where(nearer, distance, best)
        points = torch.where(nearer[:, None], start + distance[:, None] * ray, points)
    return BoundarySearch(
        best.numpy(force=True), points.numpy(force=True).reshape(inputs.shape).astype(np.float64)
    )


class _Search:
    """Predictions and crossings of flat inputs (n, d) in float64."""

    def __init__(self, network: nn.Module, shape: tuple[int, ...]) -> None:
        self._network, self._shape = network, shape
        self._device = device_of(network)
        self._dtype = next(network.parameters()).dtype
        example = self.flat(np.zeros((1, *shape)))
        self.classes = list(range(self.logits(example).shape[1]))

    def flat(self, inputs: np.ndarray) -> Tensor:
        return tensor_of(inputs.reshape(len(inputs), -1).astype(np.float64), self._device)

    def logits(self, points: Tensor) -> Tensor:
        return class_logits(logits(self._network, points.to(self._dtype).reshape(-1, *self._shape)))

    def predict(self, points: Tensor) -> Tensor:
        return batched_outputs(
            self._network,
            points.reshape(-1, *self._shape),
            lambda network, batch: predictions(logits(network, batch)),
            batch_size=PREDICTION_BATCH,
        )

    def crossing(self, start: Tensor, ray: Tensor, reach: Tensor, source: Tensor) -> Tensor:
        """Return the distance (n,) of the first crossing that a scan of each ray meets, or inf."""
        steps = torch.arange(1, SCANNED + 1, device=start.device, dtype=start.dtype) / SCANNED
        radii = steps * reach[:, None]
        scanned = start[:, None] + radii[:, :, None] * ray[:, None]
        changed = self.predict(scanned.flatten(0, 1)).reshape(radii.shape) != source[:, None]
        crosses = changed.any(1)
        first = changed.int().argmax(1)
        high = radii.gather(1, first[:, None])[:, 0]
        low = high - reach / SCANNED
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            beyond = self.predict(start + middle[:, None] * ray) != source
            high, low = torch.where(beyond, middle, high), torch.where(beyond, low, middle)
        return torch.where(crosses, high, torch.inf)

    def projection(
        self, start: Tensor, points: Tensor, source: Tensor, rival: int
    ) -> tuple[Tensor, Tensor]:
        """Project each start onto the boundary with a class, linearised at the points.

        Returns:
            Unit rays (n, d) and distances (n,); where the rival is the start's own class, 0.
        """
        at = points.detach().requires_grad_()
        outputs = self.logits(at)
        own = outputs.gather(1, source[:, None])[:, 0]
        difference = (own - outputs[:, rival]).double()
        (normal,) = torch.autograd.grad(difference.sum(), at)
        square = normal.square().sum(1).clamp_min(torch.finfo(normal.dtype).tiny)
        along = ((normal * (at - start)).sum(1) - difference) / square
        step = (along[:, None] * normal).detach()
        length = step.norm(dim=1)
        return step / length.clamp_min(torch.finfo(step.dtype).tiny)[:, None], length


def _nearest_other(
    start: Tensor, source: Tensor, known: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the distance (n,) and place (n, d) of the nearest input with another prediction."""
    distances = torch.cdist(start, known)
    distances = distances.masked_fill(source[:, None] == targets, torch.inf)
    reach, index = distances.min(1)
    if not bool(torch.isfinite(reach).all()):
        raise GengapError(
            "The network predicts one class for all inputs, so there is no boundary between them: "
            "train it further, or give inputs of other classes."
        )
    return reach, known[index]


def _continuous(network: nn.Module, inputs: np.ndarray) -> np.ndarray:
    """Return inputs as an array; refuse tokens, between which there is nothing."""
    array = input_array(inputs)
    if array.dtype.kind in "iu" and not input_tensor(network, array[:1]).is_floating_point():
        raise GengapError(
            "The network takes tokens, which have no distances: search for its decision boundary "
            "in a network whose inputs are numbers."
        )
    return array


class DescentOptions(TypedDict, total=False):
    """The keywords of :func:`aligned_points`, for a function that passes them on."""

    steps: int
    learning_rate: float
    loss: str
    parameters: CountedParameters


@dataclass(frozen=True)
class AlignedPoints:
    """Points in input space whose gradient aligns with a vector, one per start.

    Attributes:
        points: (s, *input_shape).
        alignments: A(x) there, (s,), in [-1, 1].
    """

    points: NDArray[np.float64]
    alignments: NDArray[np.float64]


def aligned_points(
    network: nn.Module,
    vector: np.ndarray,
    starts: np.ndarray,
    *,
    steps: int = 300,
    learning_rate: float = 0.02,
    loss: str = "cross_entropy",
    parameters: CountedParameters = "trainable",
) -> AlignedPoints:
    """Move points until their gradient is parallel to a vector: Adam on 1 - A(x)^2, all at once.

    Args:
        network: a network in eval mode.
        vector: unit vector (p,).
        starts: (s, *input_shape), as many as fit into one batch of gradients.
        steps: number of steps of Adam; the best point on the way is kept.
        learning_rate: learning rate in units of the inputs.
        loss: as for :func:`gengap.curvature.alignments`.
        parameters: as for :func:`gengap.curvature.alignments`.

    Returns:
        The best point of each start, and its alignment.

    Raises:
        GengapError: the vector has another size, or there are too many starts.
    """
    network = full_precision(network)
    starts = _continuous(network, starts)
    size, room = gradient_size(network, parameters), batch_size(network, parameters)
    if vector.shape != (size,):
        raise GengapError(
            f"The vector has the shape {vector.shape}, but the network has "
            f"{size} parameters: give one number for each."
        )
    if len(starts) > room:
        raise GengapError(
            f"{len(starts)} starts are more than the {room} gradients of this "
            "network that fit into memory: use fewer."
        )
    dtype, device = next(network.parameters()).dtype, device_of(network)
    direction = torch.from_numpy(vector.astype(np.float64)).to(device, dtype)
    points = tensor_of(starts, device).to(dtype).requires_grad_()
    optimiser = without_compiler(torch.optim.Adam)([points], lr=learning_rate)
    best = torch.zeros(len(starts), device=device, dtype=dtype)
    best_points = points.detach().clone()
    for _ in range(steps + 1):
        gradients = gradient_direction(network, points, loss, parameters=parameters)
        lengths = gradients.norm(dim=1).clamp_min(torch.finfo(dtype).tiny)
        alignment = (gradients @ direction) / lengths
        better = alignment.detach().abs() > best.abs()
        best = torch.where(better, alignment.detach(), best)
        mask = better.reshape(-1, *[1] * (points.ndim - 1))
        best_points = torch.where(mask, points.detach(), best_points)
        optimiser.zero_grad()
        torch.autograd.backward((1 - alignment.square()).sum(), inputs=[points])
        optimiser.step()
    return AlignedPoints(
        best_points.numpy(force=True).astype(np.float64), best.numpy(force=True).astype(np.float64)
    )


@dataclass(frozen=True)
class MarginEstimate:
    """A margin from points of alignment 1.

    Attributes:
        margin: the median over the starts whose |A| came within :data:`ALIGNED` of the best, which
            should be 1; see ``reached``.
        margins: margin of each of these starts, (a,).
        aligned: the points from all starts.
        extremes: rows of the inputs with the largest and the smallest alignment.
    """

    margin: float
    margins: NDArray[np.float64]
    aligned: AlignedPoints
    extremes: tuple[int, int]

    @property
    def reached(self) -> bool:
        """Whether the best |A| is at least :data:`REACHED`; otherwise the margin is meaningless."""
        return bool(np.abs(self.aligned.alignments).max() >= REACHED)


def estimate_margin(
    network: nn.Module,
    vector: np.ndarray,
    inputs: np.ndarray,
    starts: np.ndarray,
    **options: Unpack[DescentOptions],
) -> MarginEstimate:
    """Estimate the margin as Sabanayagam et al. (2023) do, from several starts.

    A point x_b with |A(x_b)| = 1 stands for the boundary that the eigenvector encodes; the training
    inputs of largest and of smallest alignment are the nearest on its two sides. The margin is the
    smaller distance of the two to x_b. The paper takes one x_b; here the margin is the median over
    starts.

    Args:
        network: a network in eval mode.
        vector: an eigenvector of the Hessian, mostly the first, (p,).
        inputs: training inputs (n, *input_shape).
        starts: (s, *input_shape).
        **options: ``steps``, ``learning_rate``, ``loss`` and ``parameters``, see
            :func:`aligned_points`.

    Returns:
        The median margin, and the quantities that it is computed from.
    """
    aligned = aligned_points(network, vector, starts, **options)
    inputs = input_array(inputs)
    by_input = alignments(
        network,
        inputs,
        vector[:, np.newaxis],
        loss=options.get("loss", "cross_entropy"),
        parameters=options.get("parameters", "trainable"),
    )[:, 0]
    extremes = int(by_input.argmax()), int(by_input.argmin())
    ends = inputs[list(extremes)].reshape(2, -1).astype(np.float64)
    reached = np.abs(aligned.alignments)
    points = aligned.points[reached >= reached.max() - ALIGNED].reshape(-1, ends.shape[1])
    margins = np.linalg.norm(points[:, np.newaxis] - ends, axis=2).min(axis=1)
    return MarginEstimate(float(np.median(margins)), margins, aligned, extremes)
