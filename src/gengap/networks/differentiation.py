"""What it takes to differentiate any network: which parameters count, and exact derivatives."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from gengap.errors import GengapError
from gengap.networks.device import device_of, tensor_of

CountedParameters = Literal["trainable", "all"]
"""Which parameters count: those with ``requires_grad`` (all, if none has it), or all."""

OUTPUT_AXES = 2
"""Axes of a batch of outputs: inputs and units."""


def counted_parameters(
    network: nn.Module, parameters: CountedParameters = "trainable"
) -> dict[str, nn.Parameter]:
    """Return the parameters that count, by name, in the order of ``network.parameters()``.

    Args:
        network: any network.
        parameters: ``trainable`` for those with ``requires_grad``, or all where none has it;
            ``all`` for frozen ones too.

    Returns:
        The network's own parameters; at least one.

    Raises:
        GengapError: ``parameters`` is neither word, or the network has no parameter.
    """
    if parameters not in ("trainable", "all"):
        raise GengapError(f"'parameters' is {parameters!r}: choose 'trainable' or 'all'.")
    named = dict(network.named_parameters())
    if not named:
        raise GengapError(
            f"The network, a {type(network).__name__}, has no parameter, so it has no derivative "
            "in them: give a network with weights."
        )
    trainable = {name: value for name, value in named.items() if value.requires_grad}
    return trainable if trainable and parameters == "trainable" else named


@contextmanager
def counting(network: nn.Module, parameters: CountedParameters) -> Iterator[None]:
    """Let just the parameters that count require gradients; afterwards each has its own flag again.

    Args:
        network: any network.
        parameters: see :func:`counted_parameters`.

    Yields:
        Nothing.
    """
    counted = counted_parameters(network, parameters)
    flags = [(value, value.requires_grad) for value in network.parameters()]
    try:
        for name, value in network.named_parameters():
            value.requires_grad_(name in counted)
        yield
    finally:
        for value, flag in flags:
            value.requires_grad_(flag)


def differentiable_copy(
    network: nn.Module, parameters: CountedParameters, dtype: torch.dtype
) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    """Copy a network in eval mode, where just the parameters that count require gradients.

    Args:
        network: any network; it is not changed.
        parameters: see :func:`counted_parameters`.
        dtype: type of the copy's parameters and buffers.

    Returns:
        The copy, and its parameters that count by name.

    Raises:
        GengapError: the network was compiled, which leaves it without second derivatives.
    """
    names = counted_parameters(network, parameters)
    if hasattr(network, "_orig_mod"):
        raise GengapError(
            "The network was compiled by torch.compile, which leaves no second derivatives: give "
            "the module that was compiled."
        )
    with _without_graphs(network):
        copied = copy.deepcopy(network).to(dtype).eval()
    for name, value in copied.named_parameters():
        value.requires_grad_(name in names)
    return copied, {name: value for name, value in copied.named_parameters() if name in names}


@contextmanager
def _without_graphs(network: nn.Module) -> Iterator[None]:
    """Detach weights that hooks (of pruning, say) compute in each pass; graphs cannot be copied."""
    computed = [
        (module, name, value)
        for module in network.modules()
        for name, value in vars(module).items()
        if isinstance(value, Tensor) and not value.is_leaf
    ]
    for module, name, value in computed:
        vars(module)[name] = value.detach()
    try:
        yield
    finally:
        for module, name, value in computed:
            vars(module)[name] = value


def full_precision(network: nn.Module) -> nn.Module:
    """Return a network whose weights have at least 32 bits.

    Args:
        network: any network; it is not changed.

    Returns:
        The network itself, or, where a parameter is float16 or bfloat16, a copy in float32, which
        is the same function up to the rounding of its activations.
    """
    half = any(value.dtype in (torch.float16, torch.bfloat16) for value in network.parameters())
    if not half:
        return network
    with _without_graphs(network):
        return copy.deepcopy(network).float()


@contextmanager
def twice_differentiable(network: nn.Module) -> Iterator[None]:
    """Let forward passes use only kernels of torch whose gradients can be differentiated again.

    The fused kernels of attention have no second derivative, and cuDNN's recurrent layers have no
    derivative at all in eval mode. Torch's other kernels compute the same.

    Args:
        network: the network that runs.

    Yields:
        Nothing.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    cudnn = torch.backends.cudnn
    with ExitStack() as stack:
        if any(isinstance(module, nn.RNNBase) for module in network.modules()):
            own = {"benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
            stack.enter_context(cudnn.flags(enabled=False, allow_tf32=cudnn.allow_tf32, **own))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        yield


def over_inputs(
    one: Callable[[dict[str, Tensor], Tensor, Tensor], Tensor],
    parameters: dict[str, Tensor],
    inputs: Tensor,
    others: Tensor,
) -> dict[str, Tensor]:
    """Compute the gradient in the parameters of a function of each input, for all inputs.

    The inputs go through together (``torch.func.vmap``), or one by one where a part of the network,
    such as a recurrent layer, cannot do so; the gradients are the same.

    Args:
        one: maps parameters by name, an input (*input_shape) and a row of ``others`` to a number.
        parameters: where gradients are taken, detached.
        inputs: (n, *input_shape).
        others: (n, ...).

    Returns:
        Gradients (n, *shape) by the parameters' names; differentiable in inputs and others.

    Raises:
        GengapError: a part of the network is random, or cannot be differentiated.
    """
    try:
        with warnings.catch_warnings():
            # Torch says of some layers that they are slower than they could be.
            warnings.filterwarnings("ignore", message="There is a performance drop")
            gradients: dict[str, Tensor] = torch.func.vmap(
                torch.func.grad(one), in_dims=(None, 0, 0), randomness="error"
            )(parameters, inputs, others)
    except GengapError:
        raise
    except Exception as error:  # whatever cannot go through together may do so one by one
        if "randomness" in str(error):
            raise GengapError(
                "The network is random in eval mode, so it has no gradients to speak of: let its "
                "forward pass draw numbers in training mode only."
            ) from error
        return _one_by_one(one, parameters, inputs, others)
    return gradients


def _one_by_one(
    one: Callable[[dict[str, Tensor], Tensor, Tensor], Tensor],
    parameters: dict[str, Tensor],
    inputs: Tensor,
    others: Tensor,
) -> dict[str, Tensor]:
    again = torch.is_grad_enabled() and (inputs.requires_grad or others.requires_grad)
    leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    rows = []
    try:
        with torch.enable_grad():
            for single, other in zip(inputs, others, strict=True):
                value = one(leaves, single, other)
                if not value.requires_grad:
                    rows.append(tuple(torch.zeros_like(leaf) for leaf in leaves.values()))
                    continue
                rows.append(
                    torch.autograd.grad(
                        value, list(leaves.values()), create_graph=again, materialize_grads=True
                    )
                )
    except RuntimeError as error:
        raise GengapError(
            "The network has a part that cannot be differentiated for single inputs "
            f"({first_line(error)}): replace it."
        ) from error
    return {
        name: torch.stack(parts)
        for name, parts in zip(leaves, zip(*rows, strict=True), strict=True)
    }


def input_array(inputs: Any) -> np.ndarray:
    """Return inputs as an array of numbers.

    Args:
        inputs: an array (n, *input_shape), or what NumPy makes one of: a list, a table, a tensor.

    Returns:
        The array itself, if it is one of numbers.

    Raises:
        GengapError: there are no inputs, an entry is no finite number, or the rows are uneven.
    """
    try:
        array = np.asarray(inputs)
    except (ValueError, TypeError, RuntimeError) as error:
        raise GengapError(
            f"The inputs are no array ({first_line(error)}): give one of shape (n, *input_shape)."
        ) from error
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise GengapError(
            f"The inputs are an array of {array.dtype} of shape {list(array.shape)}: give numbers "
            "of shape (n, *input_shape)."
        )
    if len(array) == 0 or not np.isfinite(array).all():
        raise GengapError(
            f"The inputs of shape {list(array.shape)} are empty or hold NaN or infinity: "
            "give at least one, and repair or remove those."
        )
    return array


def weight_type(network: nn.Module) -> torch.dtype:
    """Return the type of a network's first parameter of a floating-point type."""
    kinds = (value.dtype for value in network.parameters() if value.is_floating_point())
    return next(kinds, torch.float32)


def input_tensor(network: nn.Module, inputs: np.ndarray) -> Tensor:
    """Bring inputs to a network's device and to the type that it takes.

    Args:
        network: any network.
        inputs: (n, *input_shape), numbers.

    Returns:
        Tokens as int64, where the network takes integers; anything else in the type of the weights.
    """
    tensor = tensor_of(inputs, device_of(network))
    if tensor.is_floating_point() or not _takes_integers(network, tensor[:1].long()):
        return tensor.to(weight_type(network))
    return tensor.long()


def _takes_integers(network: nn.Module, example: Tensor) -> bool:
    try:
        with torch.no_grad():
            network(example)
    except Exception:  # whatever a foreign forward pass raises, it does not take them
        return False
    return True


def check_outputs(outputs: Any) -> Tensor:
    """Refuse outputs that are not one row of numbers for each input.

    Args:
        outputs: what a network returned.

    Returns:
        The outputs (n, k).

    Raises:
        GengapError: they are no tensor, or have another shape.
    """
    if not isinstance(outputs, Tensor):
        raise GengapError(
            f"The network returns a {type(outputs).__name__} instead of a tensor of outputs: adopt "
            "it with gengap.networks.adopt, whose 'logits' says which part counts."
        )
    if outputs.ndim != OUTPUT_AXES:
        raise GengapError(
            f"The network's outputs have the shape {list(outputs.shape)} instead of one row of "
            "numbers per input: give its last layer one unit per class, or adopt it with "
            "gengap.networks.adopt, whose 'logits' says which part counts."
        )
    return outputs


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, without its full stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
