"""Weights of networks by name, and the safetensors files that the library writes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.files import writing

logger = logging.getLogger(__name__)

LISTED = 3
"""Names of tensors that a message lists at most."""
OF_ANOTHER = (
    "it belongs to another network's spec, so name this network's weights, or the keywords that it "
    "was built with"
)
"""Why weights do not fit, and the remedy."""


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy, on the CPU, of a network's parameters and batch statistics, by name."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in network.state_dict().items()
    }


def add_weights(digest: hashlib._Hash, network: nn.Module) -> None:
    """Add a network's parameters and batch statistics, with their names, to a digest."""
    for name, tensor in weights_of(network).items():
        digest.update(name.encode())
        digest.update(tensor.numpy().data)


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


def set_weights(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Put tensors by name into a network, in place.

    Args:
        network: what to change.
        tensors: one for each entry of ``network.state_dict()``; of entries that are one tensor
            (tied weights) one is enough.
        source: where they come from, for the sentences of errors.

    Raises:
        GengapError: as :func:`gengap.networks.read_weights` does.
    """
    expected = network.state_dict()
    present = {tensor.data_ptr() for name, tensor in expected.items() if name in tensors}
    missing = [
        name
        for name, tensor in expected.items()
        if name not in tensors and not (tensor.numel() and tensor.data_ptr() in present)
    ]
    if missing:
        raise GengapError(f"{source} has no tensor {listed(missing)}: {OF_ANOTHER}.")
    unknown = [name for name in tensors if name not in expected]
    if unknown:
        raise GengapError(
            f"{source} has a tensor {listed(unknown)} that the network does not: {OF_ANOTHER}."
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise GengapError(
                f"The tensor {name} in {source} has the shape {list(tensor.shape)} instead of "
                f"{list(expected[name].shape)}: {OF_ANOTHER}."
            )
        if tensor.is_floating_point() != expected[name].is_floating_point():
            raise GengapError(
                f"The tensor {name} in {source} is {tensor.dtype} instead of "
                f"{expected[name].dtype}: save the weights unquantised."
            )
    _refuse_not_finite(tensors, source)
    types = {
        (str(tensor.dtype), str(expected[name].dtype))
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and tensor.dtype != expected[name].dtype
    }
    for given, own in sorted(types):
        logger.info("%s: weights are converted from %s to %s.", source, given, own)
    with torch.no_grad():
        for name, tensor in tensors.items():
            expected[name].copy_(tensor)


def listed(names: list[str]) -> str:
    """List the first few names, and say how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _refuse_not_finite(tensors: Mapping[str, Tensor], source: str) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise GengapError(
                f"The tensor {name} in {source} holds NaN or infinite values: "
                "train the network again, with a lower learning rate if it diverged."
            )
