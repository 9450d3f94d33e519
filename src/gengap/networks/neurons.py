"""Finding the layers of any module, and where in its forward pass their neurons are read."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import activation, batchnorm, dropout, instancenorm

from gengap.errors import GengapError
from gengap.networks.outputs import first_tensor

KERNEL_AXES = 2
"""Axes that a kernel has at least: outputs and inputs."""

CONVOLUTIONS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
"""Modules whose outputs are channels first: (n, C, places...)."""

KERNEL_MODULES = (
    *CONVOLUTIONS,
    nn.Bilinear,
    nn.Embedding,
    nn.EmbeddingBag,
    nn.Linear,
    nn.MultiheadAttention,
    nn.RNNBase,
    nn.RNNCellBase,
)
"""torch's modules with a kernel."""

NORMALISATIONS = (
    batchnorm._NormBase,
    instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)
"""Modules that belong to the layer before them: they scale and shift its outputs."""

TRANSPARENT = (*NORMALISATIONS, dropout._DropoutNd, nn.Identity)
"""Modules that may stand between a layer and its activation."""


@dataclass(frozen=True)
class Place:
    """Where in a forward pass a layer's neurons are read.

    Attributes:
        path: name of the module whose output they are.
        call: which of the module's calls counts, from 0.
        axis: the axis of the inputs in that output.
        channels_first: whether the output is (n, C, places...), not (n, places..., C).
    """

    path: str
    call: int
    axis: int
    channels_first: bool


@dataclass(frozen=True)
class Call:
    """One call of a module in a forward pass.

    Attributes:
        path: the module's name.
        module: the module.
        call: how often it was called before.
        input: its first argument if that is a tensor.
        output: the first tensor that it returned.
        versions: how often the input, when it came in, and the output, when it went out, had been
            changed in place.
    """

    path: str
    module: nn.Module
    call: int
    input: Tensor | None
    output: Tensor | None
    versions: tuple[int, int]


def recorded_calls(module: nn.Module, run: Callable[[], Any]) -> tuple[list[Call], Any]:
    """Run a module and record the calls of its parts, in the order in which they return.

    Args:
        module: any module.
        run: runs it once.

    Returns:
        The calls, and what ``run`` returned.
    """
    calls: list[Call] = []
    counts: dict[str, int] = {}
    entered: list[tuple[Tensor | None, int]] = []

    def enter(_part: nn.Module, arguments: tuple[Any, ...]) -> None:
        given = arguments[0] if arguments and isinstance(arguments[0], Tensor) else None
        entered.append((given, _version(given)))

    def hook(path: str) -> Callable[..., None]:
        def leave(part: nn.Module, _arguments: tuple[Any, ...], result: Any) -> None:
            given, version = entered.pop()
            output = first_tensor(result)
            index = counts.get(path, 0)
            counts[path] = index + 1
            calls.append(Call(path, part, index, given, output, (version, _version(output))))

        return leave

    with ExitStack() as stack:
        for path, part in module.named_modules():
            if path:
                stack.callback(part.register_forward_pre_hook(enter).remove)
                stack.callback(part.register_forward_hook(hook(path)).remove)
        result = run()
    return calls, result


def _version(tensor: Tensor | None) -> int:
    """Return how often a tensor was changed in place."""
    return 0 if tensor is None or tensor.is_inference() else tensor._version


def owns_kernel(module: nn.Module) -> bool:
    """Return whether a module is a layer: it owns a kernel, a parameter of two axes or more.

    These are torch's linear maps, convolutions, embeddings, recurrent layers and attention, and
    modules of the user's own without parts that have such a parameter.
    """
    if isinstance(module, KERNEL_MODULES):
        return True
    if isinstance(module, NORMALISATIONS) or list(module.children()):
        return False
    return any(
        parameter.is_floating_point() and sum(size > 1 for size in parameter.shape) >= KERNEL_AXES
        for parameter in module.parameters(recurse=False)
    )


def find_places(
    calls: Sequence[Call], others: Sequence[Call], batches: tuple[int, int], observe: Any
) -> dict[str, Place]:
    """Decide which layers' neurons count, and where each layer is read.

    A layer is read at the activation module that follows it directly or behind normalisation,
    dropout or an identity; a layer without one at its own output. Of a module that is called
    several times the last call counts. Outputs that are the same for any number of inputs (of a
    table of positions, say) are no activations.

    Args:
        calls: the calls of a forward pass.
        others: the calls of a forward pass of another number of inputs.
        batches: the two numbers of inputs.
        observe: ``auto`` for every layer that was called, or a list of patterns of names. A
            pattern stands for the layers that it matches; if it matches none, for the other modules
            that it matches, each read at its own output.

    Returns:
        Places by the names of the layers, in the order of their last calls.

    Raises:
        GengapError: a pattern matches no module that was called, or there is no layer.
    """
    last = {call.path: position for position, call in enumerate(calls)}
    layers = [path for path in sorted(last, key=last.__getitem__) if _is_layer(calls[last[path]])]
    selected = layers if observe == "auto" else _matched(observe, layers, last)
    axes = _input_axes(calls, others, batches)
    places: dict[str, Place] = {}
    for path in sorted(selected, key=last.__getitem__):
        call = calls[last[path]]
        read = _read_at(call, calls[last[path] + 1 :]) if path in layers else call
        axis = axes.get((read.path, read.call))
        if axis is not None:
            channels_first = _channels_first(calls[: last[path] + 1], layers)
            places[path] = Place(read.path, read.call, axis, channels_first)
    if not places:
        raise GengapError(
            "The network has no layer whose outputs depend on its inputs: name modules to observe "
            f"in observe; those that were called are {_listed(last)}."
        )
    return places


