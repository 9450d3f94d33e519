"""Correlations of scalar measures with the gap, over all networks of a task and within strata."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from gengap.evaluation.designs import REFERENCE, Design, Designs, levels
from gengap.evaluation.rank_statistics import STATISTICS, correlate
from gengap.seeding import generator

ALL = "all"
"""The stratum of all networks."""
CORRELATION_COLUMNS = (
    "measure", "statistic", "stratum", "estimate", "low", "high", "p", "p_family", "networks",
)  # fmt: skip


def correlation_tables(
    designs: Designs,
    within: Iterable[str | None],
    *,
    resamples: int,
    permutations: int,
    seed: int,
) -> pd.DataFrame:
    """Correlate every scalar measure with the gap, over all networks and within strata.

    The training accuracy (or loss, or error) is correlated too, as a reference. In a stratum, only
    its networks are resampled and permuted. ``p_family`` is over all rows of one statistic and
    stratum.

    Args:
        designs: the measures of a task.
        within: hyper-parameters within whose values the correlations are given again; None stands
            for no hyper-parameter, and one that is named twice counts once.
        resamples: bootstrap samples of the grid points.
        permutations: permutations of the grid points.
        seed: seed of both; each stratum has streams of its own.

    Returns:
        measure, statistic (kendall, spearman, pearson), stratum ("all" or
        "<hyper-parameter>=<value>"), estimate, low, high, p, p_family, networks.
    """
    strata = [(ALL, np.ones(len(designs.networks), dtype=bool))]
    for name in dict.fromkeys(within):
        strata += strata_of(designs.grid, name)
    scalars = [design for design in designs.measures if design.kind == "scalar"]
    scalars.append(training_outcome(designs))
    return pd.concat(
        [
            correlation_table(
                designs,
                scalars,
                chosen,
                label,
                resamples=resamples,
                permutations=permutations,
                rng=generator(seed, "evaluation", "correlations", label),
            )
            for label, chosen in strata
        ],
        ignore_index=True,
    )


def training_outcome(designs: Designs) -> Design:
    """Return the training accuracies, losses or errors as a reference of one component."""
    name = f"training_{designs.gap_of}"
    return Design(f"{REFERENCE}.{name}", REFERENCE, (name,), designs.training[:, None])


def strata_of(grid: pd.DataFrame, name: str | None) -> list[tuple[str, np.ndarray]]:
    """Return label ``<name>=<value>`` and mask of each value of a hyper-parameter, in order."""
    if name is None or grid.empty:
        return []
    distinct, index = levels(grid[name])
    return [(f"{name}={value}", index == level) for level, value in enumerate(distinct)]


def correlation_table(
    designs: Designs,
    scalars: list[Design],
    chosen: np.ndarray,
    stratum: str,
    *,
    resamples: int,
    permutations: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Correlate scalars with the gap over some of the networks.

    Args:
        designs: the measures of a task.
        scalars: designs of one component over the same networks.
        chosen: (networks,) bool: the networks of the stratum.
        stratum: its label.
        resamples: bootstrap samples.
        permutations: permutations of the gaps.
        rng: draws both.

    Returns:
        ``CORRELATION_COLUMNS``, one row for each scalar and statistic.
    """
    correlations = correlate(
        np.array([scalar.values[chosen, 0] for scalar in scalars]),
        designs.gaps[chosen],
        points=designs.points[chosen],
        draws=None if designs.draws is None else designs.draws[chosen],
        resamples=resamples,
        permutations=permutations,
        rng=rng,
    )
    return pd.DataFrame(
        {
            "measure": np.repeat([scalar.name for scalar in scalars], len(STATISTICS)),
            "statistic": STATISTICS * len(scalars),
            "stratum": stratum,
            "estimate": correlations.estimate.ravel(),
            "low": correlations.low.ravel(),
            "high": correlations.high.ravel(),
            "p": correlations.p.ravel(),
            "p_family": correlations.p_family.ravel(),
            "networks": int(chosen.sum()),
        },
        columns=list(CORRELATION_COLUMNS),
    )
