"""The early-stopping rule of Corneanu et al. (CVPR 2019), made explicit.

The paper says: while a network learns to generalise, the mode of beta_1 moves to lower densities
and cavities of dimension 2 and 3 appear; when it memorises, they return to higher densities. It
gives no algorithm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = Sequence[float] | NDArray[np.floating]


def stopping_checkpoint(modes: Numbers, cavities: Numbers) -> int:
    """Return the last checkpoint before the first regression, or the last one of all.

    A regression is a step after which the mode of beta_1 lies at a higher density than before while
    there are no more cavities of dimension 2 and 3. The first step, from the random start, does not
    count, since a network that has learnt nothing yet memorises nothing. Checkpoints without a mode
    are skipped. The rule needs only the checkpoints so far, so it can stop training.

    Args:
        modes: (checkpoints,) density at which beta_1 is largest, at the start and later; NaN where
            there are no loops.
        cavities: (checkpoints,) number of bars of dimension 2 and above, per node.

    Returns:
        The position among the checkpoints.
    """
    density, count = np.asarray(modes), np.asarray(cavities)
    known = 1 + np.flatnonzero(np.isfinite(density[1:]))
    before, after = known[:-1], known[1:]
    back = (density[after] > density[before]) & (count[after] <= count[before])
    return int(before[np.argmax(back)]) if back.any() else len(density) - 1


def lowest_checkpoint(modes: Numbers, cavities: Numbers) -> int:
    """Return the checkpoint after the start with the lowest mode of beta_1, in hindsight.

    Among equal modes the checkpoint with the most cavities is chosen, then the earliest; those
    without a mode come last.

    Returns:
        The position among the checkpoints, given as for :func:`stopping_checkpoint`.
    """
    density, count = np.asarray(modes), np.asarray(cavities)
    return 1 + int(np.lexsort((-count[1:], density[1:]))[0])
