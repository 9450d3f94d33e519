"""Matrices of second order of a loss, as linear operators that are never formed.

All are of the loss over a whole split, at the weights that a network has when the operator is made,
in eval mode, so that batch normalisation uses its running statistics. With p parameters theta (in
the order of ``network.parameters()``, each flattened), losses l_i of n inputs and outputs f_i:

====================== ==========================================================
hessian                d^2/dtheta^2 of L
ggn                    sum or mean of J_i^T (d^2 l_i / df_i^2) J_i, J_i = df_i/dtheta
gradient_second_moment sum or mean of g_i g_i^T, g_i = dl_i/dtheta
====================== ==========================================================

``reduction`` says whether L is the mean of the l_i (the default, everywhere in the library) or
their sum, n times as large. Frozen parameters (without ``requires_grad``) do not count, unless all
are frozen or ``parameters`` is ``all``. The generalised Gauss-Newton matrix (Schraudolph 2002) of
the cross-entropy of logits is the Fisher information of the model; the second moment of the
gradients is the "empirical Fisher" (Kunstner et al. 2019, "Limitations of the empirical Fisher
approximation").
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gengap.curvature import spectra, stochastic
from gengap.curvature.convolutions import let_gradients_be_linear
from gengap.curvature.products import ProductRecord
from gengap.curvature.spectra import EigenPairs, End, SolverOptions
from gengap.curvature.stochastic import Estimate, SpectralDensity
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.limits import CURVATURE_GRAPH_BYTES, CURVATURE_VECTOR_BYTES, DENSE_LIMIT
from gengap.names import LOSSES
from gengap.networks import Network, device_of, input_batches, tensor_of
from gengap.networks.differentiation import (
    CountedParameters,
    differentiable_copy,
    twice_differentiable,
    weight_type,
)
from gengap.seeding import torch_generator
from gengap.training import loss_inputs, sample_losses
from gengap.training.losses import LOSSES as LOSS_KINDS
from gengap.training.losses import check_fit, final_activation_of

Reduction = Literal["mean", "sum"]
Dtype = Literal["float32", "float64"]
Product = Callable[[tuple[Tensor, ...], bool], Sequence[Tensor]]
"""Maps a vector, split as the parameters are, to its product with a mini-batch's matrix.

With the flag set, it maps many vectors, along an additional first axis, to their products.
"""

BATCH = 1024
"""Most inputs of a mini-batch."""

TOGETHER = 64
"""Most vectors that are multiplied at once; more are no faster."""

DEAD_ENDS = ("Error", "NotImplemented", "DelayedError")
"""Nodes that torch's graph has in place of a missing derivative."""

DTYPES: dict[str, torch.dtype] = {"float32": torch.float32, "float64": torch.float64}

SYMMETRY_INPUTS = 2
"""Inputs on which the symmetry of second derivatives is checked."""
ASYMMETRY = {"float32": 1e-2, "float64": 1e-6}
"""Largest norm of the part of a matrix that is not symmetric, relative to the whole, that counts as
rounding."""


class OperatorOptions(TypedDict, total=False):
    """Options that all operators share.

    Attributes:
        reduction: whether the loss is the ``mean`` (the default) or the ``sum`` over the inputs.
        dtype: type in which products are computed; by default ``float64`` for a network of that
            type, and ``float32`` for any other.
        batch_size: most inputs per mini-batch, 1024 by default; fewer where their graph would take
            more than :data:`gengap.limits.CURVATURE_GRAPH_BYTES`. It affects only memory and
            rounding.
        parameters: ``trainable`` (the default) leaves out parameters without ``requires_grad``,
            unless no parameter has it; ``all`` takes them too.
        batch_statistics: whether batch normalisation uses the statistics of each mini-batch, as in
            training, instead of the running ones. Then the loss, and so the matrix, depends on the
            mini-batches: they have ``batch_size`` inputs in the order of the data.
    """

    reduction: Reduction
    dtype: Dtype | None
    batch_size: int
    parameters: CountedParameters
    batch_statistics: bool


