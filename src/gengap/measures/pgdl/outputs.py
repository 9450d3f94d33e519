"""What a network computes from inputs: class scores, and the values inside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.networks import batch_size_for, batched_outputs, captured, class_logits, logits

BATCH = 256

Result = TypeVar("Result")


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


def slopes(
    values: Sequence[Tensor],
    sources: Mapping[str, Tensor],
    reduced: Callable[[Tensor], Result],
) -> list[list[Result]]:
    """Differentiate numbers by what they were computed from.

    Args:
        values: the numbers, each a tensor () with its graph.
        sources: tensors of that graph by the names of their layers; the inputs have no name.
        reduced: what is kept of a gradient, which has the source's shape; the gradients of one
            number are held at a time.

    Returns:
        For each number what is kept of its gradient by each source.

    Raises:
        GengapError: no number depends on a source, as where a recurrent layer's last state is read
            and its outputs are not.
    """
    leaves = list(sources.values())
    rows: list[list[Result]] = []
    is_used = [False] * len(leaves)
    for value in values:
        row = torch.autograd.grad(value, leaves, retain_graph=True, allow_unused=True)
        is_used = [used or slope is not None for used, slope in zip(is_used, row, strict=True)]
        rows.append(
            [
                reduced(torch.zeros_like(leaf) if slope is None else slope)
                for leaf, slope in zip(leaves, row, strict=True)
            ]
        )
    for name, used in zip(sources, is_used, strict=True):
        if not used:
            what = f"what the layer {name} gives first" if name else "its inputs"
            raise GengapError(
                f"The network's outputs do not depend on {what}: observe other layers, or do "
                "without this measure."
            )
    return rows


@torch.inference_mode()
def observed_in_batches(
    network: nn.Module,
    modules: Sequence[nn.Module],
    inputs: Tensor,
    reduced: Callable[[list[Tensor]], Result],
    *,
    before: bool = False,
) -> list[Result]:
    """See what :func:`observe` does of any number of inputs in batches, without gradients.

    Args:
        network: any classifier.
        modules: those that are observed.
        inputs: (n, *input_shape).
        reduced: what is kept of a batch, given one tensor (b, ...) for each module. A layer's
            output for all inputs may not fit into memory, so that of one batch is held at a time.
        before: whether a module's input is observed, and not its output.

    Returns:
        What is kept of each batch, in the order of the inputs.

    Raises:
        GengapError: a module takes or gives something else than one row for each input.
    """
    size = batch_size_for(network, inputs, BATCH)
    return [
        reduced(_observed_rows(network, modules, batch, before=before))
        for batch in torch.split(inputs, size)
    ]


def _observed_rows(
    network: nn.Module, modules: Sequence[nn.Module], batch: Tensor, *, before: bool
) -> list[Tensor]:
    _, parts = observe(network, modules, batch, before=before)
    for module, part in zip(modules, parts, strict=True):
        if not isinstance(part, Tensor) or len(part) != len(batch):
            raise GengapError(
                f"A {type(module).__name__} in the network {'takes' if before else 'gives'} "
                "something else than one row for each input, so inputs cannot be compared "
                "there: do without this measure."
            )
    return parts
