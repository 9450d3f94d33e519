"""Kernels: the linear maps inside a network, their operator norms, and the share that they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from gengap.errors import GengapError
from gengap.networks.device import device_of, tensor_of
from gengap.networks.effective_weights import effective_copy
from gengap.networks.folding import TRANSPOSED_CONVOLUTIONS, ChannelAffine
from gengap.networks.inference import forward_hooks
from gengap.networks.masks import MaskedLinear

RECURRENT = (nn.RNNBase, nn.RNNCellBase)
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
KERNEL_OWNERS = (
    nn.Linear, _ConvNd, *EMBEDDINGS, *RECURRENT, nn.MultiheadAttention, ChannelAffine,
)  # fmt: skip
NORMALISATIONS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
PADDINGS = (nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d)
"""Layers that pad with a constant, torch's ``ZeroPad`` among them."""
KNOWN_PARAMETERS = ("weight", "bias", "in_proj_", "q_proj_", "k_proj_", "v_proj_")
"""Beginnings of the names of the parameters that torch gives to these layers."""

LANCZOS_STEPS = 2000
LANCZOS_TOLERANCE = 1e-6
"""Residual of the largest eigenvalue, relative to it, at which the iteration ends."""
CHECKED_EVERY = 8
"""Number of Lanczos steps between two looks at the residual."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """A linear map of a network.

    Attributes:
        name: the name of its layer, with the name of the map where the layer has several.
        module: the layer.
        weight: (out, in, *window), the weight as it is used, however it is parametrised or masked.
            Where a convolution has groups, ``in`` is the number of channels of one group. An
            embedding maps one-hot tokens, so ``in`` is the number of tokens.
    """

    name: str
    module: nn.Module
    weight: Tensor


def kernels(network: nn.Module) -> list[Kernel]:
    """List the linear maps inside a network.

    - Linear layers and convolutions of one to three dimensions, transposed or not, have one each.
    - Embeddings have one, the table.
    - Recurrent layers have one for the input and one for the state (all gates together), of each
      layer and direction.
    - Multi-head attention has four: of queries, keys, values, and outputs.
    - A batch normalisation that :func:`~gengap.networks.folded` made a layer of its own has one,
      its diagonal map, as (channels, 1).

    Args:
        network: any network.

    Returns:
        The kernels in the order in which the layers are registered, which is that of the forward
        pass in the library's own networks.
    """
    inside = {
        module.out_proj for module in network.modules() if isinstance(module, nn.MultiheadAttention)
    }
    return [
        kernel
        for name, module in network.named_modules()
        if module not in inside
        for kernel in _kernels_of(name, module)
    ]


def _kernels_of(name: str, module: nn.Module) -> Iterator[Kernel]:
    """Yield the kernels of one layer."""
    if isinstance(module, TRANSPOSED_CONVOLUTIONS):
        weight = module.weight
        grouped = weight.reshape(module.groups, -1, *weight.shape[1:])
        yield Kernel(name, module, grouped.transpose(1, 2).flatten(0, 1))
    elif isinstance(module, MaskedLinear):
        yield Kernel(name, module, module.weight * module.mask)
    elif isinstance(module, nn.Linear | _ConvNd):
        yield Kernel(name, module, module.weight)
    elif isinstance(module, EMBEDDINGS):
        yield Kernel(name, module, module.weight.T)
    elif isinstance(module, RECURRENT):
        for own, weight in _recurrent_weights(module):
            yield Kernel(f"{name}.{own}", module, weight)
    elif isinstance(module, nn.MultiheadAttention):
        for own, weight in _attention_weights(module).items():
            yield Kernel(f"{name}.{own}", module, weight)
    elif isinstance(module, ChannelAffine):
        yield Kernel(name, module, module.weight[:, None])


def _recurrent_weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    names = getattr(module, "_flat_weights_names", ("weight_ih", "weight_hh"))
    for name in names:
        if name.startswith("weight"):
            yield name, getattr(module, name)


def _attention_weights(module: nn.MultiheadAttention) -> dict[str, Tensor]:
    joined: Tensor | None = module.in_proj_weight
    parts = (
        (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
        if joined is None
        else joined.chunk(3)
    )
    queries, keys, values = parts
    return {
        "q_proj": queries,
        "k_proj": keys,
        "v_proj": values,
        "out_proj": module.out_proj.weight,
    }


def kernel_norms(network: nn.Module, example: Tensor, rng: np.random.Generator) -> dict[str, float]:
    """Compute the operator norm of each kernel that an input passes.

    The norm of a convolution is that of its linear map on the input that reaches it, not of its
    reshaped kernel. Padding with a constant is part of the map, also by a module right before it.
    The norm of any other kernel is the largest singular value of its matrix. Biases have no part in
    it. A layer that is never called has none.

    Args:
        network: any network, in eval mode.
        example: one input, (1, *input_shape), which fixes the size of each layer's input.
        rng: draws the starting vectors of the iterations.

    Returns:
        The norms by the kernels' names, in their order, with a relative error below 1e-6.
    """
    sites = _sites(network, example)
    return {
        kernel.name: _norm(kernel, sites[kernel.module], rng)
        for kernel in kernels(network)
        if kernel.module in sites
    }


class _Site(NamedTuple):
    """Where a layer with a kernel takes its input.

    Attributes:
        shape: the shape of the input, before it is padded.
        padding: the module that pads it with a constant; the identity if there is none.
    """

    shape: torch.Size
    padding: nn.Module


def _sites(network: nn.Module, example: Tensor) -> dict[nn.Module, _Site]:
    """Return where each layer with a kernel takes its input, of those that an input passes."""
    sites: dict[nn.Module, _Site] = {}
    padded: list[tuple[Tensor, _Site]] = []

    def remember_padding(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        padded.append((output, _Site(arguments[0].shape, module)))

    def remember(
        module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], _output: Any
    ) -> None:
        values = [*arguments, *keywords.values()][0]
        plain = _Site(values.shape, nn.Identity())
        sites[module] = next((site for tensor, site in padded if tensor is values), plain)

    paddings = [module for module in network.modules() if isinstance(module, PADDINGS)]
    listed = dict.fromkeys(kernel.module for kernel in kernels(network))
    with ExitStack() as stack, torch.no_grad():
        stack.enter_context(forward_hooks(paddings, remember_padding))
        for module in listed:
            stack.callback(module.register_forward_hook(remember, with_kwargs=True).remove)
        network(example)
    return sites


@torch.no_grad()
def row_norms(network: nn.Module, example: Tensor) -> dict[str, Tensor]:
    """Compute the Euclidean norm of each row of the matrix of each kernel that an input passes.

    A row holds the weights into one output. As in :func:`kernel_norms`, a convolution is the linear
    map on the input that reaches it, with a row for each channel and place of its output.

    Args:
        network: any network, in eval mode.
        example: one input, (1, *input_shape), which fixes the size of each layer's input.

    Returns:
        The norms (rows,), float64, by the kernels' names, in their order.

    Raises:
        GengapError: a convolution pads with other values than zeros, so that rows mix weights.
    """
    effective = effective_copy(network)
    inputs = example.double() if example.is_floating_point() else example
    sites = _sites(effective, inputs)
    return {
        kernel.name: _row_norms(kernel, sites[kernel.module])
        for kernel in kernels(effective)
        if kernel.module in sites
    }


def _row_norms(kernel: Kernel, site: _Site) -> Tensor:
    layer = kernel.module
    if not isinstance(layer, _ConvNd):
        norms: Tensor = torch.linalg.vector_norm(kernel.weight.flatten(1), dim=1)
        return norms
    if layer.padding_mode != "zeros":
        raise GengapError(
            f"The convolution {kernel.name} has padding_mode {layer.padding_mode!r}, which puts "
            "several weights into one entry of its matrix: pad with zeros, or do without this "
            "measure."
        )
    squares = {"weight": layer.weight.square()}
    if layer.bias is not None:
        squares["bias"] = torch.zeros_like(layer.bias)
    ones = site.padding(layer.weight.new_ones((1, *site.shape[1:])))
    sums: Tensor = functional_call(layer, squares, (ones,))
    return sums.flatten().sqrt()


def _norm(kernel: Kernel, site: _Site, rng: np.random.Generator) -> float:
    if isinstance(kernel.module, _ConvNd):
        return _convolution_norm(kernel.module, site, rng)
    weight = kernel.weight.detach().double()
    if isinstance(kernel.module, ChannelAffine):
        return float(weight.abs().max())
    return float(torch.linalg.matrix_norm(weight, ord=2))


def _convolution_norm(layer: nn.Module, site: _Site, rng: np.random.Generator) -> float:
    """Compute the largest singular value of ``x -> layer(x) - layer(0)``, in float64."""
    tensors = {
        name: tensor.detach().double() if tensor.is_floating_point() else tensor
        for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]
    }
    device = device_of(layer)
    size = (1, *site.shape[1:])
    origin = torch.zeros(size, dtype=torch.float64, device=device, requires_grad=True)

    def image_of(vector: Tensor) -> Tensor:
        image: Tensor = functional_call(layer, tensors, (site.padding(vector),))
        return image

    with torch.enable_grad():
        constant = image_of(origin)

    def normal(vector: Tensor) -> Tensor:
        """Multiply by the map and by its transpose."""
        with torch.no_grad():
            image = image_of(vector) - constant
        (product,) = torch.autograd.grad(constant, origin, image, retain_graph=True)
        return product

    start = tensor_of(rng.standard_normal(tuple(origin.shape)), device)
    return math.sqrt(max(_largest_eigenvalue(normal, start), 0.0))


def _largest_eigenvalue(product: Callable[[Tensor], Tensor], start: Tensor) -> float:
    """Compute the largest eigenvalue of a positive semi-definite matrix by Lanczos' iteration.

    Only three vectors are held. Without a basis to orthogonalise against, eigenvalues that have
    converged appear again, which does the largest one no harm (Paige 1980, "Accuracy and
    effectiveness of the Lanczos algorithm for the symmetric eigenproblem").

    Args:
        product: multiplies a vector by the matrix.
        start: a random vector.

    Returns:
        The eigenvalue; NaN if the matrix is not finite.

    Raises:
        GengapError: it does not converge.
    """
    vector, previous, coupling = start / start.norm(), torch.zeros_like(start), 0.0
    diagonal: list[float] = []
    couplings: list[float] = []
    for step in range(1, LANCZOS_STEPS + 1):
        image = product(vector)
        diagonal.append(float((vector * image).sum()))
        image = image - diagonal[-1] * vector - coupling * previous
        coupling = float(image.norm())
        if not math.isfinite(coupling):
            return math.nan
        complete = coupling <= LANCZOS_TOLERANCE * max(diagonal)
        if complete or step % CHECKED_EVERY == 0:
            values, vectors = eigh_tridiagonal(
                diagonal, couplings, select="i", select_range=(step - 1, step - 1)
            )
            residual = coupling * abs(float(vectors[-1, 0]))
            if complete or residual <= LANCZOS_TOLERANCE * values[0]:
                return float(values[0])
        couplings.append(coupling)
        vector, previous = image / coupling, vector
    raise GengapError(
        f"The operator norm of a convolution did not converge within {LANCZOS_STEPS} steps: "
        "look at the network's weights."
    )


def coverage(network: nn.Module) -> float:
    """Compute the share of a network's parameters that are in layers which norms know.

    Known are the layers that own a kernel, see :func:`kernels`, with their biases, and
    normalisation by batch, layer, group, instance or root mean square, with its scale and shift.
    Parameters of a module's own, such as class tokens and positions, and those of other layers are
    not known.

    Args:
        network: any network.

    Returns:
        The share, in [0, 1]; 1 for a network without parameters.
    """
    total = sum(parameter.numel() for parameter in network.parameters())
    unknown = sum(parameter.numel() for _, _, parameter in _unknown_parameters(network))
    return 1.0 - unknown / total if total else 1.0


def unknown_layers(network: nn.Module) -> list[str]:
    """List what norms do not know: layers as ``name (class)``, and parameters by name.

    Args:
        network: any network.

    Returns:
        The layers with such parameters, and the parameters of the network itself, in the order of
        registration; none if :func:`coverage` is 1.
    """
    names = [
        f"{name} ({type(network.get_submodule(name)).__name__})" if name else own
        for name, own, _ in _unknown_parameters(network)
    ]
    return list(dict.fromkeys(names))


def _unknown_parameters(network: nn.Module) -> Iterator[tuple[str, str, nn.Parameter]]:
    """Yield the parameters that norms do not know, with their layers' names and their own."""
    for name, parameter in network.named_parameters():
        # A parametrised weight is a module, and what it is made of are that module's parameters.
        owner_name, parametrised, own = name.rpartition(".parametrizations.")
        if not parametrised:
            owner_name, _, own = name.rpartition(".")
        owner = network.get_submodule(owner_name)
        known = isinstance(owner, (*KERNEL_OWNERS, *NORMALISATIONS))
        if not (known and own.startswith(KNOWN_PARAMETERS)):
            yield owner_name, own, parameter
