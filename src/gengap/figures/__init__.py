"""Figures: one module per kind, one style, no state.

Every function takes tables that other packages wrote and returns a ``matplotlib.figure.Figure``;
``save`` writes it as PNG, SVG or PDF, byte for byte the same each time.
"""

from __future__ import annotations

from gengap.figures.heatmaps import r2_heatmap
from gengap.figures.labels import measure_label
from gengap.figures.leaderboards import leaderboard
from gengap.figures.moments import ColouredTask, moments_panel
from gengap.figures.persistence import barcodes, left_out, persistence_diagram
from gengap.figures.scatters import scatter
from gengap.figures.strata import kendall_by_stratum, r2_by_stratum
from gengap.figures.style import save
from gengap.figures.zoo import gap_by_hyper_parameter, training_overview

__all__ = [
    "ColouredTask",
    "barcodes",
    "gap_by_hyper_parameter",
    "kendall_by_stratum",
    "leaderboard",
    "left_out",
    "measure_label",
    "moments_panel",
    "persistence_diagram",
    "r2_by_stratum",
    "r2_heatmap",
    "save",
    "scatter",
    "training_overview",
]
