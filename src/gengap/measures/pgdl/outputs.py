"""What a network makes of inputs: class scores, and the values inside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gengap.networks import logits

BATCH = 256


def class_scores(network: nn.Module, inputs: Tensor) -> Tensor:
    """Compute logits (n, classes); a single output z stands for the two logits (0, z)."""
    outputs = logits(network, inputs)
    if outputs.shape[1] == 1:
        return torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    return outputs


@torch.inference_mode()
def all_scores(network: nn.Module, inputs: Tensor) -> Tensor:
    """:func:`class_scores` of any number of inputs, batch by batch, without gradients."""
    return torch.cat([class_scores(network, batch) for batch in torch.split(inputs, BATCH)])


def observe(
    network: nn.Module, modules: Sequence[nn.Module], inputs: Tensor, *, before: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Compute class scores, and the output (or the input, if ``before``) of each module."""
    seen: dict[int, Tensor] = {}

    def remember(position: int) -> object:
        def hook(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
            seen[position] = arguments[0] if before else output

        return hook

    handles = [
        module.register_forward_hook(remember(position))  # type: ignore[arg-type]
        for position, module in enumerate(modules)
    ]
    try:
        scores = class_scores(network, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return scores, [seen[position] for position in range(len(modules))]


@torch.inference_mode()
def all_observed(
    network: nn.Module, modules: Sequence[nn.Module], inputs: Tensor, *, before: bool = False
) -> list[Tensor]:
    """:func:`observe`'s values for any number of inputs, batch by batch, without gradients."""
    batches = [
        observe(network, modules, batch, before=before)[1] for batch in torch.split(inputs, BATCH)
    ]
    return [torch.cat(parts) for parts in zip(*batches, strict=True)]
