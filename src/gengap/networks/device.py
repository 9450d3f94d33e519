"""The device that a network computes on, and arrays copied to it."""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor, nn

from gengap.errors import GengapError, MachineError

NAMES = re.compile(r"auto|cpu|cuda(:\d+)?")


def resolve_device(name: str) -> torch.device:
    """Return the device that a name stands for.

    On a GPU, this also sets convolutions to float32 instead of torch's default, the shorter TF32,
    so that results equal those of a CPU up to rounding.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: a GPU if torch sees one, else the CPU.

    Returns:
        The device.

    Raises:
        MachineError: the name is none of these, or torch does not see that GPU.
    """
    if not NAMES.fullmatch(name):
        raise MachineError(f"'device' is '{name}': choose auto, cpu, cuda or cuda:N.")
    seen = torch.cuda.device_count()
    if name == "auto":
        name = "cuda" if seen else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        if (device.index or 0) >= seen:
            raise MachineError(
                f"'device' is '{name}', but torch sees {seen} GPUs here: set it to auto or cpu, or "
                "run where there is such a GPU and a build of torch for it."
            )
        torch.backends.cudnn.allow_tf32 = False
    return device


def device_of(network: nn.Module) -> torch.device:
    """Return the device that a network's parameters are on."""
    return _first_weight(network).device


def dtype_of(network: nn.Module) -> torch.dtype:
    """Return the floating type of a network's parameters."""
    return _first_weight(network).dtype


def _first_weight(network: nn.Module) -> Tensor:
    """Return the first parameter of a floating type."""
    for parameter in network.parameters():
        if parameter.is_floating_point():
            return parameter
    raise GengapError(
        f"The network, a {type(network).__name__}, has no parameters of a floating type: give a "
        "network with weights, not quantised."
    )


def tensor_of(array: np.ndarray, device: torch.device) -> Tensor:
    """Copy an array to a device.

    The copy is contiguous and lies in torch's own memory, since the rounding of kernels depends on
    how their input is strided and aligned.

    Args:
        array: an array of any shape; it may be read-only, and strided in any way.
        device: where to copy it.

    Returns:
        A tensor of the same shape and type.
    """
    copy = torch.empty(array.shape, dtype=getattr(torch, array.dtype.name))
    copy.numpy()[...] = array
    return copy.to(device)
