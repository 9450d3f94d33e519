"""The random streams that all networks of a task share while they are measured."""

from __future__ import annotations

import numpy as np

from gengap.seeding import generator


def common_stream(seed: int, task: str, family: str) -> np.random.Generator:
    """Return the random stream with which a family of measures is computed.

    It is of no network: all networks of a task are measured on the same drawn inputs, or on those
    of the same places in their draws of the data.

    Args:
        seed: the config's seed.
        task: the task's name.
        family: the family's name.

    Returns:
        A generator.
    """
    return generator(seed, task, family)
