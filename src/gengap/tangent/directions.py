"""Neural anisotropy directions, and data that are separable along one direction.

Ortiz-Jimenez et al. (2021), after Ortiz-Jimenez et al. (2020, "Neural anisotropy
directions"): the right singular vectors of the mixed derivative d^2 f / (d theta d x) at
initialisation, averaged over Gaussian inputs. In order of falling singular values, they run from
the directions along which the network separates data best to those along which it separates them
worst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, svds
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import KERNEL_BYTES
from gengap.networks import Network, device_of, forward_hooks, leaf_modules
from gengap.networks.differentiation import CountedParameters, full_precision
from gengap.tangent.outputs import (
    OutputSelection,
    as_function,
    check_network,
    check_scalar,
    inputs_tensor,
    numbers_in,
    parameters_of,
)
from gengap.tangent.storage import read_with_weights, write_with_weights

Floats = NDArray[np.float64]

PASSES = 8
"""Copies of all activations that a product with the mixed derivative takes at most: the forward
pass, the backward pass and the reverse of both."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions in input space, from the most to the least separable.

    Attributes:
        values: (k,), singular values, falling.
        directions: (k, *input_shape), orthonormal as vectors; each one's entry of largest magnitude
            is positive.
    """

    values: Floats
    directions: Floats


def anisotropy_directions(
    network: Network,
    *,
    sigma: float,
    samples: int = 1,
    rng: np.random.Generator,
    count: int | None = None,
    of: OutputSelection = "scalar",
    memory_budget: int = KERNEL_BYTES,
    parameters: CountedParameters = "trainable",
) -> Directions:
    """Compute the network's anisotropy directions at its weights.

    Args:
        network: a network in eval mode; weights of half precision are taken as float32.
        sigma: standard deviation of the Gaussian inputs; 0 is the origin alone.
        samples: number of inputs to average over; 1 is enough for ``sigma`` 0.
        rng: draws the inputs, and the starting vector of the matrix-free path.
        count: number of directions; by default as many as input dimensions.
        of: as for :func:`gengap.tangent.empirical_ntk`, but not ``trace``.
        memory_budget: budget in bytes. The mixed derivative is formed if it fits together with the
            computation of one row, as many rows at once as fit. Otherwise the leading directions
            are found by products alone (``svds``).
        parameters: as for :func:`gengap.tangent.empirical_ntk`.

    Returns:
        The directions, from the most to the least separable.

    Raises:
        GengapError: the derivative vanishes (a ReLU network without biases has none at the origin),
            all directions are asked for where only the leading ones can be found, or a number makes
            no sense.
    """
    check_network(network)
    check_scalar(of)
    width = int(np.prod(network.input_shape))
    number = width if count is None else count
    if sigma < 0 or samples < 1 or not 1 <= number <= width:
        raise GengapError(
            f"sigma={sigma}, samples={samples} and count={count} make no anisotropy directions of "
            f"inputs with {width} numbers: give sigma >= 0, samples >= 1 and 1 <= count <= {width}."
        )
    drawn = sigma * rng.standard_normal((samples, *network.input_shape))
    derivative = _MixedDerivative(full_precision(network), drawn.astype(np.float32), of, parameters)
    room = memory_budget - derivative.size
    if room >= 2 * derivative.row:
        values, vectors = _dense(derivative, number, room)
    else:
        values, vectors = _matrix_free(derivative, number, rng)
    if not values[0] > 0:
        raise GengapError(
            f"The mixed derivative of the network vanishes for sigma={sigma}, so it has no "
            "anisotropy directions (ReLU networks with zero biases have none at the origin): "
            "choose a sigma above 0, a smooth activation such as 'gelu', or an initialisation "
            "with biases such as 'torch'."
        )
    vectors = vectors * np.sign(vectors[np.arange(number), np.abs(vectors).argmax(1)])[:, None]
    return Directions(values, vectors.reshape(number, *network.input_shape))


def separable_along(
    direction: np.ndarray, count: int, *, epsilon: float, sigma: float, rng: np.random.Generator
) -> Split:
    """Draw points x = (epsilon/2) y v + (I - v v') w; their labels y = -1, +1 show only along v.

    Args:
        direction: v, of the shape of an input; its length is made 1.
        count: number of points.
        epsilon: distance of the two classes along v.
        sigma: w is Gaussian with this standard deviation.
        rng: draws labels (0 or 1, with equal chance) and noise.

    Returns:
        Inputs (count, *direction.shape) float32 and labels.

    Raises:
        GengapError: the direction is zero.
    """
    length = float(np.linalg.norm(direction))
    if not length > 0:
        raise GengapError("The direction is zero: give one that is not.")
    unit = direction.ravel() / length
    labels = rng.integers(0, 2, count)
    noise = sigma * rng.standard_normal((count, unit.size))
    noise -= np.outer(noise @ unit, unit)
    points = epsilon / 2 * np.outer(2 * labels - 1, unit) + noise
    return Split(points.reshape(count, *direction.shape).astype(np.float32), labels, 2)


def write_directions(
    found: Directions, path: str | Path, *, network: nn.Module | None = None
) -> None:
    """Write directions, and the weights that they belong to, as safetensors.

    Tensors ``values`` (k,) and ``directions`` (k, *input_shape), and one for each weight by its
    name after ``weights.``. The same content gives the same bytes.

    Raises:
        GengapError: the folder cannot be written to.
    """
    write_with_weights({"values": found.values, "directions": found.directions}, path, network)


def read_directions(path: str | Path) -> tuple[Directions, dict[str, np.ndarray]]:
    """Read what :func:`write_directions` wrote.

    Returns:
        The directions, and the weights by name.

    Raises:
        GengapError: the file is missing or is not such a file.
    """
    arrays, weights = read_with_weights(path, "directions", ("values", "directions"))
    return Directions(**arrays), weights


class _MixedDerivative:
    """D = d/dtheta d/dx of the mean output over a batch, (parameters, input dimensions).

    Attributes:
        parameters, width: its shape.
        size: bytes of all of it.
        row: approximate bytes to compute D v for one v; the derivative's graph takes as many.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: np.ndarray,
        of: OutputSelection,
        parameters: CountedParameters = "trainable",
    ) -> None:
        points = inputs_tensor(network, inputs).requires_grad_()
        leaves = {
            k: v.clone().requires_grad_() for k, v in parameters_of(network, parameters).items()
        }
        function = as_function(network, of)
        activations = points.numel()

        def count(_module: nn.Module, _arguments: tuple[Any, ...], output: Any) -> None:
            nonlocal activations
            activations += numbers_in(output)

        with torch.enable_grad(), forward_hooks(leaf_modules(network), count):
            outputs = function(leaves, points)
        self._points, self._leaves = points, list(leaves.values())
        self.parameters = sum(leaf.numel() for leaf in self._leaves)
        self.width = points[0].numel()
        item = points.element_size()
        self.size = self.width * self.parameters * item
        self.row = (PASSES * activations + 3 * self.parameters) * item
        mean = outputs.mean()
        (by_input,) = torch.autograd.grad(mean, points, create_graph=True)
        by_weight = torch.autograd.grad(
            mean, self._leaves, create_graph=True, materialize_grads=True
        )
        self._by_input = by_input.sum(0).flatten()
        self._by_weight = by_weight
        self.device = device_of(network)

    def columns(self, vectors: Tensor) -> list[Tensor]:
        """Compute D v for rows v of (m, width): for each parameter, (m, its size)."""
        if not self._by_input.requires_grad:
            return [
                torch.zeros(len(vectors), leaf.numel(), device=self.device) for leaf in self._leaves
            ]
        try:
            gradients = self._pulled(vectors, together=True)
        except RuntimeError:  # a part of the network takes no batch of vectors
            rows = [self._pulled(vector, together=False) for vector in vectors]
            gradients = [
                None if parts[0] is None else torch.stack(parts)
                for parts in zip(*rows, strict=True)
            ]
        return [
            torch.zeros(len(vectors), leaf.numel(), device=self.device)
            if gradient is None
            else gradient.reshape(len(vectors), -1)
            for leaf, gradient in zip(self._leaves, gradients, strict=True)
        ]

    def _pulled(self, vectors: Tensor, *, together: bool) -> Sequence[Tensor | None]:
        return torch.autograd.grad(
            self._by_input,
            self._leaves,
            vectors,
            retain_graph=True,
            allow_unused=True,
            is_grads_batched=together,
        )

    def rows(self, direction: Tensor) -> Tensor:
        """Compute D' u, (width,), for one u (parameters,)."""
        pieces = torch.split(direction, [leaf.numel() for leaf in self._leaves])
        terms = [
            (gradient.flatten() * piece).sum()
            for gradient, piece in zip(self._by_weight, pieces, strict=True)
        ]
        (gradient,) = torch.autograd.grad(
            torch.stack(terms).sum(), self._points, retain_graph=True, materialize_grads=True
        )
        return gradient.sum(0).flatten()


