"""Six points on a line: predictions, gradients and alignment along x, spectrum, loss surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from torch import nn

from gengap.curvature.alignment import alignments, unit_gradients
from gengap.curvature.margin import predicted_classes
from gengap.figures.style import (
    BLACK,
    DIVERGING,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    ORDERED,
    PALETTE,
    new_figure,
    styled,
)
from gengap.networks import Network, device_of, logits, tensor_of
from gengap.studies import Context, Outcome, Run, load_data
from gengap.studies.sabanayagam2023.quantities import spectrum_of
from gengap.studies.sabanayagam2023.solutions import solve
from gengap.training import sample_losses

LOW, HIGH = 0.35, 1.6
LEADING = 2


def run(
    context: Context,
    *,
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    points: int = 250,
    surface: int = 31,
    reach: float = 1.0,
) -> Outcome:
    """Train on the dataset ``intro1d`` and follow everything along x.

    Args:
        context: seed and device.
        network: of one input and two classes.
        training: keywords of the recipe.
        points: along x.
        surface: points along each of v1 and v2 at which the loss is computed.
        reach: of the surface from the solution, in norm of the weights' displacement.

    Returns:
        Values: accuracy, sections of the boundary, and at how many of them the alignment with v1,
        v2 or either changes its sign with |A| above 1/2 on one side.
    """
    data = load_data(context, {"name": "intro1d"})
    solution = solve(context, data, network, {**training}, "normal")
    spectrum = spectrum_of(context, solution.network, data.train, "cross_entropy")
    x = np.linspace(LOW, HIGH, points, dtype=np.float32)[:, np.newaxis]
    leading = spectrum.vectors[:, :LEADING]
    aligned = alignments(solution.network, x, leading)
    gradients = np.concatenate(
        [part.numpy(force=True) for _, part in unit_gradients(solution.network, x)]
    )
    with torch.no_grad():
        outputs = logits(solution.network, tensor_of(x, device_of(solution.network)))
    predicted = predicted_classes(solution.network, x)
    sections = np.flatnonzero(np.diff(predicted))
    flips = _flips(aligned, sections)
    values = {
        "train_accuracy": solution.accuracy,
        "train_loss": float(solution.result.history[-1]["train_loss"]),
        "sections": float(len(sections)),
        **{f"flips_v{index + 1}": float(flips[:, index].sum()) for index in range(LEADING)},
        "flips_either": float(flips.any(axis=1).sum()),
        "lambda_1": float(spectrum.values[0]),
        "lambda_2": float(spectrum.values[1]),
    }
    steps = np.linspace(-reach, reach, surface)
    arrays = {
        "x": x[:, 0],
        "logits": outputs.numpy(force=True),
        "gradients": gradients.T[_clustered(gradients)].astype(np.float32),
        "alignments": aligned,
        "sections": x[sections, 0],
        "points": data.train.inputs[:, 0],
        "labels": data.train.labels,
        "eigenvalues": spectrum.values,
        "steps": steps,
        "surface": _surface(solution.network, data.train.inputs, data.train.labels, leading, steps),
    }
    return Outcome(values, arrays)


def _flips(aligned: np.ndarray, sections: np.ndarray) -> NDArray[np.bool_]:
    """Whether each vector's alignment changes sign there, (sections, vectors)."""
    before, after = aligned[sections], aligned[sections + 1]
    strong = np.maximum(np.abs(before), np.abs(after)) > 0.5
    flips: NDArray[np.bool_] = (before * after < 0) & strong
    return flips


def _clustered(gradients: np.ndarray) -> NDArray[np.int64]:
    """Parameters in an order that puts those of like gradients together."""
    return np.asarray(leaves_list(linkage(gradients.T, "average")), dtype=np.int64)


