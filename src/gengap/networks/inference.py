"""Running a network over data: outputs in batches, predicted classes, captured activations.

All packages run networks through this module, which decides how many inputs go through a network at
once (:func:`batch_size_for`) and what one output says about two classes (:func:`class_logits`). It
also decides in which mode a network runs (:func:`evaluating`) and how the values inside it are
observed (:func:`captured`, :func:`forward_hooks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.limits import GRAPH_BYTES, LAYER_BYTES
from gengap.networks.device import device_of, dtype_of, tensor_of
from gengap.networks.differentiation import first_line
from gengap.networks.inspection import leaf_modules
from gengap.networks.layout import channels_last
from gengap.networks.network import Network
from gengap.networks.neurons import CONVOLUTIONS, owns_kernel
from gengap.networks.outputs import first_tensor, read_outputs

if TYPE_CHECKING:
    from gengap.datasets import Split

BATCH = 1024
"""Most inputs of one forward pass."""

PREDICTION_BATCH = 8192
"""Most inputs of one forward pass where only classes are kept: often points of planes and rays."""

PROBABILITIES = (nn.Softmax, nn.Sigmoid)
"""Modules that make probabilities of logits."""

UNFIT = (RuntimeError, ValueError, TypeError, IndexError)
"""What a forward pass raises where a network does not take its inputs."""
FITTING = (GengapError, torch.OutOfMemoryError)
"""Those of them that do not say so."""

Hook = Callable[[nn.Module, tuple[Any, ...], Any], Any]
"""Called with a module, its arguments and its output; what it returns, unless None, replaces the
output."""


class _Sizes(NamedTuple):
    """Numbers in the outputs inside a network for one input, the input itself among them."""

    largest: int
    together: int


# By the shape of the input.
_OUTPUT_SIZES: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], _Sizes]] = WeakKeyDictionary()


def logits(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the outputs before the final softmax or sigmoid, if the network ends in one.

    Args:
        network: any classifier.
        inputs: (n, *input_shape).

    Returns:
        (n, outputs).

    Raises:
        GengapError: the network returns no such tensor, see
            :func:`gengap.networks.outputs.read_outputs`; or it was not adopted, and returns what
            its softmax or sigmoid module gives.
    """
    if isinstance(network, Network):
        return network.logits(inputs)
    with captured(part for part in network.modules() if isinstance(part, PROBABILITIES)) as parts:
        outputs = network(inputs)
    for part, passage in parts.items():
        of_classes = isinstance(part, nn.Softmax) or passage.output.shape[1:] in ((), (1,))
        if passage.output is outputs and of_classes:
            raise GengapError(
                f"The network ends in a {type(part).__name__}, so it returns no logits: adopt it "
                "with gengap.networks.adopt, which takes what comes before."
            )
    return read_outputs(outputs)


def class_logits(outputs: Tensor) -> Tensor:
    """Return one logit per class: a single output z stands for the logits (0, z) of two classes.

    Args:
        outputs: logits (n, k).

    Returns:
        (n, 2) if k is 1, otherwise ``outputs`` themselves.
    """
    if outputs.shape[1] == 1:
        return torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    return outputs


def predictions(outputs: Tensor) -> Tensor:
    """Return the class (n,) with the largest logit; of a single output, whether it is above 0."""
    return class_logits(outputs).argmax(1)


