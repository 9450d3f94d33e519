"""The reason why there is nothing to draw, in place of a figure."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure

from gengap.figures.style import GREY, SINGLE_COLUMN, SMALL_SIZE, new_figure, styled

_LETTERS = 56  # in a single column


@styled
def nothing_to_draw(reason: str) -> Figure:
    """Draw a sentence that says why a figure has nothing to show."""
    figure = new_figure(SINGLE_COLUMN, SINGLE_COLUMN / 2)
    axes = figure.subplots()
    axes.set_axis_off()
    text = textwrap.fill(reason, _LETTERS, break_long_words=True)
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=SMALL_SIZE, color=GREY)
    return figure
