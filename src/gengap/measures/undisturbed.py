"""Measuring networks without a trace: in eval mode, and afterwards as they were.

This module runs without torch, since tables of measures are gathered without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


@contextmanager
def undisturbed(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Put networks into eval mode; afterwards nothing but their weights may have changed.

    The mode of each module, the buffers (such as running statistics), the gradients, and which
    parameters require one are then as before, also after an error. Meanwhile weights that hooks
    compute at each pass (by torch's former ``weight_norm``, or pruning) have no graph, so that
    networks can be copied.

    Args:
        networks: any networks, some of them maybe the same.

    Yields:
        Nothing.
    """
    with ExitStack() as stack:
        for network in dict.fromkeys(networks):
            modes = [(module, module.training) for module in network.modules()]
            stack.callback(_restore_modes, modes)
            for module, _ in modes:
                for name, buffer in module._buffers.items():
                    saved = None if buffer is None else buffer.clone()
                    stack.callback(_restore_buffer, module, name, buffer, saved)
                for name, value in list(vars(module).items()):
                    if getattr(value, "grad_fn", None) is not None:
                        stack.callback(setattr, module, name, value)
                        setattr(module, name, value.detach())
            parameters = list(network.parameters())
            gradients = [parameter.grad for parameter in parameters]
            copies = [None if gradient is None else gradient.clone() for gradient in gradients]
            flags = [parameter.requires_grad for parameter in parameters]
            stack.callback(_restore_parameters, parameters, gradients, copies, flags)
            # Setting a mode takes longer than a small network's forward pass.
            if any(training for _, training in modes):
                network.eval()
        yield


def _restore_modes(modes: Iterable[tuple[nn.Module, bool]]) -> None:
    for module, training in modes:
        if module.training != training:
            module.training = training


def _restore_buffer(
    module: nn.Module, name: str, buffer: Tensor | None, saved: Tensor | None
) -> None:
    module._buffers[name] = _restored(buffer, saved)


def _restore_parameters(
    parameters: Sequence[nn.Parameter],
    gradients: Sequence[Tensor | None],
    copies: Sequence[Tensor | None],
    flags: Sequence[bool],
) -> None:
    for parameter, gradient, saved, flag in zip(parameters, gradients, copies, flags, strict=True):
        parameter.grad = _restored(gradient, saved)
        if parameter.requires_grad != flag:
            parameter.requires_grad_(flag)


def _restored(tensor: Tensor | None, saved: Tensor | None) -> Tensor | None:
    """Return a tensor with its saved values; what did not change is not written to."""
    if tensor is not None and saved is not None and not tensor.equal(saved):
        tensor.detach().copy_(saved)
    return tensor
