"""Adopting any torch module as a network: channels-last inputs, (n, outputs), observed layers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gengap.errors import GengapError
from gengap.networks.device import device_of, dtype_of
from gengap.networks.differentiation import full_precision
from gengap.networks.inference import evaluating
from gengap.networks.inspection import refuse_torchscript
from gengap.networks.layout import keep_within_memory
from gengap.networks.network import Network
from gengap.networks.neurons import (
    Place,
    as_before,
    by_input,
    final_activation,
    find_places,
    owns_kernel,
    recorded_calls,
)
from gengap.networks.outputs import first_tensor, read_outputs

if TYPE_CHECKING:
    from gengap.datasets import Split

logger = logging.getLogger(__name__)

LAYOUTS = ("channels_first", "channels_last")
"""Layouts of the inputs that a module takes."""

EXAMPLE_INPUTS = 3
"""Inputs of an example that run through a module when it is adopted."""

WHOLE = "whole"
"""Name of a module within its network where its parts cannot take their own names."""

Logits = Callable[[Any], Tensor]
"""Makes the outputs (n, k) of what a module returns."""


def adopt(
    module: nn.Module,
    example: Split | np.ndarray | Tensor,
    *,
    layout: str | None = None,
    outputs: int | None = None,
    observe: str | Sequence[str] = "auto",
    logits: Logits | None = None,
) -> Network:
    """Make a network of any torch module, so that measures can take it.

    The network shares the module's parameters and computes what the module computes. A module in
    half precision is the exception: the network is a float32 copy of it, whose weights are the
    same numbers, since losses, gradients and norms need more digits. The mode of the module becomes
    eval. Wrappers (``DataParallel``, ``torch.compile``, averaged models) are taken off. Parts that
    oneDNN computes wrongly get a hook, see :func:`gengap.networks.layout.keep_within_memory`.

    Args:
        module: takes a batch of inputs and returns a tensor (n, k), or (n,) of one output, or a
            tuple or list whose first tensor is that, or a dataclass or mapping with ``logits``.
        example: some inputs as in :class:`gengap.datasets.Split`, channels last whatever the
            layout: float (n, H, W, C), (n, length, channels), (n, d), ... or int64 tokens (n,
            length). Up to 3 of them run through the module.
        layout: what the module takes, ``channels_first`` or ``channels_last``; vectors and tokens
            need none. Left out, it is recognised if the example runs in one layout alone.
        outputs: number of outputs, checked if given.
        observe: which layers' activations count as neurons: ``auto`` (every module with a kernel
            that is called) or names of modules, in which ``*`` and ``?`` are wildcards. See
            :func:`gengap.networks.neurons.find_places` for where a layer is read.
        logits: makes a tensor (n, k) of what the module returns.

    Returns:
        The network, in eval mode. Its layers, weights and ``state_dict`` keep the module's names.

    Raises:
        GengapError: the module cannot run the example, its outputs are no such thing, the layout
            is ambiguous, or no layer can be observed.
    """
    inputs = _example_inputs(example)
    module = unwrapped(module)
    if isinstance(module, Network):
        module.check_inputs(inputs.shape)
        return module.eval()
    dtype_of(module)  # refuses a module without weights
    precise = full_precision(module)
    if precise is not module:
        logger.info("%s is in half precision: a float32 copy is measured.", type(module).__name__)
    module = precise
    network = AdoptedNetwork(module, tuple(inputs.shape[1:]), _input_type(inputs), logits)
    network.layout = _resolved_layout(network, inputs, layout)
    network.observe(inputs, observe)
    keep_within_memory(module)
    if outputs is not None and outputs != network.outputs:
        raise GengapError(
            f"{network.kind} gives {network.outputs} outputs, not the {outputs} that are stated: "
            "correct outputs, or the arguments that the network is made with."
        )
    network.spec = {"adopted": network.kind, **network.stated()}
    return network.eval()


class AdoptedNetwork(Network):
    """A network around a torch module that was made elsewhere.

    The module's parts and parameters are the network's own under the same names, so that both have
    one ``state_dict``. Only a module that is itself a layer, or has a part named like an attribute
    of networks, is a part of its own, called ``whole``.

    Each observed layer is read through a probe, an identity module that the layer's output passes
    (the first tensor of a tuple, inputs first) while a hook is on the probe. So a layer can be
    observed, and its output replaced, whether its activation module is shared or its axes are in
    another order.

    Attributes:
        input_type: ``float32``, or ``int64`` for tokens.
        layout: ``channels_first`` or ``channels_last``; None for vectors and tokens.
        kind: name of the module's class.
    """

    def __init__(
        self,
        module: nn.Module,
        input_shape: tuple[int, ...],
        input_type: str,
        logits: Logits | None = None,
    ) -> None:
        super().__init__(input_shape)
        self.input_type = input_type
        self.layout: str | None = None
        self.kind = type(module).__name__
        self.outputs = 0
        self._read = logits
        self._places: dict[str, Place] = {}
        self._final: tuple[str, int] | None = None
        # Past nn.Module, which would make parts of them.
        self.__dict__["_module"] = module
        self.__dict__["_probes"] = {}
        named = [*module._parameters, *module._buffers, *module._modules]
        if owns_kernel(module) or any(hasattr(self, name) for name in named):
            self.add_module(WHOLE, module)
        else:
            self._parameters = module._parameters
            self._buffers = module._buffers
            self._non_persistent_buffers_set = module._non_persistent_buffers_set
            self._modules = module._modules

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, outputs) for inputs (n, *input_shape), channels last."""
        return self._outputs(inputs, final=True)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, outputs) before the final activation, if there is one."""
        return self._outputs(inputs, final=self._final is None)

    def check_inputs(self, shape: Sequence[int]) -> None:
        """Refuse a batch whose shape is not (n, *input_shape)."""
        if tuple(shape[1:]) != self.input_shape:
            raise GengapError(
                f"The network {self.kind} was adopted for inputs of shape "
                f"{list(self.input_shape)}, channels last, not {list(shape[1:])}: adopt it with an "
                "example of these inputs, or transform them."
            )

    def observed_module(self, name: str) -> nn.Module:
        """Return the probe that an observed layer's output passes."""
        probe: nn.Module = self.__dict__["_probes"][name]
        return probe

    def stated(self) -> dict[str, Any]:
        """Return what the network was adopted with, as JSON-serialisable values."""
        layout = {} if self.layout is None else {"layout": self.layout}
        return {
            **layout,
            "input_shape": list(self.input_shape),
            "input_type": self.input_type,
            "outputs": self.outputs,
            "observe": list(self.observed),
        }

    def observe(self, inputs: Tensor, observe: str | Sequence[str]) -> None:
        """Find the observed layers, the number of outputs and the final activation.

        Args:
            inputs: (n, *input_shape), n at least 3.
            observe: ``auto`` or patterns of names.

        Raises:
            GengapError: the module cannot run the inputs, or there is no such layer.
        """
        if WHOLE in self._modules and not isinstance(observe, str):
            observe = [
                name if name.split(".")[0] == WHOLE else f"{WHOLE}.{name}" for name in observe
            ]
        with torch.enable_grad():
            calls, outputs = recorded_calls(self, lambda: self._tried(inputs))
        # Last without a graph, which weights that hooks compute (of pruning, say) would hold on to.
        with torch.no_grad():
            others, _ = recorded_calls(self, lambda: self._tried(inputs[1:]))
        if len(outputs) != len(inputs):
            raise GengapError(
                f"{self.kind} gives {len(outputs)} rows of outputs for {len(inputs)} inputs: "
                "make it return one row for each input."
            )
        self.outputs = outputs.shape[1]
        self._places = find_places(calls, others, (len(inputs), len(inputs) - 1), observe)
        self.observed = {name: place.path for name, place in self._places.items()}
        self.channels_last = frozenset(
            name for name, place in self._places.items() if not place.channels_first
        )
        self.__dict__["_probes"] = {name: nn.Identity() for name in self._places}
        final = None if self._read else final_activation(calls, outputs)
        if final:
            self.final_activation, call = final
            if call is None:
                raise GengapError(
                    f"{self.kind} ends in the function {self.final_activation}, so its outputs are "
                    "probabilities: return the logits, or make the function a module of its own "
                    f"(nn.{self.final_activation.title()}), which is left out where logits count."
                )
            self._final = call.path, call.call

    def runs(self, inputs: Tensor, layout: str | None) -> Exception | None:
        """Try inputs in a layout; return the exception that the module raised, or None."""
        self.layout = layout
        try:
            with torch.no_grad(), evaluating(self):
                self._outputs(inputs, final=True)
        except Exception as error:
            return error
        return None

    def _tried(self, inputs: Tensor) -> Tensor:
        """Run the module in eval mode, and say which module it is that fails."""
        inputs = inputs.detach().to(device_of(self), self._type_of(inputs))
        if inputs.is_floating_point():
            inputs.requires_grad_()
        try:
            with evaluating(self):
                return self._outputs(inputs, final=True)
        except GengapError:
            raise
        except Exception as error:
            raise _refusal(self, inputs, error) from error

    def _type_of(self, inputs: Tensor) -> torch.dtype:
        return dtype_of(self) if inputs.is_floating_point() else inputs.dtype

    def _outputs(self, inputs: Tensor, *, final: bool) -> Tensor:
        self.check_inputs(inputs.shape)
        if inputs.is_floating_point() == (self.input_type == "int64"):
            raise GengapError(
                f"The network {self.kind} was adopted for {self.input_type} inputs, not "
                f"{inputs.dtype}: give inputs of that type."
            )
        module: nn.Module = self.__dict__["_module"]
        # The module is no part of the network where the two share their parts.
        module.training = self.training
        values = inputs.movedim(-1, 1) if self.layout == "channels_first" else inputs
        with self._reading(len(inputs), final):
            result = module(values.to(self._type_of(inputs)))
        return read_outputs(self._read(result) if self._read else result)

    @contextmanager
    def _reading(self, inputs: int, final: bool) -> Iterator[None]:
        """Send observed outputs through probes, and leave out the final activation."""
        probes: dict[str, nn.Module] = self.__dict__["_probes"]
        heard = {
            name: self._places[name]
            for name, probe in probes.items()
            if probe._forward_hooks or probe._forward_pre_hooks
        }
        paths = {place.path for place in heard.values()}
        if not final and self._final:
            paths.add(self._final[0])
        counts = dict.fromkeys(paths, 0)

        def hook(path: str) -> Callable[..., Any]:
            def replace(_module: nn.Module, arguments: tuple[Any, ...], result: Any) -> Any:
                call = counts[path]
                counts[path] += 1
                if not final and (path, call) == self._final:
                    result = arguments[0]
                for name, place in heard.items():
                    if (place.path, place.call) == (path, call):
                        result = _through(probes[name], result, place.axis, inputs)
                return result

            return replace

        with ExitStack() as stack:
            for path in paths:
                part = self.get_submodule(path)
                stack.callback(part.register_forward_hook(hook(path)).remove)
            yield


