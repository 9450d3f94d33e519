"""What a figure shows, read back from matplotlib as plain arrays."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D


def offsets(collection: Artist) -> np.ndarray:
    """(points, 2) positions of the marks of a scatter; none for lines."""
    if not isinstance(collection, PathCollection):
        return np.zeros((0, 2))
    return np.asarray(collection.get_offsets(), dtype=float).reshape(-1, 2)


def points(axes: Axes) -> np.ndarray:
    """(points, 2) positions of all scattered marks."""
    return np.concatenate([offsets(collection) for collection in axes.collections])


def edge_colours(collection: Artist) -> np.ndarray:
    """(points or 1, 4) colours of the edges of scattered marks."""
    assert isinstance(collection, PathCollection)
    return np.asarray(collection.get_edgecolor())


def face_colours(collection: Artist) -> np.ndarray:
    """(points or 1, 4) colours of the faces of scattered marks."""
    assert isinstance(collection, PathCollection)
    return np.asarray(collection.get_facecolor())


def segments(collection: Artist) -> np.ndarray:
    """(lines, 2, 2) ends of straight lines."""
    assert isinstance(collection, LineCollection)
    return np.array(collection.get_segments())


def x_of(line: Line2D) -> np.ndarray:
    """(points,) x of a line."""
    return np.asarray(line.get_xdata(), dtype=float)


def y_of(line: Line2D) -> np.ndarray:
    """(points,) y of a line."""
    return np.asarray(line.get_ydata(), dtype=float)


def cells(image: AxesImage) -> np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]:
    """(rows, columns) values of a heatmap, masked where there is none."""
    return np.ma.asarray(image.get_array(), dtype=np.float64)
