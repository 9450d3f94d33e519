"""Folding batch normalisation into the kernel before it, so that equal functions look equal.

In eval mode batch normalisation is the affine map a x + b of each channel, with a = gamma /
sqrt(var + eps) and b = beta - a mean. Norms of a network's weights see the same function whether
this map stands alone or is part of the kernel before it, if it is folded first.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_leaves

from gengap.networks.inference import forward_hooks

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED_CONVOLUTIONS = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
FOLDED_INTO = (nn.Linear, *CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS)
"""Layers that batch normalisation is folded into; not their subclasses, which compute their own."""

REORDERINGS = ("PermuteBackward0", "TransposeBackward0")
"""Nodes of torch's graph between a kernel and its batch normalisation that move axes only."""


class ChannelAffine(nn.Module):
    """A map a x + b of each channel: batch normalisation in eval mode, with its statistics.

    Attributes:
        weight: a, (channels,).
        bias: b, (channels,).
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (n, channels, ...)."""
        shape = (-1, *[1] * (inputs.ndim - 2))
        return inputs * self.weight.reshape(shape) + self.bias.reshape(shape)


def folded(network: nn.Module, example: Tensor) -> nn.Module:
    """Fold each batch normalisation into the kernel directly before it.

    The kernel is a linear layer or a convolution, transposed or not, whose output goes to the batch
    normalisation and nowhere else. Its weight is scaled by channel, and its bias takes the shift; a
    layer without bias gets one. The batch normalisation becomes the identity. Any other one (before
    an activation and its convolution, after a sum, after a kernel with parametrised or shared
    weights) becomes a :class:`ChannelAffine`, a layer of its own. A parameter that results may be
    trained if one of those that it was made of may be.

    Args:
        network: any network; it is not changed.
        example: one input (1, *input_shape), which shows what follows on what.

    Returns:
        A copy in eval mode that computes the same function; the network itself if there is nothing
        to fold. Batch normalisation without running statistics, or that is not called, stays.
    """
    present = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    }
    if not present:
        return network
    kernel_names, called = _kernels_before(network, example, present)
    copied = copy.deepcopy(network).eval()
    for name in called:
        normalisation = copied.get_submodule(name)
        scale, shift = _affine(normalisation)
        if name in kernel_names:
            _absorb(copied.get_submodule(kernel_names[name]), normalisation, scale, shift)
            _replace(copied, normalisation, nn.Identity())
        else:
            _replace(copied, normalisation, _alone(normalisation, scale, shift))
    return copied.eval()


@dataclass(frozen=True, eq=False)
class _Output:
    """What a kernel returned: the kernel's name, the tensor, and its node in torch's graph."""

    name: str
    tensor: Tensor
    axis: int


