"""The dissimilarity of two neurons: one minus the absolute correlation of their activations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.arrays import activation_matrix

if TYPE_CHECKING:
    import torch

# The drivers' device files: NVIDIA's, that of Windows' subsystem for Linux, AMD's.
DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")))

# A neuron whose activations span no more than this many units in the last place of its largest
# one shows rounding, not behaviour, and counts as constant.
CONSTANT_SPAN_ULPS = 4

# Rows per block: bounds the float64 temporaries to 512 rows whatever the number of neurons.
BLOCK_ROWS = 512


def correlation_dissimilarity(
    activations: npt.ArrayLike, gpu: torch.device | None = None
) -> NDArray[np.float32]:
    """Compute d = 1 - |r| with r the Pearson correlation of two neurons over the inputs.

    From Ballester et al. 2023 (arXiv:2203.12330). A constant neuron has r = 0 with every other, so
    it lies at distance 1 from all. Correlations are accumulated in float64: a float32 product of
    rarely active neurons is wrong in the fifth digit, and would save only a quarter of a CPU second
    on 3000 neurons and 2000 inputs. They are rounded to float32 before the subtraction, which puts
    perfectly correlated neurons at distance exactly 0.

    Args:
        activations: (k, m), one row per neuron, one column per input; m at least 2. Integers and
            booleans are numbers too.
        gpu: the GPU that multiplies, also in float64, or None; see ``gpu_named``. Entries may
            differ from the CPU's by a rounding to float32.

    Returns:
        (k, k) in [0, 1], exactly symmetric, zero diagonal; its values are multiples of 2**-24.

    Raises:
        GengapError: the activations are no matrix of real numbers, have fewer than two inputs, or
            are not finite.
    """
    rows = _standardised(activation_matrix(activations))
    product = _products(rows, gpu)
    neurons = len(rows)
    dissimilarity = np.empty((neurons, neurons), dtype=np.float32)
    for start in range(0, neurons, BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        # Only what is right of the diagonal is computed; the rest is its mirror image.
        correlation = product(block, slice(start, None))
        np.abs(correlation, out=correlation)
        np.minimum(correlation, 1, out=correlation)
        np.subtract(1, correlation, out=correlation)
        width = len(correlation)
        square = np.triu(correlation[:, :width], 1)
        dissimilarity[block, block] = square + square.T
        dissimilarity[block, start + width :] = correlation[:, width:]
        dissimilarity[start + width :, block] = correlation[:, width:].T
    return dissimilarity


def gpu_named(name: str) -> torch.device | None:
    """Find the GPU that a device name stands for; PyTorch is loaded only if there may be one.

    Args:
        name: a device, as for ``gengap.networks.resolve_device``.

    Returns:
        The GPU, or None for the CPU.

    Raises:
        MachineError: the name is no device, or torch does not see that GPU.
    """
    if name == "cpu" or (name == "auto" and not any(driver.exists() for driver in DRIVERS)):
        return None
    from gengap.networks import resolve_device

    device = resolve_device(name)
    return device if device.type == "cuda" else None


def _products(
    rows: NDArray[np.float64], gpu: torch.device | None
) -> Callable[[slice, slice], NDArray[np.float32]]:
    """Return a function that gives all inner products between two slices of the rows."""
    if gpu is None:
        return lambda left, right: (rows[left] @ rows[right].T).astype(np.float32)
    import torch

    on_gpu = torch.from_numpy(rows).to(gpu)

    def product(left: slice, right: slice) -> NDArray[np.float32]:
        products: NDArray[np.float32] = (on_gpu[left] @ on_gpu[right].T).float().cpu().numpy()
        return products

    return product


def _standardised(activations: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the rows (k, m) with mean 0 and norm 1; rows of constant neurons are 0."""
    rounding = CONSTANT_SPAN_ULPS * np.finfo(activations.dtype).eps
    rows = np.empty(activations.shape, dtype=np.float64)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        part = rows[block]
        part[...] = activations[block]
        high, low = part.max(axis=1), part.min(axis=1)
        if not np.isfinite(high).all() or not np.isfinite(low).all():
            raise GengapError(
                "Activations hold NaN or infinite values: remove the network that made them."
            )
        largest = np.maximum(np.abs(high), np.abs(low))
        constant = high - low <= rounding * largest
        # Dividing by the largest value first keeps the squares of huge and tiny values in range.
        part /= np.where(constant, 1, largest)[:, None]
        part -= part.mean(axis=1, keepdims=True)
        norms = np.sqrt(np.einsum("ij,ij->i", part, part))
        part /= np.where(constant, 1, norms)[:, None]
        part[constant] = 0
    return rows
