"""Figures: one module per kind, one style, no state.

Every function takes tables that other packages wrote and returns a ``matplotlib.figure.Figure``;
``save`` writes it as PNG, SVG or PDF, byte for byte the same each time.
"""

from __future__ import annotations

from gengap.figures.combinations import families
from gengap.figures.heatmaps import r2_heatmap
from gengap.figures.labels import measure_label
from gengap.figures.leaderboards import leaderboard
from gengap.figures.missing import nothing_to_draw
from gengap.figures.moments import ColouredTask, moments_panel
from gengap.figures.persistence import barcodes, persistence_diagrams
from gengap.figures.predictions import held_out_predictions, learning_curve, predicted_gaps
from gengap.figures.robustness import psi_by_hyper_parameter
from gengap.figures.scatters import scatter
from gengap.figures.strata import kendall_by_stratum
from gengap.figures.style import save
from gengap.figures.zoo import gap_by_hyper_parameter, training_overview

__all__ = [
    "ColouredTask",
    "barcodes",
    "families",
    "gap_by_hyper_parameter",
    "held_out_predictions",
    "kendall_by_stratum",
    "leaderboard",
    "learning_curve",
    "measure_label",
    "moments_panel",
    "nothing_to_draw",
    "persistence_diagrams",
    "predicted_gaps",
    "psi_by_hyper_parameter",
    "r2_heatmap",
    "save",
    "scatter",
    "training_overview",
]