@dataclass(frozen=True)
class _Batch:
    """A mini-batch of inputs and labels, and what its loss is a function of."""

    network: nn.Module
    parameters: Mapping[str, Tensor]
    loss: str
    inputs: Tensor
    labels: Tensor

    def outputs(self) -> Tensor:
        """Return what the loss is a function of, (n, k)."""
        with twice_differentiable(self.network):
            return loss_inputs(self.network, self.inputs, self.loss)

    def losses(self, outputs: Tensor | None = None) -> Tensor:
        """Return the loss of each input, (n,), or that of given outputs."""
        return sample_losses(
            self.outputs() if outputs is None else outputs,
            self.labels,
            self.loss,
            final_activation=final_activation_of(self.network),
        )


def _forget_statistics(network: nn.Module) -> None:
    """Let batch normalisation use the statistics of the batch in eval mode too."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.track_running_stats = False
            module.running_mean = module.running_var = None


class CurvatureOperator(LinearOperator):
    """A symmetric (p, p) matrix of a loss; also a SciPy ``LinearOperator``.

    If the graphs of all mini-batches fit into :data:`~gengap.limits.CURVATURE_GRAPH_BYTES`, the
    graph of a first backward pass is kept, and each product is one backward pass through it.
    Otherwise each mini-batch's graph is built again for each product, one at a time. Mini-batches
    are then so small that one graph fits (unless that of a single input does not).

    Attributes:
        kind: ``hessian``, ``ggn`` or ``gradient_second_moment``.
        reduction: whether the loss is a ``mean`` or a ``sum`` over the inputs.
        loss: the loss itself, at the weights.
        count: n, the number of inputs.
        batch_size: inputs per mini-batch.
        retained: whether graphs are kept between products.
        record: where products are kept on disk and read again; None, as at first, keeps none.
    """

    def __init__(
        self,
        kind: str,
        network: nn.Module,
        loss: str,
        data: Split,
        reduction: Reduction = "mean",
        dtype: Dtype | None = None,
        batch_size: int = BATCH,
        parameters: CountedParameters = "trainable",
        batch_statistics: bool = False,
    ) -> None:
        if dtype is None:
            dtype = "float64" if weight_type(network) == torch.float64 else "float32"
        _check(network, loss, data, reduction, dtype, batch_size)
        self.kind, self.reduction, self.count = kind, reduction, len(data.labels)
        self._loss = loss
        self.record: ProductRecord | None = None
        # A copy, so that the operator keeps these weights whatever happens to the network.
        self._network, self._parameters = differentiable_copy(network, parameters, DTYPES[dtype])
        if kind != "hessian":
            let_gradients_be_linear(self._network)
        self._device = device_of(self._network)
        self._inputs = next(input_batches(self._network, data.inputs, self.count))[1]
        self._labels = tensor_of(data.labels, self._device)
        self._scale = 1.0 / self.count if reduction == "mean" else 1.0
        size = sum(parameter.numel() for parameter in self._parameters.values())
        super().__init__(np.dtype(dtype), (size, size))  # type: ignore[call-arg]
        fixed, per_input = self._graph_bytes()
        if batch_statistics:
            _forget_statistics(self._network)
        fitting = (CURVATURE_GRAPH_BYTES - fixed) // max(per_input, 1)
        most = batch_size if batch_statistics else min(batch_size, fitting)
        self.batch_size = max(1, min(most, self.count))
        self._starts = range(0, self.count, self.batch_size)
        self.loss = self._total_loss()
        if kind == "hessian":
            self._refuse_asymmetry()
        held = fixed * len(self._starts) + per_input * self.count
        self.retained = held <= CURVATURE_GRAPH_BYTES
        room = TOGETHER if _is_dense(network) else 1
        each_vector = max(held, size * self.dtype.itemsize)
        self._together = min(room, max(1, CURVATURE_VECTOR_BYTES // each_vector))
        self._kept = (
            [self._product(self._batch(start)) for start in self._starts] if self.retained else []
        )

    @property
    def size(self) -> int:
        """Number of parameters, p."""
        return int(self.shape[0])

    def eigsh(self, count: int, which: End = "top", **options: Unpack[SolverOptions]) -> EigenPairs:
        """Compute eigenpairs of one end of the spectrum: :func:`gengap.curvature.spectra.eigsh`."""
        return spectra.eigsh(self, count, which, **options)

    def dense(self, limit: int = DENSE_LIMIT) -> np.ndarray:
        """Form the matrix (p, p), for few parameters: :func:`gengap.curvature.spectra.dense`."""
        return spectra.dense(self, limit)

    def spectrum(self, limit: int = DENSE_LIMIT) -> np.ndarray:
        """Compute all eigenvalues of few parameters: :func:`gengap.curvature.spectra.spectrum`."""
        return spectra.spectrum(self, limit)

    def eigh(self, limit: int = DENSE_LIMIT) -> tuple[np.ndarray, np.ndarray]:
        """Compute all eigenpairs of few parameters: :func:`gengap.curvature.spectra.eigh`."""
        return spectra.eigh(self, limit)

    def trace(
        self, products: int = 60, *, sketch: bool = True, seed: int | np.random.SeedSequence = 0
    ) -> Estimate:
        """Estimate the trace and its standard error: :func:`gengap.curvature.stochastic.trace`."""
        return stochastic.trace(self, products, sketch=sketch, seed=seed)

    def spectral_density(
        self,
        runs: int = 5,
        steps: int = 50,
        *,
        known: EigenPairs | None = None,
        seed: int | np.random.SeedSequence = 0,
    ) -> SpectralDensity:
        """Estimate the whole spectrum: :func:`gengap.curvature.stochastic.spectral_density`."""
        return stochastic.spectral_density(self, runs, steps, known=known, seed=seed)

    def _matvec(self, vector: np.ndarray) -> np.ndarray:
        return self._multiplied(np.reshape(vector, -1), False)

    def _matmat(self, vectors: np.ndarray) -> np.ndarray:
        if self._together == 1:
            return np.stack([self._matvec(vector) for vector in vectors.T], axis=1)
        try:
            parts = [
                self._multiplied(vectors[:, start : start + self._together].T, True)
                for start in range(0, vectors.shape[1], self._together)
            ]
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # a part of the network takes no batch of vectors
            self._together = 1
            return self._matmat(vectors)
        return np.concatenate(parts).T

    def _multiplied(self, vectors: np.ndarray, many: bool) -> np.ndarray:
        """Multiply by a vector (p,), or by the rows of (m, p), unless a record has the product."""
        if self.record is None:
            return self._computed(vectors, many)
        typed = np.asarray(vectors, self.dtype)
        return self.record.product(typed, functools.partial(self._computed, many=many))

    def _computed(self, vectors: np.ndarray, many: bool) -> np.ndarray:
        split = self._split(vectors)
        total = [torch.zeros_like(part) for part in split]
        for place, start in enumerate(self._starts):
            # A graph that is not kept has no name, so that it is freed before the next is built.
            product = self._kept[place] if self.retained else None
            images = (product or self._product(self._batch(start)))(split, many)
            for part, more in zip(total, images, strict=True):
                part += more.detach()
        joined = torch.cat([part.reshape(*vectors.shape[:-1], -1) for part in total], dim=-1)
        return np.asarray(joined.mul_(self._scale).numpy(force=True))

    def _adjoint(self) -> CurvatureOperator:
        return self

    def _split(self, vectors: np.ndarray) -> tuple[Tensor, ...]:
        flat = tensor_of(np.ascontiguousarray(vectors, self.dtype), self._device)
        shapes = [parameter.shape for parameter in self._parameters.values()]
        parts = torch.split(flat, [shape.numel() for shape in shapes], dim=-1)
        lead = flat.shape[:-1]
        return tuple(part.reshape(lead + shape) for part, shape in zip(parts, shapes, strict=True))

    def _batch(self, start: int, stop: int | None = None) -> _Batch:
        """Return the mini-batch that starts at a row."""
        rows = slice(start, start + self.batch_size if stop is None else stop)
        parameters = self._parameters
        return _Batch(self._network, parameters, self._loss, self._inputs[rows], self._labels[rows])

    def _product(self, batch: _Batch) -> Product:
        return _PRODUCTS[self.kind](batch)

    def _total_loss(self) -> float:
        """Compute the loss at the weights.

        Returns:
            Its mean or its sum over the inputs.

        Raises:
            GengapError: it is not finite; or exactly 0, and then so is its curvature.
        """
        with torch.no_grad():
            total = sum(float(self._batch(start).losses().double().sum()) for start in self._starts)
        if not math.isfinite(total):
            raise GengapError(
                f"The loss {self._loss} of this network on these data is {total}, so it has no "
                "curvature: look at its weights, and at the inputs that they meet."
            )
        if total == 0 and LOSS_KINDS[self._loss].flat_at_zero:
            sharper = self.dtype.name != "float64" and self._loss != "hinge"
            raise GengapError(
                f"The loss {self._loss} of this network on these data is exactly 0 in {self.dtype},"
                f" so its curvature is 0 in all directions: {'ask for float64, or ' * sharper}use "
                "weights from an earlier epoch."
            )
        return total * self._scale

    def _refuse_asymmetry(self) -> None:
        """Refuse a network whose second derivatives by torch are not symmetric.

        The Hessian of a random linear function of the outputs of a few inputs shows it, however
        small the loss. For random u and v, u'Av - v'Au is about |A - A'| (Frobenius), and |Av| is
        about |A|.

        Raises:
            GengapError: they are not symmetric.
        """
        draws = torch_generator(0, "symmetry")
        batch = self._batch(0, min(SYMMETRY_INPUTS, self.batch_size))

        def random(like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=draws, dtype=like.dtype).to(like.device)

        product = _output_product(batch, random)
        first, second = (tuple(map(random, self._parameters.values())) for _ in range(2))
        images = product(first, False), product(second, False)
        difference = _inner(second, images[0]) - _inner(first, images[1])
        length = math.sqrt(_inner(images[0], images[0]) + _inner(images[1], images[1]))
        if abs(difference) <= ASYMMETRY[self.dtype.name] * length:
            return
        parametrised = [
            name for name, module in self._network.named_modules() if is_parametrized(module)
        ]
        cause = f"the parametrisation of {parametrised[0]}" if parametrised else "one of its parts"
        raise GengapError(
            f"The second derivatives of this network are not symmetric: torch computes those of "
            f"{cause} wrongly (weight_norm is known for it); fold it into the weights with "
            "torch.nn.utils.parametrize.remove_parametrizations or "
            "torch.nn.utils.remove_weight_norm, or replace it."
        )

    def _graph_bytes(self) -> tuple[int, int]:
        """Estimate the memory of a graph, fixed and per input, from those of one and two inputs."""
        one, two = self._saved_bytes(1), self._saved_bytes(2)
        per_input = two - one if self.count > 1 else one
        return max(one - per_input, 0), per_input

    def _saved_bytes(self, inputs: int) -> int:
        """Return the bytes that the graph of the first inputs keeps besides inputs and weights."""
        weights = [*self._network.parameters(), *self._network.buffers()]
        there = [self._inputs, self._labels, *weights]
        held: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor.detach()  # the graph of this pass is thrown away

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            # The result is dropped: what counts is what its computation saves.
            _ = self._product(self._batch(0, inputs))
        for tensor in there:
            held.pop(tensor.untyped_storage().data_ptr(), None)
        return sum(held.values())


def hessian(
    network: nn.Module, loss: str, data: Split, **options: Unpack[OperatorOptions]
) -> CurvatureOperator:
    """Make the operator of the Hessian of a loss over a split.

    Args:
        network: any network with outputs (n, k); neither it nor its mode is changed. Weights of
            half precision are taken in ``dtype``.
        loss: one of ``gengap.names.LOSSES``; ``mse`` where the targets are numbers.
        data: inputs (n, *input_shape) and labels or numbers (n,).
        **options: ``reduction``, ``dtype``, ``batch_size`` and ``parameters``, see
            :class:`OperatorOptions`.

    Returns:
        The (p, p) operator of a network with p parameters that count.

    Raises:
        GengapError: the network, data and loss do not fit, a part of the network cannot be
            differentiated twice or not symmetrically, or the loss is 0 or not finite.
    """
    return CurvatureOperator("hessian", network, loss, data, **options)


def ggn(
    network: nn.Module, loss: str, data: Split, **options: Unpack[OperatorOptions]
) -> CurvatureOperator:
    """Make the operator of the generalised Gauss-Newton matrix; otherwise as :func:`hessian`."""
    return CurvatureOperator("ggn", network, loss, data, **options)


def gradient_second_moment(
    network: nn.Module, loss: str, data: Split, **options: Unpack[OperatorOptions]
) -> CurvatureOperator:
    """Make the operator of the gradients' uncentred second moment; otherwise as :func:`hessian`."""
    return CurvatureOperator("gradient_second_moment", network, loss, data, **options)


