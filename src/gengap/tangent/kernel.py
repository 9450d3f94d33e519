"""The empirical neural tangent kernel, in blocks under a memory budget, or matrix-free.

Theta(x, x') = <d f(x) / d theta, d f(x') / d theta> (Jacot et al. 2018, "Neural tangent kernel"),
for the logits, in eval mode, over the trainable parameters (or all, see ``parameters``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.limits import GIB, KERNEL_BYTES
from gengap.networks import forward_hooks, leaf_modules, logits
from gengap.networks.differentiation import (
    CountedParameters,
    counting,
    first_line,
    full_precision,
    weight_type,
)
from gengap.tangent.features import (
    LARGEST_PRODUCT,
    Extractor,
    Features,
    jacobian,
    product,
    structured,
    supports,
)
from gengap.tangent.outputs import (
    BATCH,
    OutputSelection,
    as_function,
    check_network,
    inputs_tensor,
    numbers_in,
    parameters_of,
    select_outputs,
)

Kernel = NDArray[np.floating]
Method = Literal["auto", "structured", "jacobian"]

LARGEST_TILE = 128
"""Most inputs whose gradients are computed together."""
WORKING_SHARE = 0.25
"""Fraction of the memory besides the kernel for computing a tile; held rows get the rest."""


def empirical_ntk(
    network: nn.Module,
    x1: np.ndarray,
    x2: np.ndarray | None = None,
    *,
    of: OutputSelection = "scalar",
    method: Method = "auto",
    double: bool = False,
    memory_budget: int = KERNEL_BYTES,
    parameters: CountedParameters = "trainable",
) -> Kernel:
    """Compute the empirical tangent kernel between two sets of inputs.

    The gradients of each tile of rows are computed once and held as far as the budget allows.
    Otherwise the columns are computed again. Without ``x2`` only the upper triangle is computed.

    Args:
        network: a network in eval mode; weights of half precision are taken as float32.
        x1: (n1, *input_shape), float32 or tokens.
        x2: (n2, *input_shape); without it, ``x1``.
        of: ``scalar`` (the only output of a network with one), the index of a logit, ``sum`` (of
            the logits) or ``trace`` (the sum of the logits' kernels).
        method: ``structured`` multiplies Gram matrices of patches and of gradients at the layers'
            outputs where that is cheaper. ``jacobian`` multiplies the gradients themselves, for any
            network. ``auto`` takes the first if all weights belong to dense layers, convolutions
            and batch normalisation, and both give the same kernel on two of the inputs.
        double: whether to sum products in float64 and return it; gradients have the weights' type.
        memory_budget: bytes that the kernel and all intermediate arrays may take together. The
            trace is summed logit by logit if all at once would not fit.
        parameters: ``trainable`` leaves out parameters without ``requires_grad``, unless no
            parameter has it; ``all`` takes them too.

    Returns:
        (n1, n2) in the type of the weights, or float64; without ``x2`` exactly symmetric.

    Raises:
        GengapError: dropout or batch normalisation is in train mode, the network's output is not
            what ``of`` needs, the inputs do not fit it, a structured form is asked for and there is
            none, or the budget is too small.
    """
    network = full_precision(network)
    check_network(network)
    first = inputs_tensor(network, x1)
    second = None if x2 is None else inputs_tensor(network, x2)
    kind = torch.float64 if double else weight_type(network)
    columns = first if second is None else second
    with counting(network, parameters):
        extractors, plan = _planned(network, of, method, first, len(columns), kind, memory_budget)
        kernel = torch.zeros(len(first), len(columns), dtype=kind, device=first.device)
        for features in extractors:
            if second is None:
                _add_symmetric(kernel, features, first, plan)
            else:
                _add_rectangular(kernel, features, first, second, plan)
    return kernel.numpy(force=True)


def kernel_operator(
    network: nn.Module,
    inputs: np.ndarray,
    *,
    of: OutputSelection = "scalar",
    parameters: CountedParameters = "trainable",
) -> LinearOperator:
    """Make an operator that multiplies by the kernel of a set of inputs without forming it.

    A product K v is J (J' v): one reverse pass and one forward-mode pass over the inputs.

    Args:
        network: a network in eval mode; weights of half precision are taken as float32.
        inputs: (n, *input_shape), float32 or tokens.
        of: as for :func:`empirical_ntk`.
        parameters: as for :func:`empirical_ntk`.

    Returns:
        An operator (n, n), symmetric. Products are float64 arrays, with the precision of the
        weights' type.

    Raises:
        GengapError: as :func:`empirical_ntk` does, except for the budget.
    """
    network = full_precision(network)
    check_network(network)
    points = inputs_tensor(network, inputs)
    function, counted = as_function(network, of), parameters_of(network, parameters)
    kind = weight_type(network)
    with torch.no_grad():
        count = function(counted, points[:1]).shape[1]

    def matvec(vector: np.ndarray) -> np.ndarray:
        weights = torch.as_tensor(vector.ravel(), dtype=kind, device=points.device)
        result = torch.zeros(len(points), dtype=kind, device=points.device)
        for output in range(count):
            direction = transposed_jacobian_product(function, counted, points, weights, output)
            result += jacobian_product(function, counted, points, direction)[:, output]
        return result.double().numpy(force=True)

    size = len(points)
    return LinearOperator((size, size), matvec=matvec, rmatvec=matvec, dtype=np.float64)


def times(kernel: Kernel | LinearOperator, vectors: np.ndarray) -> NDArray[np.float64]:
    """Multiply a kernel by vectors in float64.

    A matrix of another type is multiplied block by block of rows, since a copy may not fit.

    Args:
        kernel: (n, n), or an operator.
        vectors: (n,) or (n, k).

    Returns:
        K v, of the shape of ``vectors``.
    """
    exact = vectors.astype(np.float64)
    if isinstance(kernel, LinearOperator):
        return np.asarray(kernel @ exact, dtype=np.float64)
    rows = max(1, LARGEST_PRODUCT // kernel.shape[1])
    blocks = [
        kernel[start : start + rows].astype(np.float64) @ exact
        for start in range(0, len(kernel), rows)
    ]
    return np.concatenate(blocks)


def jacobian_product(
    function: Callable[[dict[str, Tensor], Tensor], Tensor],
    parameters: dict[str, Tensor],
    inputs: Tensor,
    direction: dict[str, Tensor],
) -> Tensor:
    """Compute J d, the change of the outputs along a direction of the parameters.

    Args:
        function: made by :func:`gengap.tangent.outputs.as_function`.
        parameters: where the derivative is taken.
        inputs: (n, *input_shape).
        direction: a tensor by each parameter's name.

    Returns:
        (n, k).
    """
    parts = []
    for some in torch.split(inputs, BATCH):
        try:
            with torch.no_grad():
                moved = torch.func.jvp(
                    lambda values, some=some: function(values, some), (parameters,), (direction,)
                )[1]
        except RuntimeError:  # a part of the network has no derivative in forward mode
            moved = _twice_reversed(function, parameters, some, direction)
        parts.append(moved)
    return torch.cat(parts)


def _twice_reversed(
    function: Callable[[dict[str, Tensor], Tensor], Tensor],
    parameters: dict[str, Tensor],
    inputs: Tensor,
    direction: dict[str, Tensor],
) -> Tensor:
    """Compute J d as the derivative of (J' u) . d with respect to any u.

    Returns:
        (n, k).

    Raises:
        GengapError: a part of the network has no second derivative either.
    """
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    try:
        with torch.enable_grad():
            outputs = function(leaves, inputs)
            dummy = torch.zeros_like(outputs).requires_grad_()
            slopes = torch.autograd.grad(
                outputs, list(leaves.values()), dummy, create_graph=True, materialize_grads=True
            )
            products = [
                (slope * direction[name]).sum() for name, slope in zip(leaves, slopes, strict=True)
            ]
        total = torch.stack(products).sum()
        moved: Tensor = torch.autograd.grad(total, dummy, materialize_grads=True)[0]
    except RuntimeError as error:
        raise GengapError(
            "A part of the network cannot be differentiated along a direction of its parameters "
            f"({first_line(error)}): compute the kernel with gengap.tangent.empirical_ntk."
        ) from error
    return moved


def transposed_jacobian_product(
    function: Callable[[dict[str, Tensor], Tensor], Tensor],
    parameters: dict[str, Tensor],
    inputs: Tensor,
    weights: Tensor,
    output: int = 0,
) -> dict[str, Tensor]:
    """Compute J' w, the gradient of the weighted sum of one output over the inputs.

    Args:
        function: as for :func:`jacobian_product`.
        parameters: where the derivative is taken.
        inputs: (n, *input_shape).
        weights: (n,).
        output: column of the function's outputs.

    Returns:
        The gradient by the parameters' names.
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


def _form(network: nn.Module, method: Method, inputs: Tensor) -> Callable[..., Extractor]:
    if method == "jacobian":
        return jacobian
    if supports(network, torch.cat([inputs[:1], inputs[-1:]])):
        return structured
    if method == "auto":
        return jacobian
    raise GengapError(
        "The network has no structured kernel (its layers with weights are not dense, convolutions "
        "or batch normalisation alone, or its forward pass does more than go through each once): "
        "choose method 'auto' or 'jacobian'."
    )


def _planned(
    network: nn.Module,
    of: OutputSelection,
    method: Method,
    inputs: Tensor,
    columns: int,
    kind: torch.dtype,
    budget: int,
) -> tuple[list[Extractor], _Plan]:
    """Plan which features' kernels are summed, and how they are blocked.

    The trace takes all logits at once, which saves forward passes, if the features of all rows fit
    the budget. Otherwise it takes them one by one.

    Returns:
        The extractor of each kernel, and their common blocks.

    Raises:
        GengapError: the budget is too small.
    """
    form = _form(network, method, inputs)

    def plan(of: OutputSelection) -> tuple[Extractor, _Plan | None, int]:
        features = form(network, of)
        probe = _probe(network, of, features, inputs[:1])
        return features, *_plan(len(inputs), columns, probe, kind, budget)

    features, blocks, needed = plan(of)
    extractors = [features]
    if of == "trace" and (blocks is None or blocks.tile * blocks.held < len(inputs)):
        _, blocks, needed = plan(0)
        with torch.no_grad():
            outputs = logits(network, inputs[:1]).shape[1]
        extractors = [form(network, output) for output in range(outputs)]
    if blocks is None:
        raise GengapError(
            f"The kernel of {len(inputs)} x {columns} inputs needs a memory_budget of at least "
            f"{needed / GIB:.3g} GiB, but it is {budget / GIB:.3g} GiB: raise it, take fewer "
            "inputs, or use gengap.tangent.kernel_operator, which never forms the kernel."
        )
    return extractors, blocks


@dataclass(frozen=True)
class _Probe:
    """Memory of one input, in numbers: its features, the largest one, and their computation.

    ``positions`` is the largest number of positions of a layer whose two factors are held, and
    ``kind`` the type of the numbers.
    """

    features: int
    largest: int
    workspace: int
    positions: int
    kind: torch.dtype


@dataclass(frozen=True)
class _Plan:
    """Number of inputs in a tile, and of tiles of rows that are held."""

    tile: int
    held: int


def _probe(network: nn.Module, of: OutputSelection, features: Extractor, example: Tensor) -> _Probe:
    """Run one input through, counting what it leaves in memory."""
    activations = 0
    largest_patches = 0

    def count(module: nn.Module, _arguments: tuple[Any, ...], output: Any) -> None:
        nonlocal activations, largest_patches
        activations += numbers_in(output)
        if isinstance(module, nn.Conv2d):
            patches = output[0, 0].numel() * module.weight[0].numel() * module.groups
            largest_patches = max(largest_patches, patches)

    with torch.no_grad(), forward_hooks(leaf_modules(network), count):
        outputs = select_outputs(logits(network, example), of).shape[1]
    factors = features(example)
    numbers = sum(factor.numbers for factor in factors)
    positions = max(1 if factor.right is None else factor.right.shape[1] for factor in factors)
    # Outputs of all layers and what the backward passes keep of them, the patches of the layer at
    # hand and their copies, and its features four times more while vmap computes them, reshapes
    # them and they are put together.
    largest = max(factor.numbers for factor in factors)
    workspace = (2 + outputs) * activations + 3 * largest_patches + 4 * largest
    return _Probe(numbers, largest, workspace, positions, weight_type(network))


def _plan(
    n1: int, n2: int, probe: _Probe, kind: torch.dtype, budget: int
) -> tuple[_Plan | None, int]:
    """Choose tiles that leave most of the budget for held rows, and as many of these as it allows.

    Returns:
        The plan, or None if not even single inputs fit beside the kernel; and the bytes of the
        smallest plan.
    """
    item = kind.itemsize
    kernel = n1 * n2 * item
    # Features that are summed in another type are copied layer by layer, of rows and of columns.
    copies = 0 if kind == probe.kind else 2 * probe.largest * item

    def working(tile: int) -> int:
        """Return the bytes to compute one tile of columns and its products with the held rows."""
        product = 2 * min(LARGEST_PRODUCT, tile * tile * probe.positions**2)
        made = (probe.features + probe.workspace) * probe.kind.itemsize
        return tile * (made + copies + 2 * n1 * item) + product * item

    row = probe.features * probe.kind.itemsize
    tile = min(LARGEST_TILE, max(n1, n2))
    while tile > 1 and working(tile) > WORKING_SHARE * (budget - kernel):
        tile = tile // 2
    held = (budget - kernel - working(tile)) // (tile * row)
    needed = kernel + working(1) + row
    return (_Plan(tile, int(held)) if held >= 1 else None), needed


def _add_symmetric(kernel: Tensor, tile: Extractor, inputs: Tensor, plan: _Plan) -> None:
    places = _places(len(inputs), plan.tile)
    for first in range(0, len(places), plan.held):
        last = first + plan.held
        _add_symmetric_rows(kernel, tile, inputs, places[first:last], places[last:])


def _add_symmetric_rows(
    kernel: Tensor, tile: Extractor, inputs: Tensor, held: list[slice], later: list[slice]
) -> None:
    """Add the blocks of some tiles of rows from the diagonal on, and their mirror images."""

    def add(rows: slice, columns: slice, block: Tensor) -> None:
        kernel[rows, columns] += block
        kernel[columns, rows] += block.T

    rows = [tile(inputs[place]) for place in held]
    for index, place in enumerate(held):
        block = product(rows[index], rows[index], kernel.dtype)
        kernel[place, place] += block.triu() + block.triu(1).T
        for other in range(index + 1, len(held)):
            add(place, held[other], product(rows[index], rows[other], kernel.dtype))
    for columns in later:
        for place, block in _against(rows, held, tile(inputs[columns]), kernel.dtype):
            add(place, columns, block)


def _add_rectangular(
    kernel: Tensor, tile: Extractor, first: Tensor, second: Tensor, plan: _Plan
) -> None:
    places = _places(len(first), plan.tile)
    for start in range(0, len(places), plan.held):
        held = places[start : start + plan.held]
        rows = [tile(first[place]) for place in held]
        for columns in _places(len(second), plan.tile):
            for place, block in _against(rows, held, tile(second[columns]), kernel.dtype):
                kernel[place, columns] += block


def _against(
    rows: list[Features], held: list[slice], passing: Features, kind: torch.dtype
) -> list[tuple[slice, Tensor]]:
    """Multiply held tiles by one that is computed now and freed before the next one."""
    return [
        (place, product(features, passing, kind))
        for place, features in zip(held, rows, strict=True)
    ]


def _places(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