def _channels_first(calls: Sequence[Call], layers: Collection[str]) -> bool:
    """Whether the last call gives (n, C, places...), as the last layer of its rank does."""
    output = calls[-1].output
    assert output is not None
    return next(
        (
            isinstance(call.module, CONVOLUTIONS)
            for call in reversed(calls)
            if call.path in layers and call.output is not None and call.output.ndim == output.ndim
        ),
        False,
    )


def _is_layer(call: Call) -> bool:
    return owns_kernel(call.module) and ".parametrizations." not in f".{call.path}."


def _matched(observe: Any, layers: Collection[str], called: Collection[str]) -> set[str]:
    if not isinstance(observe, list | tuple) or not all(isinstance(name, str) for name in observe):
        raise GengapError(f"observe is {observe!r}: give auto or a list of names of modules.")
    selected: set[str] = set()
    for pattern in observe:
        matched = fnmatch.filter(layers, pattern) or fnmatch.filter(called, pattern)
        if not matched:
            raise GengapError(
                f"observe names {pattern!r}, but no such module was called: those that were are "
                f"{_listed(called)}."
            )
        selected |= set(matched)
    return selected


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"


def _read_at(layer: Call, later: Sequence[Call]) -> Call:
    """Return the call of the activation module that follows a layer, or else the layer's own."""
    before = layer
    for call in later:
        if before.output is None or call.input is not before.output or list(call.module.children()):
            continue
        if call.versions[0] != before.versions[1]:
            return layer  # something was added to the output in between
        if _is_activation(call):
            return call
        if not isinstance(call.module, TRANSPARENT):
            return layer
        before = call
    return layer


def _is_activation(call: Call) -> bool:
    """Whether a call is that of an activation function."""
    # A module from outside torch is one if it has neither parts nor parameters and changes the
    # values of a tensor but not its shape.
    module = call.module
    origin = type(module).__module__
    if origin == activation.__name__:
        return not isinstance(module, nn.MultiheadAttention)
    if origin.startswith("torch.") or list(module.parameters()) or call.output is None:
        return False
    given = call.input
    return given is not None and given is not call.output and given.shape == call.output.shape


def _input_axes(
    calls: Sequence[Call], others: Sequence[Call], batches: tuple[int, int]
) -> dict[tuple[str, int], int]:
    """Return the axis of the inputs in the output of each call that has one.

    It is the axis whose size changes with the number of inputs, alone or times another number (the
    windows of an image, say).
    """
    shapes = {
        (call.path, call.call): call.output.shape for call in others if call.output is not None
    }
    axes: dict[tuple[str, int], int] = {}
    for call in calls:
        key = call.path, call.call
        if call.output is None or key not in shapes or len(shapes[key]) != call.output.ndim:
            continue
        sizes = list(zip(call.output.shape, shapes[key], strict=True))
        changed = [axis for axis, (one, other) in enumerate(sizes) if one != other]
        if len(changed) == 1:
            one, other = sizes[changed[0]]
            if one * batches[1] == other * batches[0] and one % batches[0] == 0:
                axes[key] = changed[0]
    return axes


def by_input(values: Tensor, axis: int, inputs: int) -> Tensor:
    """Return values with the inputs first, (inputs, ...)."""
    values = values.movedim(axis, 0) if axis else values
    return values if len(values) == inputs else values.reshape(inputs, -1, *values.shape[1:])


def as_before(values: Tensor, axis: int, like: Tensor) -> Tensor:
    """Undo :func:`by_input`: arrange values as the tensor that they came from."""
    if values.ndim != like.ndim:
        values = values.flatten(0, 1)
    return values.movedim(0, axis) if axis else values


def final_activation(calls: Sequence[Call], outputs: Tensor) -> tuple[str, Call | None] | None:
    """Find the function that makes probabilities of the logits at the end of a network.

    Args:
        calls: the calls of a forward pass.
        outputs: its outputs (n, k), with their graph where there is one.

    Returns:
        The function's name, ``softmax`` or ``sigmoid`` (of one output), and the call of its module,
        or None in place of the call where no module computes it. None if there is no such function.
    """
    single = outputs.shape[1] == 1
    kind, name = (nn.Sigmoid, "sigmoid") if single else (nn.Softmax, "softmax")
    made = _made_by(outputs)
    leaves = [call for call in calls if not list(call.module.children())]
    if made is None:
        return (name, leaves[-1]) if leaves and isinstance(leaves[-1].module, kind) else None
    if not made.startswith(f"{name.title()}Backward"):
        return None
    ends = [call for call in leaves if isinstance(call.module, kind) and _gives(call, outputs)]
    return name, ends[-1] if ends else None


def _gives(call: Call, outputs: Tensor) -> bool:
    """Whether a call gives a network's outputs, perhaps in another shape or type."""
    output = call.output
    if output is None or output.numel() != outputs.numel():
        return False
    return bool(torch.equal(output.reshape(outputs.shape).to(outputs.dtype), outputs))


def _made_by(outputs: Tensor) -> str | None:
    """Return the name of the operation that made the outputs, behind changes of shape and type."""
    node = outputs.grad_fn
    if node is None:
        return None
    shaping = ("Squeeze", "Unsqueeze", "View", "Reshape", "ToCopy", "Alias", "Unsafe", "Select")
    while node.name().startswith(shaping) and node.next_functions:
        following = node.next_functions[0][0]
        if following is None:
            break
        node = following
    return node.name()
