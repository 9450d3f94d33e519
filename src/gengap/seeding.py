"""Random generators that depend on names, never on the order in which jobs run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed from the config's seed and the words that name what it is for.

    Words are joined with their lengths, so ``("a", "bc")`` and ``("ab", "c")`` differ.
    """
    text = "".join(f"{len(str(word))}:{word}," for word in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A NumPy generator for one purpose, e.g. ``generator(seed, task, network, "activations")``."""
    return np.random.default_rng(derive(seed, *purpose))


def torch_generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A torch generator (CPU) for one purpose."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *purpose))
