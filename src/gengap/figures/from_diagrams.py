"""Figures of the persistence diagrams of one network.

Each function plots one figure of :data:`gengap.planned_figures.FIGURES` from its files.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from gengap import figures
from gengap.failures import read_failures
from gengap.topology import read_diagrams


def plot_persistence_diagrams(*, diagrams: str, failed: str, network: int) -> Figure:
    """Plot the persistence diagrams of all draws, or the reason why there are none."""
    title = f"network {network}"
    if reason := _reason(failed, network):
        return figures.left_out(reason, title=title)
    draws, _ = read_diagrams(diagrams, str(network))
    return figures.persistence_diagram(draws, title=title)


def plot_barcodes(*, diagrams: str, failed: str, network: int) -> Figure:
    """Plot the barcodes of the first draw, or the reason why there are none."""
    title = f"network {network}, first draw"
    if reason := _reason(failed, network):
        return figures.left_out(reason, title=title)
    draws, _ = read_diagrams(diagrams, str(network))
    return figures.barcodes(draws[0], title=title)


def _reason(failed: str, network: int) -> str | None:
    """Return why a network has no diagrams, or None where it has."""
    reasons = {failure.network: failure.reason for failure in read_failures(failed)}
    return reasons.get(str(network))
