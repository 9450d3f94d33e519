"""Figures of the persistence diagrams of one network.

Each function draws one figure of :data:`gengap.planned_figures.FIGURES` from its files.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from gengap import figures
from gengap.failures import read_failure
from gengap.topology import read_diagrams


def draw_persistence_diagrams(*, diagrams: str, network: int) -> Figure:
    """Draw the persistence diagrams of all draws in one plot, or why there are none."""
    title = f"network {network}"
    if failure := read_failure(diagrams):
        return figures.left_out(failure.reason, title=title)
    draws, _ = read_diagrams(diagrams)
    return figures.persistence_diagram(draws, title=title)


def draw_barcodes(*, diagrams: str, network: int) -> Figure:
    """Draw the barcodes of the first draw, or why there are none."""
    title = f"network {network}, first draw"
    if failure := read_failure(diagrams):
        return figures.left_out(failure.reason, title=title)
    draws, _ = read_diagrams(diagrams)
    return figures.barcodes(draws[0], title=title)
