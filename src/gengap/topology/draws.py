"""Persistence diagrams of every draw of a network's neurons."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gengap.activations import Sample
from gengap.arguments import whole_number
from gengap.topology.diagrams import Bars, persistence_diagrams
from gengap.topology.dissimilarity import correlation_dissimilarity
from gengap.topology.engines import find_engine

if TYPE_CHECKING:
    import torch


def draw_diagrams(
    sample: Sample,
    max_dim: int = 1,
    threshold: float | None = None,
    engine: str = "auto",
    threads: int = 1,
    gpu: torch.device | None = None,
) -> list[list[Bars]]:
    """Compute the persistence diagrams of 1 - |r| for every draw.

    Args:
        sample: activations of B draws.
        max_dim: the highest dimension of homology.
        threshold: dissimilarities above this never enter; None for no limit.
        engine: as for ``persistence_diagrams``.
        threads: number of draws that are computed, and held in memory, at the same time, if the
            engine has threads. The diagrams do not depend on it.
        gpu: as for ``correlation_dissimilarity``.

    Returns:
        Per draw, per dimension, (bars, 2) births and deaths.

    Raises:
        GengapError: fewer than two inputs, or an argument that ``persistence_diagrams`` refuses.
    """

    def diagrams(rows: NDArray[np.int64]) -> list[Bars]:
        dissimilarity = correlation_dissimilarity(sample.activations[rows], gpu)
        return persistence_diagrams(dissimilarity, max_dim, threshold, engine)

    max_dim = whole_number(max_dim, "max_dim", 0)
    threads = whole_number(threads, "threads", 1)
    # Where a network has no more neurons than asked for, all its draws are the same.
    distinct = {rows.tobytes(): rows for rows in sample.draws}
    with ThreadPoolExecutor(threads if find_engine(engine, max_dim).threads else 1) as pool:
        computed = dict(zip(distinct, pool.map(diagrams, distinct.values()), strict=True))
    return [computed[rows.tobytes()] for rows in sample.draws]