def _surface(
    network: Network, inputs: np.ndarray, labels: np.ndarray, plane: np.ndarray, steps: np.ndarray
) -> NDArray[np.float64]:
    """Training loss over displacements a v1 + b v2, (steps of b, steps of a)."""
    device = device_of(network)
    x, y = tensor_of(inputs, device), tensor_of(labels, device)
    centre = nn.utils.parameters_to_vector(network.parameters()).detach()
    first, second = (torch.from_numpy(v.copy()).to(centre) for v in plane.T)
    found = np.empty((len(steps), len(steps)))
    with torch.no_grad():
        for i, b in enumerate(steps):
            for j, a in enumerate(steps):
                nn.utils.vector_to_parameters(centre + a * first + b * second, network.parameters())
                found[i, j] = float(sample_losses(logits(network, x), y, "cross_entropy").mean())
        nn.utils.vector_to_parameters(centre, network.parameters())
    return found


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``introduction``: the run that fits best."""
    best = min(runs, key=lambda each: each.outcome.values["train_loss"])
    return {"introduction": introduction(best.outcome)}


@styled
def introduction(outcome: Outcome) -> Figure:
    """Panels along x on the left; spectrum and loss surface on the right."""
    arrays = outcome.arrays
    figure = new_figure(DOUBLE_COLUMN, 3.9)
    left, right = figure.subfigures(1, 2, width_ratios=[1.75, 1], squeeze=False)[0]
    panels = left.subplots(3, 1, sharex=True, height_ratios=[1.1, 1, 0.6])
    _predictions(panels[0], arrays)
    extent = (LOW, HIGH)
    size = float(np.abs(arrays["gradients"]).max())
    count = len(arrays["gradients"])
    image = panels[1].imshow(
        arrays["gradients"],
        cmap=DIVERGING,
        vmin=-size,
        vmax=size,
        aspect="auto",
        extent=(*extent, count, 0),
        interpolation="nearest",
    )
    panels[1].set_ylabel("parameter")
    left.colorbar(image, ax=panels[1], label="$g(x)/|g(x)|$", pad=0.01)
    image = panels[2].imshow(
        arrays["alignments"].T,
        cmap=DIVERGING,
        vmin=-1,
        vmax=1,
        aspect="auto",
        extent=(*extent, LEADING, 0),
        interpolation="nearest",
    )
    panels[2].set(yticks=[0.5, 1.5], yticklabels=["$v_1$", "$v_2$"], xlabel="input $x$")
    left.colorbar(image, ax=panels[2], label="$A_i(x)$", pad=0.01)
    for axes in panels[1:]:
        for section in arrays["sections"]:
            axes.axvline(section, color=BLACK, linestyle=":", linewidth=0.8)
    spectrum, surface = right.subplots(2, 1, height_ratios=[1, 1.25])
    values = arrays["eigenvalues"]
    spectrum.plot(np.arange(1, len(values) + 1), values, "o", color=BLACK, markersize=2.5)
    spectrum.set(xlabel="$i$-th largest eigenvalue", ylabel=r"$\lambda_i$")
    _loss_surface(right, surface, arrays)
    return figure


def _predictions(axes: Axes, arrays: Mapping[str, np.ndarray]) -> None:
    for label in (0, 1):
        axes.plot(arrays["x"], arrays["logits"][:, label], color=PALETTE[label])
        chosen = arrays["points"][arrays["labels"] == label]
        axes.plot(
            chosen,
            np.full(len(chosen), arrays["logits"].min()),
            MARKERS[label],
            color=PALETTE[label],
            label=f"class {label + 1}",
            markersize=4,
            clip_on=False,
        )
    for section in arrays["sections"]:
        axes.axvline(section, color=BLACK, linestyle=":", linewidth=0.8)
    axes.axhline(0, color=GREY, linewidth=0.5)
    axes.set_ylabel("logit")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)


def _loss_surface(figure: Any, axes: Axes, arrays: Mapping[str, np.ndarray]) -> None:
    steps = arrays["steps"]
    image = axes.contourf(steps, steps, np.log10(arrays["surface"]), levels=15, cmap=ORDERED)
    axes.plot(0, 0, "o", color="white", markeredgecolor=BLACK, markersize=4)
    axes.set(xlabel="along $v_1$", ylabel="along $v_2$")
    figure.colorbar(image, ax=axes, label=r"$\log_{10}$ loss")