def penultimate(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the input of the layer that is called last, flattened in the order H, W, C.

    Args:
        network: any network with a layer that owns a kernel; it runs in eval mode.
        inputs: (n, *input_shape).

    Returns:
        (n, features).

    Raises:
        GengapError: there is no such layer, or its input is not one row for each input.
    """
    last, passage = _last_passage(network, inputs)
    features = None if passage is None else passage.input
    if not isinstance(features, Tensor) or len(features) != len(inputs):
        raise GengapError(
            f"The last layer of the network, a {type(last).__name__}, does not take one row of "
            "features for each input, so there are no penultimate features: end in a linear layer."
        )
    return (channels_last(features) if isinstance(last, CONVOLUTIONS) else features).flatten(1)


def last_layer(network: nn.Module, inputs: Tensor) -> nn.Module | None:
    """Return the layer that owns a kernel and is called last.

    Args:
        network: any network; it runs in eval mode.
        inputs: (n, *input_shape).

    Returns:
        The layer, whose input is :func:`penultimate`; None if there is none.
    """
    with torch.no_grad():
        return _last_passage(network, inputs)[0]


def _last_passage(network: nn.Module, inputs: Tensor) -> tuple[nn.Module | None, Passage | None]:
    layers = filter(owns_kernel, network.modules())
    with evaluating(network), captured(layers) as passages:
        logits(network, inputs)
    return next(reversed(passages.items()), (None, None))


def parameter_count(network: nn.Module) -> int:
    """Return the number of all parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into eval mode; afterwards each of its modules is in its own mode again."""
    modes = [(module, module.training) for module in network.modules()]
    # Setting a mode takes longer than a small network's forward pass.
    if any(training for _, training in modes):
        network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            if module.training != training:
                module.training = training


@contextmanager
def forward_hooks(modules: Iterable[nn.Module], hook: Hook) -> Iterator[None]:
    """Call a hook after each forward pass of any of these modules, until the block is left.

    Args:
        modules: the modules to watch.
        hook: called with a module, its arguments and its output.

    Yields:
        Nothing.
    """
    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(hook).remove)
        yield


class Passage(NamedTuple):
    """What went through a module in a forward pass.

    Attributes:
        input: its first argument.
        output: what it returned; of a tuple the first tensor.
    """

    input: Tensor
    output: Tensor


@contextmanager
def captured(modules: Iterable[nn.Module]) -> Iterator[dict[nn.Module, Passage]]:
    """Keep what goes through modules while a network runs, with its graph if there is one.

    Args:
        modules: those to watch. If a module runs several times, its last passage is kept.

    Yields:
        A mapping, which forward passes inside the block fill, in the order of the last calls.
    """
    passages: dict[nn.Module, Passage] = {}

    def remember(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        tensor = first_tensor(output)
        passages.pop(module, None)  # so that the order is that of the last calls
        passages[module] = Passage(arguments[0], output if tensor is None else tensor)

    with forward_hooks(modules, remember):
        yield passages


def output_sizes(
    network: nn.Module, inputs: Tensor, function: Callable[[nn.Module, Tensor], Any] = logits
) -> list[int]:
    """Return how many numbers each module without parts outputs, in the order of the calls.

    Args:
        network: any network; it runs in eval mode.
        inputs: (n, *input_shape).
        function: runs the network.

    Returns:
        One size for each call of a module, for all n inputs together.
    """
    sizes: list[int] = []

    def measure(_module: nn.Module, _arguments: tuple[Any, ...], output: Any) -> None:
        tensor = first_tensor(output)
        sizes.append(0 if tensor is None else tensor.numel())

    with evaluating(network), forward_hooks(leaf_modules(network), measure):
        function(network, inputs)
    return sizes


@contextmanager
def stating_inputs(network: nn.Module, inputs: np.ndarray | Tensor) -> Iterator[None]:
    """Say which inputs a network does not take, where its forward pass fails in the block.

    Args:
        network: any network; one that was adopted or built says so by itself.
        inputs: (n, *input_shape), those that it is given.

    Yields:
        Nothing.

    Raises:
        GengapError: the forward pass fails.
        Exception: the error itself, if the network says so, or memory ran out.
    """
    try:
        yield
    except Exception as error:
        own = isinstance(network, Network)
        if own or not isinstance(error, UNFIT) or isinstance(error, FITTING):
            raise
        raise GengapError(
            f"The network, a {type(network).__name__}, does not take inputs of shape "
            f"{list(inputs.shape[1:])} ({first_line(error)}): adopt it with "
            "gengap.networks.adopt, which states their layout."
        ) from error


def batch_size_for(
    network: nn.Module,
    inputs: np.ndarray | Tensor,
    limit: int = BATCH,
    *,
    keeps_graph: bool = False,
) -> int:
    """Return how many inputs may go through a network at once.

    Args:
        network: any classifier.
        inputs: (n, *input_shape), n at least 1; the first one goes through the network to measure
            its layers, once for each network and shape.
        limit: the largest number.
        keeps_graph: whether a gradient is taken, so that all outputs are kept.

    Returns:
        The limit, or fewer where the largest output inside the network, or the input itself, would
        take more than :data:`gengap.limits.LAYER_BYTES`, or all outputs of a graph together more
        than :data:`gengap.limits.GRAPH_BYTES`; at least 1.
    """
    shape = tuple(inputs.shape[1:])
    known = _OUTPUT_SIZES.setdefault(network, {})
    if shape not in known:
        _, example = next(input_batches(network, inputs, 1))
        with torch.no_grad(), evaluating(network), stating_inputs(network, inputs):
            sizes = [example.numel(), *output_sizes(network, example)]
        known[shape] = _Sizes(max(sizes), sum(sizes))
    itemsize = dtype_of(network).itemsize
    most = LAYER_BYTES // (known[shape].largest * itemsize)
    if keeps_graph:
        most = min(most, GRAPH_BYTES // (known[shape].together * itemsize))
    return max(1, min(limit, most))


def input_batches(
    network: nn.Module, inputs: np.ndarray | Tensor, size: int
) -> Iterator[tuple[slice, Tensor]]:
    """Yield inputs in batches, on the network's device and in the type of its weights.

    Args:
        network: the network that takes the batches.
        inputs: (n, *input_shape). An array is copied batch by batch; batches of a tensor that has
            the device and type already are views.
        size: inputs in a batch; the last one takes the rest.

    Yields:
        The rows of a batch, and its inputs (b, *input_shape).
    """
    device, dtype = device_of(network), dtype_of(network)
    for start in range(0, len(inputs), size):
        rows = slice(start, min(start + size, len(inputs)))
        batch = inputs[rows] if isinstance(inputs, Tensor) else tensor_of(inputs[rows], device)
        yield rows, batch.to(device, dtype if batch.is_floating_point() else batch.dtype)


def batched_outputs(
    network: nn.Module,
    data: Split | np.ndarray | Tensor,
    function: Callable[[nn.Module, Tensor], Tensor] = logits,
    *,
    batch_size: int = BATCH,
) -> Tensor:
    """Run a network over any number of inputs, in eval mode and without gradients.

    Args:
        network: any classifier; its mode is as before afterwards.
        data: a split, or inputs (n, *input_shape).
        function: what is computed of a batch, ``(network, inputs (b, *input_shape))`` to (b, ...):
            :func:`logits`, :func:`penultimate`, ...
        batch_size: most inputs of one forward pass, see :func:`batch_size_for`.

    Returns:
        (n, ...), on the network's device.

    Raises:
        GengapError: the data hold no inputs, or inputs that do not fit the network.
    """
    inputs = data if isinstance(data, np.ndarray | Tensor) else getattr(data, "inputs", None)
    if not isinstance(inputs, np.ndarray | Tensor):
        raise GengapError(
            f"The inputs are a {type(data).__name__}: give an array (n, ...), as numpy.asarray "
            "makes it, a tensor or a Split."
        )
    if len(inputs) == 0:
        raise GengapError("There are no inputs to run the network on: give at least one.")
    size = batch_size_for(network, inputs, batch_size)
    with torch.no_grad(), evaluating(network):
        return torch.cat(
            [function(network, batch) for _, batch in input_batches(network, inputs, size)]
        )


def predicted_classes(
    network: nn.Module,
    data: Split | np.ndarray | Tensor,
    *,
    batch_size: int = PREDICTION_BATCH,
) -> NDArray[np.int64]:
    """Return the class that a network predicts for each input.

    Args:
        network: any classifier.
        data: a split, or inputs (n, *input_shape).
        batch_size: most inputs of one forward pass.

    Returns:
        (n,), see :func:`predictions`.
    """
    return batched_outputs(network, data, _classes, batch_size=batch_size).numpy(force=True)


def _classes(network: nn.Module, inputs: Tensor) -> Tensor:
    return predictions(logits(network, inputs))
