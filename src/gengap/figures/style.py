"""The one style of all figures, and the one way to write them."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from PIL import Image

from gengap.errors import GengapError
from gengap.files import writing

P = ParamSpec("P")

SINGLE_COLUMN = 3.5  # inches, the usual width of one column in print
DOUBLE_COLUMN = 7.2
PNG_DPI = 144
PNG_COLOURS = (16, 48, 128)
"""Halves of the palette, of which a figure gets the smallest that keeps its colours.

With 96 colours the maps of a continuous scale show steps, and patches in colours of other panels.
"""
PNG_ERROR = 0.75
"""Largest mean distance of a pixel from its own colour, in levels of 256, with a small palette."""
PNG_MARK = 100
"""So many pixels of one colour are a mark, not the edge of one."""
PNG_MARK_ERROR = 8.0
"""Largest distance of a mark from its own colour: beyond, it may look like one of another kind."""
BASE_SIZE = 8.0  # points
SMALL_SIZE = 7.0  # the smallest text on any figure

# Okabe and Ito (2008), "Color Universal Design"; without yellow, which vanishes on white paper.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BLACK = "#000000"
GREY = "#8C8C8C"
PALE = "#F2F2F2"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
ORDERED = "viridis"
DIVERGING = "PuOr"

_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # shipped with matplotlib, so the same on every machine
    "font.size": BASE_SIZE,
    "axes.titlesize": BASE_SIZE,
    "axes.labelsize": BASE_SIZE,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "legend.fontsize": SMALL_SIZE,
    "legend.title_fontsize": SMALL_SIZE,
    "legend.frameon": False,
    "figure.titlesize": BASE_SIZE + 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.0,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.05,
    "text.usetex": False,
    "svg.hashsalt": "gengap",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "savefig.dpi": PNG_DPI,
    "savefig.facecolor": "white",
}

# None removes the key: dates and versions would make equal figures differ in bytes.
_METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def _style() -> AbstractContextManager[None]:
    # "default" first, so that a reader's own matplotlibrc cannot change the figures.
    return matplotlib.style.context(["default", _SETTINGS])


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function under the figures' style, and fix the layout of its figure.

    Constrained layout starts from where the last drawing left the axes. So without this, a figure
    that is saved twice would move a little.

    Returns:
        The function, with the same arguments.
    """

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with _style():
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            return figure

    return inside


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of ``width`` x ``height`` inches, outside pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def legend_below(
    figure: Figure | SubFigure, handles: Sequence[Artist], title: str | None = None
) -> None:
    """Put a legend under all axes, in as many columns as the figure's width holds.

    Notes that are there already become the last lines of its title.
    """
    letter, mark, margin = 0.062, 0.45, 0.3  # inches at the legend's font size
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    fitting = (figure.bbox.width / figure.dpi - margin) / (letter * longest + mark)
    rows = math.ceil(len(handles) / max(1, min(len(handles), int(fitting))))
    notes = figure.get_supxlabel()
    figure.supxlabel("")
    figure.legend(
        handles=list(handles),
        title="\n".join(filter(None, [title, notes])) or None,
        loc="outside lower center",
        ncols=math.ceil(len(handles) / rows),
        handlelength=1.4,
        columnspacing=1.2,
    )


def notes_below(figure: Figure, notes: Sequence[str]) -> None:
    """Explain in words, under all axes, what the marks of a figure mean.

    Where the figure has a legend there, the notes are the last lines of the legend's title.
    """
    if not figure.legends:
        figure.supxlabel("\n".join(notes), fontsize=SMALL_SIZE)
        return
    title = figure.legends[-1].get_title().get_text()
    figure.legends[-1].set_title("\n".join(filter(None, [title, *notes])))


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG (144 dpi, a palette), SVG or PDF, by the suffix of ``path``.

    The same figure gives the same bytes: no date, no version, no random identifiers.

    Raises:
        GengapError: the suffix is none of the three, or the folder cannot be written to.
    """
    path = Path(path)
    if path.suffix not in _METADATA:
        raise GengapError(
            f"Cannot save the figure {path.name}: end its name in {', '.join(_METADATA)}."
        )
    with writing(path) as part, _style():
        if path.suffix == ".png":
            _save_png(figure, part)
        else:
            figure.savefig(part, format=path.suffix[1:], metadata=_METADATA[path.suffix])


def _save_png(figure: Figure, path: Path) -> None:
    """Write a PNG with a palette, in less than a third of the bytes.

    Half of the colours are the most frequent ones, so that areas keep theirs exactly; the others
    stand for scales and for the pixels of smoothed edges, which take the nearest.
    """
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata=_METADATA[".png"])
    with Image.open(image) as opened:
        pixels = opened.convert("RGB")
    codes = np.asarray(pixels, dtype=np.int64) @ (1 << 16, 1 << 8, 1)
    values, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    colours = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1)
    by_count = colours[np.argsort(-counts, kind="stable")]
    for half in PNG_COLOURS:
        rest = pixels.quantize(half, method=Image.Quantize.MAXCOVERAGE).getpalette() or []
        palette = np.concatenate([by_count[:half], np.reshape(rest, (-1, 3))])
        squares = ((colours[:, None] - palette[None]) ** 2).sum(axis=2)
        errors = np.sqrt(squares.min(axis=1))
        of_marks = errors[counts >= PNG_MARK].max(initial=0.0)
        if np.average(errors, weights=counts) <= PNG_ERROR and of_marks <= PNG_MARK_ERROR:
            break
    few = Image.fromarray(squares.argmin(axis=1)[places].reshape(codes.shape).astype(np.uint8))
    few.putpalette(palette.astype(np.uint8).tobytes())
    few.save(path, "PNG", optimize=True, dpi=(PNG_DPI, PNG_DPI))
