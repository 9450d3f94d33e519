"""What the study's figures share: curves over seeds, and labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gengap.studies import interval

BAND = 0.18
"""Opacity of the 95% intervals."""


def curve(
    axes: Axes,
    x: Sequence[float] | NDArray[np.float64],
    values: NDArray[np.float64],
    colour: str,
    label: str | None = None,
    style: str = "-",
    marker: str = "o",
) -> None:
    """The mean of values (seeds, m) over seeds at x (m,), with its 95% interval as a band."""
    bounds = np.array([interval(column) for column in values.T])
    axes.plot(
        x, bounds[:, 0], color=colour, label=label, linestyle=style, marker=marker, markersize=3
    )
    if len(values) > 1:
        axes.fill_between(x, bounds[:, 1], bounds[:, 2], color=colour, alpha=BAND, linewidth=0)
