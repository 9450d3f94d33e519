"""Reading the outputs of any module: tensors, tuples, dataclasses and mappings with ``logits``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gengap.errors import GengapError

OUTPUT_AXES = 2
"""Axes of a batch of outputs: inputs and classes."""


def first_tensor(result: Any) -> Tensor | None:
    """Return what a module returned if it is a tensor, or else the first tensor in its tuple.

    Args:
        result: what a module returned: an LSTM gives ``(output, (h, c))``, attention gives
            ``(output, weights)``.

    Returns:
        The tensor; None where there is none.
    """
    if isinstance(result, Tensor):
        return result
    if isinstance(result, tuple | list):
        return next((tensor for tensor in map(first_tensor, result) if tensor is not None), None)
    return None


def read_outputs(result: Any) -> Tensor:
    """Return the outputs (n, k) that a network's forward pass returned.

    Args:
        result: a tensor (n, k), a tensor (n,) of one output, a dataclass with the attribute or a
            mapping with the key ``logits``, or a tuple or list whose first tensor is meant.

    Returns:
        (n, k); k is 1 for a tensor (n,).

    Raises:
        GengapError: the result is anything else.
    """
    outputs: Any = result
    if isinstance(result, Mapping):
        if "logits" not in result:
            raise GengapError(
                f"The network returns a mapping with the keys {', '.join(map(str, result))} and "
                "none called logits: adopt it with logits=, a function that picks the outputs."
            )
        outputs = result["logits"]
    elif not isinstance(result, Tensor):
        outputs = first_tensor(getattr(result, "logits", result))
    if not isinstance(outputs, Tensor):
        raise GengapError(
            f"The network returns a {type(result).__name__} without logits: adopt it with logits=, "
            "a function that makes a tensor (n, outputs) of what it returns."
        )
    rows: Tensor = outputs[:, None] if outputs.ndim == 1 else outputs
    if rows.ndim != OUTPUT_AXES or not rows.is_floating_point():
        raise GengapError(
            f"The network gives {outputs.dtype} outputs of shape {list(outputs.shape)} instead of "
            "numbers (n, outputs), one row for each input: adopt it with logits=, a function that "
            "makes them."
        )
    return rows
