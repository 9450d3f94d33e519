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


def sequence(seed: int, *purpose: str | int) -> np.random.SeedSequence:
    """Make a seed for one purpose that :func:`salted` uses as it is."""
    return np.random.SeedSequence(derive(seed, *purpose))


def salted(seed: int | np.random.SeedSequence, *purpose: str | int) -> np.random.Generator:
    """Make a NumPy generator from the seed of a public call.

    Data that a user draws from ``default_rng(0)`` must not share a stream with what the library
    draws at its default seed 0.

    Args:
        seed: an integer, which is salted by the purpose; or a ``SeedSequence``, which is used as it
            is, since whoever made it has derived it already (see :func:`sequence`).
        purpose: words that name the purpose.

    Returns:
        The generator.
    """
    if isinstance(seed, np.random.SeedSequence):
        return np.random.default_rng(seed)
    return generator(seed, "library default", *purpose)


def torch_generator(seed: int, *purpose: str | int) -> torch.Generator:
    """Make a PyTorch generator (on the CPU) for one purpose."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *purpose))
