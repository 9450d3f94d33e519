"""The empirical neural tangent kernel, in blocks under a memory budget, or matrix-free.

Theta(x, x') = <d f(x) / d theta, d f(x') / d theta> (Jacot et al. 2018, "Neural tangent kernel"),
for the logits, in eval mode, over the trainable parameters (or all, see ``parameters``).
"""

from __future__ import annotations

import copy
import functools
import queue
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
from gengap.tangent.kernel_file import KernelFile
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
from gengap.threads import over_blocks, slices, threads_in_use

Kernel = NDArray[np.floating]
Method = Literal["auto", "structured", "jacobian"]

LARGEST_TILE = 128
"""Most inputs whose gradients are computed together."""
STRIP = 8
"""Tiles of rows after which the blocks of a kernel's file are said to be finished.

A strip of 1024 rows and its mirror image of 1024 columns fill whole pages of the file.
"""
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
    file: Path | None = None,
) -> Kernel:
    """Compute the empirical tangent kernel between two sets of inputs.

    The gradients of each tile of rows are computed once and held as far as the budget allows.
    Otherwise the columns are computed again. Without ``x2`` only the upper triangle is computed.
    Blocks are computed over the threads of :func:`gengap.threads.using_threads`.

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
        file: an ``.npy`` in which the kernel is kept instead of memory, with its finished blocks
            in ``<name>.blocks.npy`` beside it. An interrupted call goes on from there when it is
            repeated, with the same bytes at its end. The file's name must tell one network and one
            set of inputs from others. The budget is then that of the intermediate arrays alone.

    Returns:
        (n1, n2) in the type of the weights, or float64; without ``x2`` exactly symmetric. With
        ``file`` it is mapped from there; what is written into it does not reach the file.

    Raises:
        GengapError: dropout or batch normalisation is in train mode, the network's output is not
            what ``of`` needs, the inputs do not fit it, a structured form is asked for and there is
            none, the budget is too small, or the file cannot be written.
    """
    network = full_precision(network)
    check_network(network)
    first = inputs_tensor(network, x1)
    second = None if x2 is None else inputs_tensor(network, x2)
    kind = torch.float64 if double else weight_type(network)
    columns = first if second is None else second
    in_memory = 0 if file else len(first) * len(columns) * kind.itemsize
    with counting(network, parameters):
        extractors, plan = _planned(
            network, of, method, first, len(columns), kind, memory_budget, in_memory
        )
        if file is None:
            kernel = torch.zeros(len(first), len(columns), dtype=kind, device=first.device)
            _add(_Blocks(kernel, None), network, extractors, first, second, plan)
            return kernel.numpy(force=True)
        if len(extractors) > 1:
            raise GengapError(
                "The kernel of a file is that of all logits at once, which needs a larger "
                f"memory_budget than {memory_budget / GIB:.3g} GiB: raise it."
            )
        shape = len(first), len(columns)
        kept = KernelFile(file, shape, str(kind).removeprefix("torch."), plan.tile)
        if not kept.done.all():
            _add(_Blocks(kept.writable(), kept), network, extractors, first, second, plan)
    return kept.read()


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
    result = np.empty((len(kernel), *exact.shape[1:]))

    def multiply(rows: slice) -> None:
        result[rows] = kernel[rows].astype(np.float64) @ exact

    over_blocks(multiply, slices(len(kernel), max(1, LARGEST_PRODUCT // kernel.shape[1])))
    return result


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


_Form = Callable[[nn.Module], Extractor]
"""What makes the extractor of some outputs' features from a network."""


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
    in_memory: int,
) -> tuple[list[_Form], _Plan]:
    """Plan which features' kernels are summed, and how they are blocked.

    The trace takes all logits at once, which saves forward passes, if the features of all rows fit
    the budget. Otherwise it takes them one by one. Of the budget the kernel has ``in_memory``.

    Returns:
        For each kernel what makes its extractor from a network, and their common blocks.

    Raises:
        GengapError: the budget is too small.
    """
    form = _form(network, method, inputs)

    def plan(of: OutputSelection) -> tuple[_Plan | None, int]:
        probe = _probe(network, of, form(network, of), inputs[:1])
        return _plan(len(inputs), columns, probe, kind, budget, in_memory)

    blocks, needed = plan(of)
    selections = [of]
    if of == "trace" and (blocks is None or blocks.tile * blocks.held < len(inputs)):
        blocks, needed = plan(0)
        with torch.no_grad():
            selections = list(range(logits(network, inputs[:1]).shape[1]))
    if blocks is None:
        raise GengapError(
            f"The kernel of {len(inputs)} x {columns} inputs needs a memory_budget of at least "
            f"{needed / GIB:.3g} GiB, but it is {budget / GIB:.3g} GiB: raise it, take fewer "
            "inputs, or use gengap.tangent.kernel_operator, which never forms the kernel."
        )
    return [functools.partial(form, of=selection) for selection in selections], blocks


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
    """How a kernel is blocked.

    Attributes:
        tile: number of inputs in a tile, whatever the number of threads.
        held: number of tiles of rows that are held.
        threads: that compute tiles at a time.
    """

    tile: int
    held: int
    threads: int = 1


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
    n1: int, n2: int, probe: _Probe, kind: torch.dtype, budget: int, kernel: int
) -> tuple[_Plan | None, int]:
    """Choose tiles that leave most of the budget for held rows, and as many of these as it allows.

    The threads beyond the first one share that part of the budget which computing may take.

    Returns:
        The plan, or None if not even single inputs fit beside the kernel; and the bytes of the
        smallest plan.
    """
    item = kind.itemsize
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
    threads = max(1, min(threads_in_use(), int(WORKING_SHARE * (budget - kernel) / working(tile))))
    held = (budget - kernel - threads * working(tile)) // (tile * row)
    needed = kernel + working(1) + row
    return (_Plan(tile, int(held), threads) if held >= 1 else None), needed


@dataclass(frozen=True)
class _Blocks:
    """A kernel (n1, n2) whose blocks are added, and the file that it is in, if any."""

    kernel: Tensor
    file: KernelFile | None

    def add(self, rows: slice, columns: slice, block: Tensor, *, mirrored: bool) -> None:
        """Add a block, and its mirror image; a file's block is set, since it may be half there."""
        if self.file:
            self.kernel[rows, columns] = block
        else:
            self.kernel[rows, columns] += block
        if mirrored and rows != columns:
            self.kernel[columns, rows] = self.kernel[rows, columns].T

    def is_done(self, row: int, column: int) -> bool:
        """Tell whether the block of these tiles is finished in the file."""
        return self.file is not None and bool(self.file.done[row, column])

    def finish(self, rows: Iterable[int], columns: Iterable[int], *, mirrored: bool) -> None:
        """Mark blocks as finished once they are in the file."""
        if self.file:
            self.file.finish(list(rows), list(columns), mirrored=mirrored)


@contextmanager
def _extracting(
    form: _Form, network: nn.Module, plan: _Plan, device: torch.device
) -> Iterator[tuple[Extractor, int]]:
    """Make an extractor that several threads may call, since each call has a network of its own.

    Yields:
        The extractor, and the number of threads.
    """
    threads = plan.threads if device.type == "cpu" else 1
    free: queue.SimpleQueue[Extractor] = queue.SimpleQueue()
    free.put(form(network))
    for _ in range(threads - 1):
        free.put(form(copy.deepcopy(network)))

    def features(inputs: Tensor) -> Features:
        extractor = free.get()
        try:
            return extractor(inputs)
        finally:
            free.put(extractor)

    yield features, threads


def _add(
    blocks: _Blocks,
    network: nn.Module,
    forms: list[_Form],
    first: Tensor,
    second: Tensor | None,
    plan: _Plan,
) -> None:
    """Add the kernels of all forms to the blocks that are not finished."""
    for form in forms:
        with _extracting(form, network, plan, first.device) as (extractor, threads):
            rows = slices(len(first), plan.tile)
            for start in range(0, len(rows), plan.held):
                held = range(start, min(start + plan.held, len(rows)))
                if second is None:
                    _add_symmetric_rows(blocks, extractor, first, rows, held, threads)
                else:
                    places = slices(len(second), plan.tile)
                    features = _Held(extractor, first, rows, held, threads)
                    columns = range(len(places))
                    _add_against(blocks, features, second, places, columns, mirrored=False)


class _Held:
    """The features of some tiles of rows, computed when they are first needed.

    Attributes:
        extractor: of features.
        places: all tiles of rows.
        tiles: the numbers of those that are held.
        threads: that compute tiles at a time.
    """

    def __init__(
        self,
        extractor: Extractor,
        inputs: Tensor,
        places: list[slice],
        tiles: range,
        threads: int,
    ) -> None:
        self.extractor, self.places, self.tiles = extractor, places, tiles
        self.threads = threads
        self._inputs = inputs

    @functools.cached_property
    def features(self) -> list[Features]:
        """The features of the tiles."""
        inputs = [self._inputs[self.places[tile]] for tile in self.tiles]
        return over_blocks(self.extractor, inputs, self.threads)


def _add_symmetric_rows(
    blocks: _Blocks,
    extractor: Extractor,
    inputs: Tensor,
    places: list[slice],
    held: range,
    threads: int,
) -> None:
    """Add the blocks of some tiles of rows from the diagonal on, and their mirror images."""
    rows = _Held(extractor, inputs, places, held, threads)

    def add(pair: tuple[int, int]) -> None:
        row, column = pair
        first, second = rows.features[row - held.start], rows.features[column - held.start]
        block = product(first, second, blocks.kernel.dtype)
        if row == column:
            block = block.triu() + block.triu(1).T
        blocks.add(places[row], places[column], block, mirrored=True)

    for strip in slices(len(held), STRIP):
        pairs = [
            (row, column)
            for row in held[strip]
            for column in range(row, held.stop)
            if not blocks.is_done(row, column)
        ]
        if pairs:
            _ = rows.features  # before the threads ask for them
            over_blocks(add, pairs, threads)
            blocks.finish(held[strip], range(held[strip].start, held.stop), mirrored=True)
    later = range(held.stop, len(places))
    _add_against(blocks, rows, inputs, places, later, mirrored=True)


def _add_against(
    blocks: _Blocks,
    rows: _Held,
    inputs: Tensor,
    places: list[slice],
    columns: range,
    *,
    mirrored: bool,
) -> None:
    """Add the blocks of held rows with tiles of columns, each computed for them and then freed."""

    def add(column: int) -> None:
        passing = rows.extractor(inputs[places[column]])
        for row, features in zip(rows.tiles, rows.features, strict=True):
            block = product(features, passing, blocks.kernel.dtype)
            blocks.add(rows.places[row], places[column], block, mirrored=mirrored)

    for strip in slices(len(columns), STRIP * max(1, rows.threads)):
        unfinished = [
            column
            for column in columns[strip]
            if not all(blocks.is_done(row, column) for row in rows.tiles)
        ]
        if unfinished:
            _ = rows.features  # before the threads ask for them
            over_blocks(add, unfinished, rows.threads)
            blocks.finish(rows.tiles, unfinished, mirrored=mirrored)