def is_twice_differentiable(
    network: nn.Module,
    data: Split,
    loss: str = "cross_entropy",
    *,
    parameters: CountedParameters = "trainable",
) -> bool:
    """Tell whether torch knows the second derivatives of a loss in a network's weights.

    Args:
        network: neither it nor its mode is changed.
        data: inputs (n, *input_shape) and labels or numbers (n,); only the first of each is used.
        loss: one of ``gengap.names.LOSSES``; ``mse`` where the targets are numbers.
        parameters: see :class:`OperatorOptions`.

    Returns:
        False where a part of the network or the loss has no such derivative.

    Raises:
        GengapError: no gradient at all reaches a parameter that the network uses.
    """
    kind = weight_type(network)
    dtype = kind if kind in DTYPES.values() else torch.float32
    tried, counted = differentiable_copy(network, parameters, dtype)
    _, inputs = next(input_batches(tried, data.inputs, 1))
    labels = tensor_of(data.labels[:1], device_of(tried))
    try:
        product = _hessian_product(_Batch(tried, counted, loss, inputs, labels))
        product(tuple(parameter.detach() for parameter in counted.values()), False)
    except _NotTwiceDifferentiableError:
        return False
    return True


def _check(
    network: nn.Module, loss: str, data: Split, reduction: str, dtype: str, batch_size: int
) -> None:
    for key, value, known in (
        ("loss", loss, LOSSES),
        ("reduction", reduction, ("mean", "sum")),
        ("dtype", dtype, tuple(DTYPES)),
    ):
        if value not in known:
            raise GengapError(f"The curvature's {key} is {value!r}: choose {' or '.join(known)}.")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise GengapError(
            f"The curvature's batch_size is {batch_size!r}: give an integer of at least 1."
        )
    check_fit(network, data, loss)