def _through(probe: nn.Module, result: Any, axis: int, inputs: int) -> Any:
    """Send the first tensor of a module's result through a probe."""
    tensor = first_tensor(result)
    if tensor is None:
        return result
    passed = as_before(probe(by_input(tensor, axis, inputs)), axis, tensor)
    return _replaced(result, tensor, passed)


def _replaced(result: Any, tensor: Tensor, by: Tensor) -> Any:
    if result is tensor:
        return by
    if isinstance(result, tuple | list):
        parts = [_replaced(part, tensor, by) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return result


def unwrapped(module: Any) -> nn.Module:
    """Return a module without the wrappers that run it in parallel, compiled or averaged.

    Args:
        module: any module.

    Returns:
        The module inside.

    Raises:
        GengapError: it is no module of torch, or TorchScript.
    """
    wrappers = (
        nn.DataParallel,
        nn.parallel.DistributedDataParallel,
        torch.optim.swa_utils.AveragedModel,
    )
    while isinstance(module, nn.Module):
        # That of torch.compile is in a module that takes seconds to import.
        inner = (
            module.module if isinstance(module, wrappers) else getattr(module, "_orig_mod", None)
        )
        if not isinstance(inner, nn.Module):
            break
        logger.info("%s is taken off %s.", type(module).__name__, type(inner).__name__)
        module = inner
    if not isinstance(module, nn.Module):
        raise GengapError(
            f"A {type(module).__name__} is no torch.nn.Module: give the module that it stands for."
        )
    refuse_torchscript(module)
    return module


def _example_inputs(example: Any) -> Tensor:
    """Return three of an example's inputs, the same ones again if it has fewer."""
    inputs = example if isinstance(example, np.ndarray | Tensor) else getattr(example, "inputs", 0)
    if not isinstance(inputs, np.ndarray | Tensor):
        raise GengapError(
            f"The example is a {type(example).__name__}: give an array or a tensor of some inputs, "
            "as numpy.asarray makes it, or a Split."
        )
    few = inputs[:EXAMPLE_INPUTS]
    if isinstance(few, np.ndarray):
        few = torch.as_tensor(np.array(few))
    tokens = few.dtype in (torch.int32, torch.int64)
    if len(few) == 0 or few.ndim < 2 or not (tokens or few.is_floating_point()):
        raise GengapError(
            f"The example has shape {list(inputs.shape)} and type {inputs.dtype}: give floating "
            "inputs (n, H, W, C), (n, length, channels) or (n, d), or int64 tokens (n, length)."
        )
    few = few.to(torch.int64 if tokens else torch.float32)
    return few[torch.arange(EXAMPLE_INPUTS) % len(few)]


def _input_type(inputs: Tensor) -> str:
    return "float32" if inputs.is_floating_point() else "int64"


def _resolved_layout(network: AdoptedNetwork, inputs: Tensor, layout: str | None) -> str | None:
    """Return the layout that a module takes its inputs in, or None where there are no channels."""
    if layout not in (None, *LAYOUTS):
        raise GengapError(f"layout is {layout!r}: give {' or '.join(LAYOUTS)}.")
    if inputs.ndim == 2:
        return None
    if layout is not None:
        return layout
    if any(is_lazy(parameter) for parameter in network.parameters()):
        raise GengapError(
            f"{network.kind} takes the number of channels from its first inputs: state layout, "
            f"{' or '.join(LAYOUTS)}."
        )
    placed = inputs.to(device_of(network))
    errors = {name: network.runs(placed, name) for name in LAYOUTS}
    fitting = [name for name, error in errors.items() if error is None]
    if len(fitting) == 1:
        logger.info("%s takes its inputs %s.", network.kind, fitting[0].replace("_", " "))
        return fitting[0]
    if fitting:
        raise GengapError(
            f"{network.kind} runs on inputs of shape {list(inputs.shape[1:])} in both layouts: "
            f"state the one that it was trained with, layout {' or '.join(LAYOUTS)}."
        )
    error = errors["channels_first"]
    assert error is not None
    raise _refusal(network, inputs, error) from error


def _refusal(network: AdoptedNetwork, inputs: Tensor, error: Exception) -> GengapError:
    cause = " ".join(str(error).split())[:300].rstrip(".")
    layout = f", {network.layout.replace('_', ' ')}" if network.layout else ""
    return GengapError(
        f"{network.kind} cannot run inputs of shape {list(inputs.shape[1:])}{layout} "
        f"({type(error).__name__}: {cause}): give data of the size that it was trained on, "
        "with the order of their axes as they are, and the layout that the network takes."
    )
