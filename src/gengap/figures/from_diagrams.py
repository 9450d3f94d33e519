"""Figures of the persistence diagrams of the networks with the smallest and the largest gap.

Each function plots one figure of :data:`gengap.planned_figures.FIGURES` from its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gengap import figures, tasks
from gengap.errors import GengapError
from gengap.failures import read_failures
from gengap.topology import find_diagrams, read_diagrams

Draws = list[list[np.ndarray]]


def plot_persistence_diagrams(
    *, task: str, left_out: str, diagrams: Sequence[str], failed: Sequence[str]
) -> Figure:
    """Plot the persistence diagrams of all draws of two networks, or why there are none."""
    networks = extremes(task, left_out, diagrams)
    return figures.persistence_diagrams(networks) if networks else _none(failed)


def plot_barcodes(
    *, task: str, left_out: str, diagrams: Sequence[str], failed: Sequence[str]
) -> Figure:
    """Plot the barcodes of the first draw of two networks, or why there are none."""
    networks = extremes(task, left_out, diagrams)
    if not networks:
        return _none(failed)
    return figures.barcodes({title: draws[0] for title, draws in networks.items()})


def extremes(task: str, left_out: str, diagrams: Sequence[str]) -> dict[str, Draws]:
    """Return the draws of the networks with the smallest and the largest gap, by title.

    Args:
        task: the task's file.
        left_out: the table of what the evaluation leaves out: its networks do not count, unless
            nothing else has diagrams.
        diagrams: the diagrams of the task's shards.

    Returns:
        Two networks; one where there are no more, none where no network has diagrams.
    """
    gaps = tasks.load(Path(task).parent).gaps()
    files = find_diagrams(diagrams)
    gaps = gaps[gaps.index.isin(list(files)) & np.isfinite(gaps.to_numpy(dtype=float))]
    table = pd.read_csv(left_out, dtype=str)
    unused = table.loc[table["kind"] == "network", "name"]
    used = gaps[~gaps.index.isin(list(unused))]
    gaps = used if len(used) else gaps
    if gaps.empty:
        return {}
    chosen = {"smallest gap": str(gaps.idxmin()), "largest gap": str(gaps.idxmax())}
    if len(gaps) == 1:
        del chosen["largest gap"]
    return {
        f"{label}: {gaps[network]:.3f} (network {network})": read_diagrams(files[network], network)[
            0
        ]
        for label, network in chosen.items()
    }


def _none(failed: Sequence[str]) -> Figure:
    """Say why no network has diagrams."""
    failures = [failure for path in failed for failure in read_failures(path)]
    if not failures:
        raise GengapError("The files of diagrams hold no network: delete them and run again.")
    return figures.nothing_to_draw(
        f"No network has persistence diagrams. Network {failures[0].network}: {failures[0].reason}"
    )