def _dense(derivative: _MixedDerivative, count: int, room: int) -> tuple[Floats, Floats]:
    """Compute singular values and right singular vectors from D'D, summed in float64.

    Args:
        derivative: D.
        count: number of directions.
        room: bytes besides D, at least those of computing two rows.

    Returns:
        Values (count,) and vectors (count, width).
    """
    width = derivative.width
    made = int(room // derivative.row) - 1
    basis = torch.eye(width, device=derivative.device)
    parts: list[Tensor] = []
    for rows in (slice(start, start + made) for start in range(0, width, made)):
        for place, part in enumerate(derivative.columns(basis[rows])):
            if len(parts) == place:
                parts.append(torch.empty(width, part.shape[1], device=derivative.device))
            parts[place][rows] = part.detach()
    gram = np.zeros((width, width))
    summed = max(1, int(room // (2 * width * np.dtype(np.float64).itemsize)))
    for part in parts:
        for columns in torch.split(part, summed, dim=1):
            exact = columns.double()
            gram += (exact @ exact.T).numpy(force=True)
    squares, vectors = scipy.linalg.eigh(gram)
    values = np.sqrt(np.maximum(squares[::-1][:count], 0.0))
    return values, vectors.T[::-1][:count]


def _matrix_free(
    derivative: _MixedDerivative, count: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    if count >= derivative.width:
        raise GengapError(
            f"The mixed derivative does not fit the memory_budget, and without forming it fewer "
            f"than all {derivative.width} directions can be found: raise the budget or set count."
        )

    def tensor(vector: np.ndarray) -> Tensor:
        return torch.as_tensor(vector.ravel(), dtype=torch.float32, device=derivative.device)

    def matvec(vector: np.ndarray) -> np.ndarray:
        parts = derivative.columns(tensor(vector)[None])
        return torch.cat([part[0] for part in parts]).double().numpy(force=True)

    def rmatvec(vector: np.ndarray) -> np.ndarray:
        return derivative.rows(tensor(vector)).double().numpy(force=True)

    operator = LinearOperator(
        (derivative.parameters, derivative.width),
        matvec=matvec,
        rmatvec=rmatvec,
        dtype=np.float64,
    )
    start = rng.standard_normal(derivative.width)
    if not matvec(start).any():  # ARPACK cannot start from zero; the caller refuses it
        return np.zeros(count), np.eye(derivative.width)[:count]
    # scipy-stubs know the value "v", but not "vh", which spares the left vectors.
    sides: Any = "vh"
    _, singular, vectors = svds(operator, k=count, v0=start, return_singular_vectors=sides)
    values: Floats = np.asarray(singular, dtype=np.float64)
    order = np.argsort(values)[::-1]
    return values[order], vectors[order]