def _kernels_before(
    network: nn.Module, example: Tensor, normalisations: Iterable[str]
) -> tuple[dict[str, str], list[str]]:
    """Find the kernel that each batch normalisation is folded into, by their names.

    Returns:
        The kernels' names by those of the batch normalisations that follow them, and the names of
        all batch normalisations that were called.
    """
    traced = copy.deepcopy(network).eval().requires_grad_()
    names = {module: name for name, module in traced.named_modules()}
    kernels = [module for module in names if _is_plain(module, traced)]
    watched = [traced.get_submodule(name) for name in normalisations]
    calls: Counter[nn.Module] = Counter()
    outputs: dict[Any, _Output] = {}
    inputs: dict[str, Tensor] = {}

    def remember(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        calls[module] += 1
        if isinstance(module, _BatchNorm):
            inputs[names[module]] = arguments[0]
        else:
            axis = output.ndim - 1 if isinstance(module, nn.Linear) else 1
            # A detached view keeps the shape and the memory; the graph's node is the key.
            outputs[output.grad_fn] = _Output(names[module], output.detach(), axis)

    with torch.enable_grad(), forward_hooks([*kernels, *watched], remember):
        result = traced(example)
    users = _users(part for part in tree_leaves(result) if isinstance(part, Tensor))
    pairs = {
        name: output.name
        for name, values in inputs.items()
        if (output := _origin(values, outputs, users)) is not None
        and calls[traced.get_submodule(name)] == calls[traced.get_submodule(output.name)] == 1
    }
    return pairs, list(inputs)


def _is_plain(module: nn.Module, network: nn.Module) -> bool:
    """Whether a module is a kernel with a weight that belongs to it alone."""
    if type(module) not in FOLDED_INTO or module._parameters.get("weight") is None:
        return False
    weights = (p for _, p in network.named_parameters(remove_duplicate=False))
    return sum(parameter is module.weight for parameter in weights) == 1


def _users(results: Iterable[Tensor]) -> Counter[Any]:
    """Count, for each node of the graph of some results, the nodes that take its output."""
    pending = [result.grad_fn for result in results if result.grad_fn is not None]
    users: Counter[Any] = Counter()
    seen = set(pending)
    while pending:
        for node, _ in pending.pop().next_functions:
            if node is None:
                continue
            users[node] += 1
            if node not in seen:
                seen.add(node)
                pending.append(node)
    return users


def _origin(values: Tensor, outputs: dict[Any, _Output], users: Counter[Any]) -> _Output | None:
    """Return the kernel's output that a batch normalisation alone takes, with the same channels."""
    node = values.grad_fn
    while node is not None and users[node] == 1:
        if node in outputs:
            output = outputs[node]
            whole = output.tensor
            same = (
                values.data_ptr() == whole.data_ptr()
                and values.shape[1] == whole.shape[output.axis]
                and values.stride(1) == whole.stride(output.axis)
            )
            return output if same else None
        if type(node).__name__ not in REORDERINGS:
            return None
        node = node.next_functions[0][0]
    return None


@torch.no_grad()
def _affine(normalisation: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the scale and the shift (channels,) of batch normalisation in eval mode, float64."""
    assert isinstance(normalisation, _BatchNorm)
    mean, variance = normalisation.running_mean, normalisation.running_var
    assert mean is not None
    assert variance is not None
    scale = (variance.double() + normalisation.eps).rsqrt()
    if normalisation.weight is not None:
        scale = scale * normalisation.weight.double()
    shift = -mean.double() * scale
    if normalisation.bias is not None:
        shift = shift + normalisation.bias.double()
    return scale, shift


@torch.no_grad()
def _absorb(kernel: nn.Module, normalisation: nn.Module, scale: Tensor, shift: Tensor) -> None:
    """Scale a kernel's weight by channel, and move its bias."""
    assert isinstance(kernel, FOLDED_INTO)
    weight = kernel.weight
    values = weight.double()
    if isinstance(kernel, TRANSPOSED_CONVOLUTIONS):
        # (in, out / groups, *window): each group of inputs has outputs of its own.
        grouped = values.reshape(kernel.groups, -1, *values.shape[1:])
        factors = scale.reshape(kernel.groups, 1, -1, *[1] * (values.ndim - 2))
        weight.copy_((grouped * factors).reshape(values.shape))
    else:
        weight.copy_(values * scale.reshape(-1, *[1] * (values.ndim - 1)))
    bias = shift if kernel.bias is None else shift + kernel.bias.double() * scale
    may_train = _may_train(kernel.bias) or _may_train(normalisation.bias)
    kernel.bias = nn.Parameter(bias.to(weight.dtype), requires_grad=may_train)
    weight.requires_grad_(_may_train(weight) or _may_train(normalisation.weight))


def _alone(normalisation: nn.Module, scale: Tensor, shift: Tensor) -> ChannelAffine:
    """Make the layer that computes what batch normalisation does in eval mode."""
    assert isinstance(normalisation, _BatchNorm)
    assert normalisation.running_mean is not None
    kind = normalisation.running_mean.dtype
    layer = ChannelAffine(scale.to(kind), shift.to(kind))
    layer.weight.requires_grad_(_may_train(normalisation.weight))
    layer.bias.requires_grad_(_may_train(normalisation.bias))
    return layer


def _may_train(parameter: Any) -> bool:
    return isinstance(parameter, Tensor) and parameter.requires_grad


def _replace(network: nn.Module, module: nn.Module, substitute: nn.Module) -> None:
    """Put a module in the place of another, under each of its names."""
    places = [
        name for name, part in network.named_modules(remove_duplicate=False) if part is module
    ]
    for name in places:
        parent, _, last = name.rpartition(".")
        setattr(network.get_submodule(parent), last, substitute)
