"""Drawing the decision boundary and alignments over a plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from gengap.figures.style import BLACK, DIVERGING, MARKERS, PALETTE, SMALL_SIZE

ALIGNMENT = Normalize(-1.0, 1.0)
POINT_AREA = 6.0
REGION_ALPHA = 0.25

SETUP_LABELS = {
    "normal": "normal",
    "random_labels": "random labels",
    "adversarial": "adversarial start",
    "large_norm": "large norm",
    "noisy_init": "noisy start",
    "file": "from a file",
}
SETUP_COLOURS = {
    "normal": PALETTE[0],
    "adversarial": PALETTE[1],
    "large_norm": PALETTE[2],
    "noisy_init": PALETTE[1],
    "random_labels": PALETTE[3],
    "file": PALETTE[4],
}


def plane_arrays(prefix: str, plane: Any, aligned: np.ndarray) -> dict[str, np.ndarray]:
    """A plane and the alignments (g*g, m) on it as arrays of an outcome."""
    side = len(plane.x)
    return {
        f"{prefix}x": plane.x,
        f"{prefix}y": plane.y,
        f"{prefix}predicted": plane.predicted.astype(np.int16),
        f"{prefix}map": aligned.T.reshape(-1, side, side).astype(np.float32),
    }


def draw_regions(axes: Axes, arrays: Mapping[str, np.ndarray], prefix: str = "") -> None:
    """Regions of the predicted classes, their boundary, and the training inputs."""
    predicted = arrays[f"{prefix}predicted"]
    classes = max(int(predicted.max()), int(arrays["labels"].max())) + 1
    axes.pcolormesh(
        arrays[f"{prefix}x"],
        arrays[f"{prefix}y"],
        predicted,
        cmap=ListedColormap(PALETTE[:classes]),
        norm=Normalize(-0.5, classes - 0.5),
        alpha=REGION_ALPHA,
        shading="nearest",
        rasterized=True,
        linewidth=0,
        antialiased=False,
    )
    draw_boundary(axes, arrays, prefix)
    draw_points(axes, arrays)


def draw_alignment(
    axes: Axes, arrays: Mapping[str, np.ndarray], index: int, prefix: str = ""
) -> None:
    """Alignment with one vector over the plane, and the boundary."""
    axes.pcolormesh(
        arrays[f"{prefix}x"],
        arrays[f"{prefix}y"],
        arrays[f"{prefix}map"][index],
        cmap=DIVERGING,
        norm=ALIGNMENT,
        shading="nearest",
        rasterized=True,
    )
    draw_boundary(axes, arrays, prefix)


def draw_boundary(axes: Axes, arrays: Mapping[str, np.ndarray], prefix: str = "") -> None:
    """The lines between regions, at the middle of cells, and a frame without ticks."""
    predicted = arrays[f"{prefix}predicted"]
    x, y = arrays[f"{prefix}x"], arrays[f"{prefix}y"]
    for label in np.unique(predicted)[:-1]:
        inside = (predicted == label).astype(float)
        axes.contour(x, y, inside, levels=[0.5], colors=BLACK, linewidths=0.7)
    axes.set(xticks=[], yticks=[], xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    for spine in axes.spines.values():
        spine.set_visible(True)


def draw_points(axes: Axes, arrays: Mapping[str, np.ndarray]) -> None:
    """Training inputs by their class."""
    points, labels = arrays["points"], arrays["labels"]
    for label in np.unique(labels):
        x, y = points[labels == label].T
        axes.scatter(
            x,
            y,
            s=POINT_AREA,
            marker=MARKERS[label],
            color=PALETTE[label],
            edgecolors="white",
            linewidths=0.2,
        )


def eigenvalue_label(index: int, value: float) -> str:
    """The i-th eigenvalue, counted from 1, with its value in few digits."""
    digits = 3 if abs(value) >= 100 else 2
    return rf"$\lambda_{index + 1}={value:.{digits}g}$"


def alignment_bar(figure: Figure, axes: Sequence[Axes]) -> None:
    """One colour bar for all alignment maps."""
    bar = figure.colorbar(
        ScalarMappable(ALIGNMENT, DIVERGING), ax=list(axes), fraction=0.03, pad=0.02
    )
    bar.set_label("alignment $A_i(x)$", fontsize=SMALL_SIZE)
    bar.outline.set_visible(False)
