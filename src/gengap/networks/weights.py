"""Weights in safetensors files, one tensor per entry of the network's ``state_dict``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.files import writing


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy, on the CPU, of a network's parameters and batch statistics, by name."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in network.state_dict().items()
    }


def write_weights(network: nn.Module | Mapping[str, Tensor], path: str | Path) -> None:
    """Write a network's weights, or tensors by name, to a safetensors file.

    The same weights give the same bytes.

    Raises:
        GengapError: a weight is NaN or infinite, or the folder cannot be written to.
    """
    tensors = weights_of(network) if isinstance(network, nn.Module) else dict(network)
    _refuse_not_finite(tensors, f"the weights for {path}")
    with writing(path) as temporary:
        save_file({name: tensors[name].contiguous() for name in sorted(tensors)}, temporary)


def read_weights(network: nn.Module, path: str | Path) -> None:
    """Read a network's weights from a safetensors file, in place.

    Raises:
        GengapError: the file is missing or damaged, a tensor is missing, unknown, of the wrong
            shape, or not finite; the sentence names the file and the tensor. The network is then
            unchanged.
    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise GengapError(
            f"Cannot read the weights {path} ({error}): train or import the network again."
        ) from error
    set_weights(network, tensors, source=str(path))


def set_weights(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Put tensors by name into a network, in place.

    Args:
        network: what to change.
        tensors: one for each entry of ``network.state_dict()``.
        source: where they come from, for the sentences of errors.

    Raises:
        GengapError: as :func:`read_weights` does.
    """
    expected = network.state_dict()
    for name in expected:
        if name not in tensors:
            raise GengapError(
                f"{source} has no tensor {name}: it belongs to another network's spec."
            )
    for name, tensor in tensors.items():
        if name not in expected:
            raise GengapError(
                f"{source} has a tensor {name} that the network does not: "
                "it belongs to another network's spec."
            )
        if tensor.shape != expected[name].shape:
            raise GengapError(
                f"The tensor {name} in {source} has the shape {list(tensor.shape)} instead of "
                f"{list(expected[name].shape)}: it belongs to another network's spec."
            )
    _refuse_not_finite(tensors, source)
    with torch.no_grad():
        for name, tensor in tensors.items():
            expected[name].copy_(tensor)


def _refuse_not_finite(tensors: Mapping[str, Tensor], source: str) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise GengapError(
                f"The tensor {name} in {source} holds NaN or infinite values: "
                "train the network again, with a lower learning rate if it diverged."
            )
