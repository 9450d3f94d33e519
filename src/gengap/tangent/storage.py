"""Storing results of a kernel with the weights that they belong to, in one safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import nn

from gengap.errors import GengapError
from gengap.files import writing
from gengap.networks import weights_of

WEIGHTS = "weights."

Tensors = dict[str, np.ndarray]


def weight_arrays(network: nn.Module, prefix: str = WEIGHTS) -> Tensors:
    """Return a network's weights as arrays, by their names after a prefix."""
    return {prefix + name: value.numpy() for name, value in weights_of(network).items()}


def write_with_weights(
    tensors: Mapping[str, np.ndarray], path: str | Path, network: nn.Module | None
) -> None:
    """Write tensors by name, and a network's weights by their names after ``weights.``.

    Raises:
        GengapError: the folder cannot be written to.
    """
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    if network is not None:
        arrays |= weight_arrays(network)
    with writing(path) as part:
        save_file(arrays, part)


def read_with_weights(
    path: str | Path, what: str, names: tuple[str, ...]
) -> tuple[Tensors, Tensors]:
    """Read tensors of some names, and the weights beside them.

    Args:
        path: the file.
        what: what it should hold, for the error message.
        names: names of the tensors that must be there.

    Returns:
        The tensors by name, and the weights by name.

    Raises:
        GengapError: the file is missing or lacks one of them.
    """
    try:
        tensors = load_file(path)
        selected = {name: tensors[name] for name in names}
    except (OSError, SafetensorError, KeyError) as error:
        raise GengapError(
            f"{path} holds no {what} ({error}): compute and write them again."
        ) from error
    return selected, {
        name.removeprefix(WEIGHTS): value
        for name, value in tensors.items()
        if name.startswith(WEIGHTS)
    }
