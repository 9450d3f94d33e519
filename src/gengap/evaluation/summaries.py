"""Fourteen scalar summaries of persistence diagrams, and which one goes with the gap most closely.

A vectorisation is a vector, for regression. A rank correlation, a score or a cluster needs one
number per network: averages and standard deviations of births and deaths, average lives and
midlives, and the persistent entropy, in H0 and in H1 (Ballester et al. 2023, arXiv:2203.12330).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from gengap.evaluation.correlations import correlation_tables
from gengap.evaluation.designs import REFERENCE, prepare

_MOMENTS = "deviations_and_averages_of_births_and_deaths"
_LIVES = "average_lives_and_midlives"
DIMENSIONS = ("H0", "H1")


class Component(NamedTuple):
    """One component of a measure of the tidy table."""

    measure: str
    component: str


_COMPONENTS = {
    "average_of_births": Component(_MOMENTS, "2"),
    "average_of_deaths": Component(_MOMENTS, "3"),
    "deviation_of_births": Component(_MOMENTS, "0"),
    "deviation_of_deaths": Component(_MOMENTS, "1"),
    "average_of_lives": Component(_LIVES, "0"),
    "average_of_midlives": Component(_LIVES, "1"),
    "persistent_entropy": Component("persistent_entropy", "0"),
}
SUMMARIES: Mapping[str, Component] = {
    f"{name}.{dimension}": Component(f"{measure}.{dimension}", component)
    for name, (measure, component) in _COMPONENTS.items()
    for dimension in DIMENSIONS
}
"""The fourteen summaries, by name, and where the tidy table has them."""


def scalar_measures(measures: pd.DataFrame) -> pd.DataFrame:
    """Return the scalar measures of a task: those of one component, and summaries of diagrams.

    Args:
        measures: tidy table of one task, components as text.

    Returns:
        A tidy table in which every measure has the one component "0"; the fourteen summaries come
        first where the table has the vectorisations that they are taken from.
    """
    tables = []
    for name, (measure, component) in SUMMARIES.items():
        rows = measures[(measures["measure"] == measure) & (measures["component"] == component)]
        tables.append(rows.assign(measure=name, component="0"))
    sizes = measures.groupby("measure")["component"].nunique()
    scalars = measures[measures["measure"].map(sizes) == 1]
    tables.append(scalars[~scalars["measure"].isin(SUMMARIES)].assign(component="0"))
    return pd.concat(tables, ignore_index=True)


def correlate_summaries(
    measures: pd.DataFrame,
    gaps: pd.Series,
    grid: pd.DataFrame,
    *,
    training_accuracy: pd.Series,
    correlate_within: str | None,
    resamples: int,
    permutations: int,
    seed: int,
    gap_of: str = "accuracy",
) -> pd.DataFrame:
    """Correlate every scalar measure with the gap, over all networks and within strata.

    Args:
        measures: tidy table of one task.
        gaps: index network.
        grid: hyper-parameters, index network.
        training_accuracy: index network; training losses or errors where the gaps are of them.
        correlate_within: hyper-parameter within whose values the correlations are given again, or
            None.
        resamples: bootstrap samples of the intervals.
        permutations: permutations of the p values.
        seed: seed of both.
        gap_of: what the gaps are of, one of :data:`gengap.names.GAPS`.

    Returns:
        measure, family, statistic, stratum ("all" or "<hyper-parameter>=<value>"), estimate, low,
        high, p, p_family, networks.

    Raises:
        GengapError: the tables contradict each other.
    """
    scalars = scalar_measures(measures)
    designs = prepare(scalars, gaps, grid, training_accuracy, (), gap_of)
    table = correlation_tables(
        designs,
        (correlate_within,),
        resamples=resamples,
        permutations=permutations,
        seed=seed,
    )
    families = {design.name: design.family for design in designs.measures}
    table.insert(1, "family", table["measure"].map(families).fillna(REFERENCE))
    return table


def strongest(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the measure of each family whose correlation with the gap is largest in size.

    It was chosen among its family's measures on the same networks, so its interval and p value
    favour it.

    Args:
        correlations: what :func:`correlate_summaries` returned.

    Returns:
        The same columns, stratum, statistic and family first; one row for each of their
        combinations in which a measure has a correlation.
    """
    keys = ["stratum", "statistic", "family"]
    known = correlations[correlations["estimate"].notna()]
    size = known["estimate"].abs()
    # Of equal ones, the first in natural order of the names, which is the table's order.
    best = known.loc[size.groupby([known[key] for key in keys], sort=False).idxmax()]
    return best[[*keys, *(column for column in best if column not in keys)]].reset_index(drop=True)