def _is_dense(network: nn.Module) -> bool:
    """Tell whether all weights are of dense layers; only these gain from many vectors at once."""
    owners = [module for module in network.modules() if any(True for _ in module.parameters(False))]
    return isinstance(network, Network) and all(isinstance(module, nn.Linear) for module in owners)


def _twice_differentiable(make: Callable[..., Product]) -> Callable[..., Product]:
    """Say in a sentence what torch cannot differentiate, when a product is made or taken."""

    def guarded(call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except NotImplementedError as error:
            raise _NotTwiceDifferentiableError(str(error)) from error
        except RuntimeError as error:
            if "derivative" not in str(error) and "does not require grad" not in str(error):
                raise
            raise _NotTwiceDifferentiableError(str(error)) from error

    @functools.wraps(make)
    def wrapped(*arguments: Any) -> Product:
        with torch.enable_grad():
            product = guarded(make, *arguments)
        return functools.partial(guarded, product)

    return wrapped


class _NotTwiceDifferentiableError(GengapError):
    """A part of the network or the loss has no second derivative."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "A part of the network or the loss cannot be differentiated twice "
            f"({reason.rstrip('.')}): replace it by one that can."
        )


def _gradient(batch: _Batch, outputs: Tensor, seed: Tensor | None = None) -> list[Tensor]:
    """Return J^T seed with its own graph: zeros for parameters that the network does not use.

    Raises:
        _NotTwiceDifferentiableError: the outputs do not depend on any parameter.
        GengapError: the network uses a parameter, but no gradient reaches it.
    """
    if not outputs.requires_grad:
        raise _NotTwiceDifferentiableError(
            "the loss does not depend on the weights through gradients"
        )
    parameters = batch.parameters
    slopes: tuple[Tensor | None, ...] = torch.autograd.grad(
        outputs, list(parameters.values()), seed, create_graph=True, allow_unused=True
    )
    if any(slope is None for slope in slopes):
        used = _storages_read(batch)
        for (name, parameter), slope in zip(parameters.items(), slopes, strict=True):
            if slope is None and parameter.untyped_storage().data_ptr() in used:
                raise GengapError(
                    f"No gradient of the loss reaches the parameter {name}: a part of the network "
                    "after it cannot be differentiated; replace or remove it."
                )
    filled = [
        torch.zeros_like(parameter) if slope is None else slope
        for parameter, slope in zip(parameters.values(), slopes, strict=True)
    ]
    _refuse_dead_ends(filled)
    return filled


class _Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the memory of all tensors that operations take as arguments."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.storages: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        keywords = kwargs or {}
        for value in tree_leaves((args, keywords)):
            if isinstance(value, Tensor):
                self.storages.add(value.untyped_storage().data_ptr())
        return func(*args, **keywords)


def _storages_read(batch: _Batch) -> set[int]:
    """Return the addresses of the memory that a forward pass reads."""
    reads = _Reads()
    with torch.no_grad(), reads:
        batch.outputs()
    return reads.storages


def _refuse_dead_ends(slopes: Sequence[Tensor]) -> None:
    """Find nodes that raise only when reached: torch counts what lies beyond them as unused."""
    pending = [slope.grad_fn for slope in slopes]
    seen = set(pending)
    while pending:
        node = pending.pop()
        if node is None:
            continue
        if node.name().rpartition("::")[2] in DEAD_ENDS:
            raise _NotTwiceDifferentiableError("it has no derivative of its gradient")
        following = {after for after, _ in node.next_functions} - seen
        seen |= following
        pending.extend(following)


def _pulled(
    outputs: Sequence[Tensor], sources: Sequence[Tensor], vectors: Sequence[Tensor], many: bool
) -> Sequence[Tensor]:
    """Multiply the transposed Jacobian by a vector, or by many along a first axis."""
    gradients = torch.autograd.grad(
        outputs,
        sources,
        vectors,
        retain_graph=True,
        allow_unused=True,
        is_grads_batched=many,
    )
    lead = vectors[0].shape[:1] if many else torch.Size()
    return [
        tensor.new_zeros(lead + tensor.shape) if part is None else part
        for part, tensor in zip(gradients, sources, strict=True)
    ]


def _second_derivative(slopes: Sequence[Tensor], sources: Sequence[Tensor]) -> Product:
    """Multiply by the transposed Jacobian of slopes; slopes without a graph are constant."""
    positions = [position for position, slope in enumerate(slopes) if slope.requires_grad]

    def product(vectors: tuple[Tensor, ...], many: bool) -> Sequence[Tensor]:
        if not positions:
            lead = vectors[0].shape[:1] if many else torch.Size()
            return [tensor.new_zeros(lead + tensor.shape) for tensor in sources]
        parts = [vectors[position] for position in positions]
        return _pulled([slopes[position] for position in positions], sources, parts, many)

    return product


@_twice_differentiable
def _hessian_product(batch: _Batch) -> Product:
    """Compute H v = d(g . v)/dtheta (Pearlmutter 1994)."""
    slopes = _gradient(batch, batch.losses().sum())
    return _second_derivative(slopes, list(batch.parameters.values()))


@_twice_differentiable
def _output_product(batch: _Batch, draw: Callable[[Tensor], Tensor]) -> Product:
    """Compute H v for the Hessian H of c . f, with a drawn c for the outputs f."""
    outputs = batch.outputs()
    slopes = _gradient(batch, outputs, draw(outputs))
    return _second_derivative(slopes, list(batch.parameters.values()))


def _inner(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    products = (one.detach().double() * other for one, other in zip(first, second, strict=True))
    return sum(float(product.sum()) for product in products)


@_twice_differentiable
def _ggn_product(batch: _Batch) -> Product:
    """Compute J^T (d^2 l/df^2) J v; J v is the derivative of J^T u with respect to a dummy u."""
    outputs = batch.outputs()
    dummy = torch.zeros_like(outputs).requires_grad_()
    forward = _second_derivative(_gradient(batch, outputs, dummy), [dummy])
    free = outputs.detach().requires_grad_()
    loss = batch.losses(free).sum()
    (slope,) = torch.autograd.grad(loss, free, create_graph=True)
    middle = _second_derivative([slope], [free])

    def product(vectors: tuple[Tensor, ...], many: bool) -> Sequence[Tensor]:
        bent = middle(tuple(forward(vectors, many)), many)
        return _pulled([outputs], list(batch.parameters.values()), bent, many)

    return product


@_twice_differentiable
def _second_moment_product(batch: _Batch) -> Product:
    """Compute G^T G v, with the inputs' gradients as rows of G, by the same dummy as the GGN."""
    losses = batch.losses()
    dummy = torch.zeros_like(losses).requires_grad_()
    forward = _second_derivative(_gradient(batch, losses, dummy), [dummy])

    def product(vectors: tuple[Tensor, ...], many: bool) -> Sequence[Tensor]:
        parameters = list(batch.parameters.values())
        return _pulled([losses], parameters, forward(vectors, many), many)

    return product


_PRODUCTS: dict[str, Callable[..., Product]] = {
    "hessian": _hessian_product,
    "ggn": _ggn_product,
    "gradient_second_moment": _second_moment_product,
}
