"""The empirical neural tangent kernel, in blocks under a memory budget, or matrix-free.

Theta(x, x') = <d f(x) / d theta, d f(x') / d theta> (Jacot et al. 2018, "Neural tangent kernel"),
of the logits, in eval mode, over the trainable parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.networks import logits
from gengap.tangent.features import (
    LARGEST_PRODUCT,
    Extractor,
    Factor,
    Features,
    jacobian,
    product,
    structured,
    supports,
)
from gengap.tangent.outputs import (
    BATCH,
    Of,
    check_network,
    chosen,
    inputs_tensor,
    parameters_of,
    pure,
)

Kernel = NDArray[np.floating]
Method = Literal["auto", "structured", "jacobian"]

GIB = 1 << 30
LARGEST_TILE = 128
"""Inputs whose gradients are computed together, at most."""
WORKING_SHARE = 0.25
"""Of the memory beside the kernel, what computing a tile may take; held rows have the rest."""


def empirical_ntk(
    network: nn.Module,
    x1: np.ndarray,
    x2: np.ndarray | None = None,
    *,
    of: Of = "scalar",
    method: Method = "auto",
    double: bool = False,
    memory_budget: int = 2 * GIB,
) -> Kernel:
    """The empirical tangent kernel between two sets of inputs.

    Each tile of rows has its gradients computed once; they are held as far as the budget allows,
    and columns pass by again otherwise. Without ``x2`` only the upper triangle is computed.

    Args:
        network: in eval mode.
        x1: (n1, *input_shape) float32.
        x2: (n2, *input_shape); without it, ``x1``.
        of: ``scalar`` (the only output of a network with one), the index of a logit, ``sum`` (of
            the logits) or ``trace`` (the sum of the logits' kernels).
        method: ``structured`` multiplies Gram matrices of patches and of gradients at the layers'
            outputs where that is cheaper; ``jacobian`` the gradients themselves, for any network;
            ``auto`` the first where the network consists of dense layers, convolutions and batch
            normalisation.
        double: sum products in float64 and return it; the gradients are in the weights' type.
        memory_budget: bytes that the kernel and all intermediate arrays may take together.

    Returns:
        (n1, n2) in the type of the weights, or float64; without ``x2`` exactly symmetric.

    Raises:
        GengapError: dropout or batch normalisation is in train mode, the network's output is not
            what ``of`` needs, the inputs do not fit it, the network has no structured form though
            one is asked for, or the budget is too small.
    """
    check_network(network)
    first = inputs_tensor(network, x1)
    second = None if x2 is None else inputs_tensor(network, x2)
    features = _extractor(network, of, method, first[:1])
    probe = _probe(network, of, features, first[:1])
    kind = torch.float64 if double else first.dtype
    plan = _plan(len(first), len(first if second is None else second), probe, kind, memory_budget)

    def tile(inputs: Tensor) -> Features:
        return [
            Factor(factor.left.to(kind), None if factor.right is None else factor.right.to(kind))
            for factor in features(inputs)
        ]

    if second is None:
        kernel = _symmetric(tile, first, kind, plan)
    else:
        kernel = _rectangular(tile, first, second, kind, plan)
    return kernel.numpy(force=True)


def kernel_operator(network: nn.Module, inputs: np.ndarray, *, of: Of = "scalar") -> LinearOperator:
    """The kernel of a set of inputs as an operator that never forms it, nor the gradients.

    A product K v is J (J' v): one reverse pass and one forward-mode pass over the inputs.

    Args:
        network: in eval mode.
        inputs: (n, *input_shape) float32.
        of: as for :func:`empirical_ntk`.

    Returns:
        An operator (n, n), symmetric; products are float64 arrays, precise to the weights' type.

    Raises:
        GengapError: as :func:`empirical_ntk` does, but for the budget.
    """
    check_network(network)
    points = inputs_tensor(network, inputs)
    function, parameters = pure(network, of), parameters_of(network)
    with torch.no_grad():
        count = function(parameters, points[:1]).shape[1]

    def matvec(vector: np.ndarray) -> np.ndarray:
        weights = torch.as_tensor(vector.ravel(), dtype=points.dtype, device=points.device)
        result = torch.zeros(len(points), dtype=points.dtype, device=points.device)
        for output in range(count):
            direction = transposed_jacobian_product(function, parameters, points, weights, output)
            result += jacobian_product(function, parameters, points, direction)[:, output]
        return result.double().numpy(force=True)

    size = len(points)
    return LinearOperator((size, size), matvec=matvec, rmatvec=matvec, dtype=np.float64)


def times(kernel: Kernel | LinearOperator, vectors: np.ndarray) -> NDArray[np.float64]:
    """K v for v (n,) or (n, k), float64; in the kernel's own type, since a copy may not fit."""
    kind = np.float64 if isinstance(kernel, LinearOperator) else kernel.dtype
    product: NDArray[np.float64] = (kernel @ vectors.astype(kind)).astype(np.float64)
    return product


def jacobian_product(
    function: Callable[[dict[str, Tensor], Tensor], Tensor],
    parameters: dict[str, Tensor],
    inputs: Tensor,
    direction: dict[str, Tensor],
) -> Tensor:
    """J d: the change (n, k) of the outputs for a small step along a direction of the parameters.

    Args:
        function: from :func:`gengap.tangent.outputs.pure`.
        parameters: where the derivative is taken.
        inputs: (n, *input_shape).
        direction: by the parameters' names.
    """
    parts = []
    for some in torch.split(inputs, BATCH):
        with torch.no_grad():
            moved = torch.func.jvp(
                lambda values, some=some: function(values, some), (parameters,), (direction,)
            )[1]
        parts.append(moved)
    return torch.cat(parts)


def transposed_jacobian_product(
    function: Callable[[dict[str, Tensor], Tensor], Tensor],
    parameters: dict[str, Tensor],
    inputs: Tensor,
    weights: Tensor,
    output: int = 0,
) -> dict[str, Tensor]:
    """J' w: the gradient of the weighted sum of one output over the inputs.

    Args:
        function, parameters, inputs: as for :func:`jacobian_product`.
        weights: (n,).
        output: which column of the function's outputs.
    """
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    for some, weight in zip(torch.split(inputs, BATCH), torch.split(weights, BATCH), strict=True):
        with torch.enable_grad():
            value = function(leaves, some)[:, output] @ weight
        gradients = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
        for name, gradient in zip(total, gradients, strict=True):
            if gradient is not None:
                total[name] += gradient
    return total


def _extractor(network: nn.Module, of: Of, method: Method, example: Tensor) -> Extractor:
    if method == "jacobian":
        return jacobian(network, of)
    if supports(network, example):
        return structured(network, of)
    if method == "auto":
        return jacobian(network, of)
    raise GengapError(
        "The network has layers with weights that have no structured kernel (other than dense, "
        "convolutions and batch normalisation, or used twice): choose method 'auto' or 'jacobian'."
    )


@dataclass(frozen=True)
class _Probe:
    """What one input takes: numbers in its features, and while they are computed.

    ``positions`` is the largest number of positions of a layer whose two factors are held.
    """

    features: int
    workspace: int
    positions: int


@dataclass(frozen=True)
class _Plan:
    """Inputs in a tile, and tiles of rows that are held."""

    tile: int
    held: int


def _probe(network: nn.Module, of: Of, features: Extractor, example: Tensor) -> _Probe:
    """Run one input through, counting what it leaves in memory."""
    activations = 0
    largest_patches = 0

    def count(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal activations, largest_patches
        activations += output.numel()
        if isinstance(module, nn.Conv2d):
            patches = output[0, 0].numel() * module.weight[0].numel() * module.groups
            largest_patches = max(largest_patches, patches)

    leaves = [module for module in network.modules() if not list(module.children())]
    handles = [leaf.register_forward_hook(count) for leaf in leaves]
    try:
        with torch.no_grad():
            outputs = chosen(logits(network, example), of).shape[1]
    finally:
        for handle in handles:
            handle.remove()
    factors = features(example)
    numbers = sum(factor.numbers for factor in factors)
    positions = max(1 if each.right is None else each.right.shape[1] for each in factors)
    # Outputs of all layers and what the backward passes keep of them, the patches of the layer at
    # hand and their copies, and the features twice more while they are put together.
    workspace = (2 + outputs) * activations + 3 * largest_patches + 2 * numbers
    return _Probe(numbers, workspace, positions)


def _plan(n1: int, n2: int, probe: _Probe, kind: torch.dtype, budget: int) -> _Plan:
    """Tiles that leave most of the budget for held rows, and as many of these as it allows.

    Raises:
        GengapError: not even single inputs fit beside the kernel.
    """
    item = kind.itemsize
    kernel = n1 * n2 * item

    def working(tile: int) -> int:
        """Bytes of one tile of columns in the making, and of its products with the held rows."""
        product = 2 * min(LARGEST_PRODUCT, tile * tile * probe.positions**2)
        return (tile * (probe.features + probe.workspace + 2 * n1) + product) * item

    tile = min(LARGEST_TILE, max(n1, n2))
    while tile > 1 and working(tile) > WORKING_SHARE * (budget - kernel):
        tile = tile // 2
    held = (budget - kernel - working(tile)) // (tile * probe.features * item)
    if held < 1:
        needed = kernel + working(1) + probe.features * item
        raise GengapError(
            f"The kernel of {n1} x {n2} inputs needs a memory_budget of at least "
            f"{needed / GIB:.3g} GiB, but it is {budget / GIB:.3g} GiB: raise it, take fewer "
            "inputs, or use gengap.tangent.kernel_operator, which never forms the kernel."
        )
    return _Plan(tile, int(held))


def _symmetric(tile: Extractor, inputs: Tensor, kind: torch.dtype, plan: _Plan) -> Tensor:
    kernel = torch.empty(len(inputs), len(inputs), dtype=kind, device=inputs.device)
    places = _places(len(inputs), plan.tile)
    for first in range(0, len(places), plan.held):
        last = first + plan.held
        _symmetric_rows(kernel, tile, inputs, places[first:last], places[last:])
    return kernel


def _symmetric_rows(
    kernel: Tensor, tile: Extractor, inputs: Tensor, held: list[slice], later: list[slice]
) -> None:
    """The blocks of some tiles of rows from the diagonal on, and their mirror images."""

    def put(rows: slice, columns: slice, block: Tensor) -> None:
        kernel[rows, columns] = block
        kernel[columns, rows] = block.T

    rows = [tile(inputs[place]) for place in held]
    for index, place in enumerate(held):
        block = product(rows[index], rows[index])
        kernel[place, place] = block.triu() + block.triu(1).T
        for other in range(index + 1, len(held)):
            put(place, held[other], product(rows[index], rows[other]))
    for columns in later:
        for place, block in _against(rows, held, tile(inputs[columns])):
            put(place, columns, block)


def _rectangular(
    tile: Extractor, first: Tensor, second: Tensor, kind: torch.dtype, plan: _Plan
) -> Tensor:
    kernel = torch.empty(len(first), len(second), dtype=kind, device=first.device)
    places = _places(len(first), plan.tile)
    for start in range(0, len(places), plan.held):
        held = places[start : start + plan.held]
        _rectangular_rows(kernel, tile, first, second, held, _places(len(second), plan.tile))
    return kernel


def _rectangular_rows(
    kernel: Tensor,
    tile: Extractor,
    first: Tensor,
    second: Tensor,
    held: list[slice],
    columns: list[slice],
) -> None:
    rows = [tile(first[place]) for place in held]
    for some in columns:
        for place, block in _against(rows, held, tile(second[some])):
            kernel[place, some] = block


def _against(
    rows: list[Features], held: list[slice], passing: Features
) -> list[tuple[slice, Tensor]]:
    """Products of held tiles with one that passes by; it is let go before the next is computed."""
    return [(place, product(features, passing)) for place, features in zip(held, rows, strict=True)]


def _places(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
