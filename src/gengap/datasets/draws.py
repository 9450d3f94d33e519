"""Draws of training data: a training set for each replicate of a zoo, out of one pool."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.samples import seeded_order
from gengap.datasets.split import Split
from gengap.errors import GengapError
from gengap.seeding import generator


def draw_rows(
    pool: Split, train_size: float, replicate: int, *, balanced: bool = False, seed: int = 0
) -> NDArray[np.int64]:
    """Draw the rows of a pool that the networks of one replicate are trained on.

    The pool is shuffled and dealt out, ``train_size`` rows to each replicate in turn; once it does
    not suffice for another replicate, it is shuffled anew. So draws share no row as long as the
    pool lasts, and a draw does not depend on how many replicates there are.

    Args:
        pool: all training samples.
        train_size: samples in a draw, or a fraction of the pool below 1.
        replicate: number of the replicate, from 0.
        balanced: whether class counts are equal, or differ by one where ``train_size`` is no
            multiple of the number of classes.
        seed: the config's seed.

    Returns:
        (train_size,) rows of the pool, each once.

    Raises:
        GengapError: the pool does not have more samples than one draw, or that has none.

    Example:
        >>> pool = Split(np.zeros((7, 1), np.float32), np.arange(7) % 2, 2)
        >>> first, second = (draw_rows(pool, 3, replicate) for replicate in (0, 1))
        >>> len(np.union1d(first, second))
        6
    """

    def shuffled(dealing: int) -> NDArray[np.intp]:
        rng = generator(seed, "datasets", "draws", dealing)
        return seeded_order(pool.labels, pool.classes, balanced, rng)

    order = shuffled(0)
    count = round(train_size * len(order)) if train_size < 1 else int(train_size)
    if not 1 <= count < len(order):
        raise GengapError(
            f"A replicate is to draw train_size={train_size} samples from a pool of {len(order)}"
            f"{' in balanced classes' if balanced else ''}, so that all draws would be alike: "
            "lower 'train_size' or 'test_size', or leave out 'resample'."
        )
    dealing, place = divmod(replicate, len(order) // count)
    order = shuffled(dealing) if dealing else order
    return order[place * count : (place + 1) * count].astype(np.int64)
