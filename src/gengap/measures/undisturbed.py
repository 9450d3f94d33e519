"""Measuring networks without a trace: in eval mode, and afterwards as they were.

This module runs without torch, since tables of measures are gathered without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
            for module in network.modules():
                stack.callback(setattr, module, "training", module.training)
                for name, buffer in module._buffers.items():
                    saved = None if buffer is None else buffer.clone()
                    stack.callback(_restore_buffer, module, name, buffer, saved)
                for name, value in list(vars(module).items()):
                    if getattr(value, "grad_fn", None) is not None:
                        stack.callback(setattr, module, name, value)
                        setattr(module, name, value.detach())
            for parameter in network.parameters():
                gradient = parameter.grad
                saved = None if gradient is None else gradient.clone()
                stack.callback(_restore_gradient, parameter, gradient, saved)
                stack.callback(parameter.requires_grad_, parameter.requires_grad)
            network.eval()
        yield


def _restore_buffer(
    module: nn.Module, name: str, buffer: Tensor | None, saved: Tensor | None
) -> None:
    module._buffers[name] = _restored(buffer, saved)


def _restore_gradient(
    parameter: nn.Parameter, gradient: Tensor | None, saved: Tensor | None
) -> None:
    parameter.grad = _restored(gradient, saved)


def _restored(tensor: Tensor | None, saved: Tensor | None) -> Tensor | None:
    """Return a tensor with its saved values; what did not change is not written to."""
    if tensor is not None and saved is not None and not tensor.equal(saved):
        tensor.detach().copy_(saved)
    return tensor
