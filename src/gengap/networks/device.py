"""Where a network computes: the choice of the device, and arrays brought to it."""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor, nn

from gengap.errors import MachineError

NAMES = re.compile(r"auto|cpu|cuda(:\d+)?")


def resolve_device(name: str) -> torch.device:
    """The device of that name.

    Where it is a GPU, convolutions there are computed in float32 from now on, and not in the
    shorter TF32 that is torch's default, so that numbers are those of a CPU but for rounding.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: a GPU where torch sees one, else the CPU.

    Raises:
        MachineError: not such a name, or a GPU that torch does not see here.
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
    """The device that a network's parameters are on."""
    return next(network.parameters()).device


def tensor_of(array: np.ndarray, device: torch.device) -> Tensor:
    """An array copied to a device; it may be read-only or strided in any way.

    The copy is contiguous and lies in torch's own memory, since kernels round differently by how
    their input is strided and aligned.
    """
    copy = torch.empty(array.shape, dtype=getattr(torch, array.dtype.name))
    copy.numpy()[...] = array
    return copy.to(device)
