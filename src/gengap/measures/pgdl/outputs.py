"""What a network computes from inputs: class scores, and the values inside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.networks import batch_size_for, batched_outputs, captured, class_logits, logits

BATCH = 256


def class_scores(network: nn.Module, inputs: Tensor) -> Tensor:
    """Compute logits (n, classes); a single output z stands for the two logits (0, z)."""
    return class_logits(logits(network, inputs))


def all_scores(network: nn.Module, inputs: Tensor) -> Tensor:
    """Compute :func:`class_scores` of any number of inputs in batches, without gradients."""
    return batched_outputs(network, inputs, class_scores, batch_size=BATCH)


def observe(
    network: nn.Module, modules: Sequence[nn.Module], inputs: Tensor, *, before: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Compute class scores, and the output (or the input, if ``before``) of each module.

    Returns:
        Scores (n, classes), and one tensor for each module.

    Raises:
        GengapError: the network does not call one of them.
    """
    with captured(modules) as passages:
        scores = class_scores(network, inputs)
    missing = set(modules) - set(passages)
    uncalled = [name for name, module in network.named_modules() if module in missing]
    if uncalled:
        raise GengapError(
            f"A forward pass does not call the layer {uncalled[0]}, so what it computes is not "
            "known: call it as a module, or remove it."
        )
    return scores, [
        passages[module].input if before else passages[module].output for module in modules
    ]


@torch.inference_mode()
def all_observed(
    network: nn.Module, modules: Sequence[nn.Module], inputs: Tensor, *, before: bool = False
) -> list[Tensor]:
    """Collect what :func:`observe` sees of any number of inputs in batches, without gradients.

    Returns:
        (n, ...) for each module.

    Raises:
        GengapError: a module takes or gives something else than one row for each input.
    """
    size = batch_size_for(network, inputs, BATCH)
    batches = []
    for batch in torch.split(inputs, size):
        parts = observe(network, modules, batch, before=before)[1]
        for module, part in zip(modules, parts, strict=True):
            if not isinstance(part, Tensor) or len(part) != len(batch):
                raise GengapError(
                    f"A {type(module).__name__} in the network {'takes' if before else 'gives'} "
                    "something else than one row for each input, so inputs cannot be compared "
                    "there: do without this measure."
                )
        batches.append(parts)
    return [torch.cat(parts) for parts in zip(*batches, strict=True)]
