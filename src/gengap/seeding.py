"""Random generators whose seeds depend on names, never on the order in which jobs run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *purpose: str | int) -> int:
    """Derive a seed for one purpose from the config's seed.

    Words are joined with their lengths, so ``("a", "bc")`` and ``("ab", "c")`` differ.

    Args:
        seed: the config's seed.
        purpose: words that name the purpose, e.g. the task, the network and the stage.

    Returns:
        A seed of 63 bits.
    """
    text = "".join(f"{len(str(word))}:{word}," for word in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Make a NumPy generator for one purpose, e.g. ``generator(seed, task, "activations")``."""
    return np.random.default_rng(derive(seed, *purpose))


def torch_generator(seed: int, *purpose: str | int) -> torch.Generator:
    """Make a PyTorch generator (on the CPU) for one purpose."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *purpose))
