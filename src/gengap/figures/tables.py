"""Checks and look-ups that all figures share: from tables to series by network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gengap.errors import GengapError


def read_measures(path: str | Path) -> pd.DataFrame:
    """Read the tidy table of a task's measures, networks and components as text."""
    return pd.read_csv(path, dtype={"network": str, "component": str})


def require(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Refuse a table that is empty or lacks a column.

    Raises:
        GengapError: the table is empty, or columns are missing; the message names them.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise GengapError(
            f"The {name} table lacks the column(s) {', '.join(missing)}: "
            "give the table that this version of gengap writes."
        )
    if table.empty:
        raise GengapError(f"The {name} table has no rows: there is nothing to draw, compute it.")


def by_network(values: pd.Series) -> pd.Series:
    """Return the series with network ids as strings, as task folders name them."""
    return values.set_axis(values.index.astype(str))


def matching(values: pd.Series, networks: pd.Index, name: str) -> pd.Series:
    """Return the values of exactly these networks, in their order.

    Returns:
        Index ``networks``.

    Raises:
        GengapError: ``values`` lacks some of the networks.
    """
    values = by_network(values)
    missing = networks.difference(values.index)
    if len(missing):
        raise GengapError(
            f"{name} has no value for network(s) {', '.join(map(str, missing[:5]))}: "
            "give values and networks of the same task."
        )
    return values.loc[networks]


def component_values(measures: pd.DataFrame, measure: str, component: str | int) -> pd.Series:
    """Return one component of a measure by network, from the tidy table.

    Returns:
        Index network.

    Raises:
        GengapError: the table has no such measure or component.
    """
    require(measures, ("network", "measure", "component", "value"), "measures")
    rows = measures[measures["measure"] == measure]
    if rows.empty:
        raise GengapError(f"The measures table has no measure {measure!r}: choose one it lists.")
    chosen = rows[rows["component"].astype(str) == str(component)]
    if chosen.empty:
        known = ", ".join(map(str, rows["component"].unique()[:8]))
        raise GengapError(
            f"Measure {measure!r} has no component {component!r}: choose among {known}."
        )
    return pd.Series(chosen["value"].to_numpy(dtype=float), index=chosen["network"].astype(str))


def scalar_values(measures: pd.DataFrame, measure: str) -> pd.Series:
    """Return a scalar measure by network, from the tidy table.

    Returns:
        Index network.

    Raises:
        GengapError: the table has no such measure, or it has several components.
    """
    require(measures, ("network", "measure", "component", "value"), "measures")
    components = measures.loc[measures["measure"] == measure, "component"].astype(str).unique()
    if len(components) > 1:
        raise GengapError(
            f"Measure {measure!r} has {len(components)} components and cannot be drawn "
            "on one axis: choose a scalar measure."
        )
    return component_values(measures, measure, components[0] if len(components) else 0)
