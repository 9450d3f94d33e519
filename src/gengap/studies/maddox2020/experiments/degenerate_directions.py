"""Degenerate directions: how far weights may move along eigenvectors of the Hessian before the
loss and the predictions change.

Maddox et al. 2020, section 5: networks on two spirals, on images and on CIFAR-10 are the same
functions far along directions of low curvature, and others soon along those of high curvature.
Weights move along random unit vectors in the span of the leading eigenvectors (``top``), orthogonal
to all of them (``rest``) and, where the whole spectrum is known, in the span of as many
eigenvectors of least absolute eigenvalue (``bottom``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from gengap.curvature import hessian
from gengap.datasets import Split
from gengap.figures.style import (
    DOUBLE_COLUMN,
    ORDERED,
    PALETTE,
    SINGLE_COLUMN,
    legend_below,
    new_figure,
    notes_below,
    styled,
)
from gengap.limits import DENSE_LIMIT
from gengap.networks import predicted_classes
from gengap.seeding import derive, generator
from gengap.studies import Context, Outcome, Run, load_data
from gengap.studies.maddox2020.panels import curve
from gengap.studies.maddox2020.solutions import Solution, solve
from gengap.training import loss_and_accuracy

SUBSPACES = ("top", "rest", "bottom")
_COLOURS = dict(zip(SUBSPACES, PALETTE, strict=False))
_LABELS = {
    "top": "leading eigenvectors",
    "rest": "orthogonal to them",
    "bottom": "least curved eigenvectors",
}
PLANE_MARGIN = 0.1
SHOWN_DRAW = 0


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    leading: int = 20,
    scales: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    draws: int = 5,
    surface_side: int = 15,
    plane_side: int = 60,
    plane_scale: float = 0.1,
) -> Outcome:
    """Train a network and move its weights.

    Args:
        context: of the run.
        dataset: keywords of ``gengap.datasets.load``.
        network: a template, an architecture or a ``model_config``.
        training: entries of a recipe.
        leading: how many eigenvectors span ``top``, and ``bottom``.
        scales: lengths of the moves, in lengths of the weights.
        draws: random vectors of each subspace.
        surface_side: points along each axis of the loss surfaces, over two eigenvectors of each
            end, up to the largest scale.
        plane_side: points along each axis of the map of predictions, for inputs in the plane.
        plane_scale: of the moves that the map shows.
    """
    data = load_data(context, dataset)
    solution = solve(context, data, network, training)
    spaces = subspaces(context, solution, leading)
    weights = parameters_to_vector(solution.network.parameters()).detach().double()
    length = float(weights.norm())
    splits = {"train": solution.train, "test": solution.test}
    before = {
        name: predicted_classes(solution.network, split.inputs) for name, split in splits.items()
    }
    loss, accuracy = loss_and_accuracy(solution.network, solution.train, solution.loss)
    arrays: dict[str, NDArray[Any]] = {"scales": np.array(scales)}
    maps = {}
    for name, space in spaces.items():
        rng = generator(context.seed, "moves", name)
        moves = [direction(space, spaces["top"], name, rng) for _ in range(draws)]
        found = {key: np.empty((draws, len(scales))) for key in ("loss", "train", "test")}
        for row, move in enumerate(moves):
            for column, scale in enumerate(scales):
                _place(solution, weights, length * scale * move)
                found["loss"][row, column] = loss_and_accuracy(
                    solution.network, solution.train, solution.loss
                )[0]
                for split in splits:
                    now = predicted_classes(solution.network, splits[split].inputs)
                    found[split][row, column] = (now == before[split]).mean()
        arrays[f"loss_{name}"] = found["loss"].mean(axis=0)
        for split in splits:
            arrays[f"{split}_agreement_{name}"] = found[split].mean(axis=0)
        maps[name] = length * plane_scale * moves[SHOWN_DRAW]
    ends = {"top": spaces["top"][:, :2]}
    if "bottom" in spaces:
        ends["bottom"] = spaces["bottom"][:, :2]
    else:
        rng = generator(context.seed, "surface")
        ends["rest"] = np.stack(
            [direction(None, spaces["top"], "rest", rng) for _ in range(2)], axis=1
        )
    for name, axes in ends.items():
        arrays[f"surface_{name}"] = _surface(
            solution, weights, axes * length * max(scales), surface_side
        )
    if data.input_shape == (2,):
        x, y, points = _plane(solution.train, plane_side)
        arrays |= {"plane_x": x, "plane_y": y, "inputs": solution.train.inputs}
        arrays["labels"] = solution.train.labels
        arrays["plane_unmoved"] = predicted_classes(solution.network, points).reshape(
            len(y), len(x)
        )
        for name, move in maps.items():
            _place(solution, weights, move)
            arrays[f"plane_{name}"] = predicted_classes(solution.network, points).reshape(
                len(y), len(x)
            )
    values = {
        "loss": loss,
        "train_error": 1 - accuracy,
        "parameters": float(len(weights)),
        "leading": float(spaces["top"].shape[1]),
        "plane_scale": plane_scale,
    }
    return Outcome(values, arrays)


def subspaces(context: Context, solution: Solution, leading: int) -> dict[str, NDArray[np.float64]]:
    """Orthonormal columns (p, k) that span ``top`` and, where it is known, ``bottom``.

    ``rest`` is given by what spans ``top``, to which it is orthogonal.
    """
    operator = hessian(solution.network, solution.loss, solution.train)
    count = min(leading, operator.size // 2)
    if operator.size <= DENSE_LIMIT:
        values, vectors = np.linalg.eigh(operator.dense())
        flat = np.argsort(np.abs(values))[:count]
        top = vectors[:, ::-1][:, :count]
        return {"top": top, "rest": top, "bottom": vectors[:, flat]}
    seed = derive(context.seed, "eigenvectors")
    top = operator.eigsh(count, seed=seed).vectors.astype(np.float64)
    return {"top": top, "rest": top}


def direction(
    space: NDArray[np.float64] | None,
    top: NDArray[np.float64],
    name: str,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """A random unit vector (p,): of a subspace, or for ``rest`` orthogonal to that of ``top``.

    The Gram-Schmidt process takes each component off what is left by the ones before, of unit
    length each, and twice; the published code divides by the wrong length and normalises the vector
    in between, which leaves components along the eigenvectors.
    """
    if name != "rest" and space is not None:
        vector = space @ rng.standard_normal(space.shape[1])
    else:
        vector = rng.standard_normal(len(top))
        for _ in range(2):
            for column in top.T:
                vector = vector - (column @ vector) * column
    return np.asarray(vector / np.linalg.norm(vector))


@torch.no_grad()
def _place(solution: Solution, weights: torch.Tensor, move: NDArray[np.float64]) -> None:
    moved = weights + torch.as_tensor(move, device=weights.device)
    vector_to_parameters(moved.float(), solution.network.parameters())


def _surface(
    solution: Solution, weights: torch.Tensor, axes: NDArray[np.float64], side: int
) -> NDArray[np.float64]:
    """The training loss (side, side) at w + a axes_1 + b axes_2, a and b from -1 to 1."""
    steps = np.linspace(-1, 1, side)
    losses = np.empty((side, side))
    for row, b in enumerate(steps):
        for column, a in enumerate(steps):
            _place(solution, weights, axes @ np.array([a, b]))
            losses[row, column] = loss_and_accuracy(
                solution.network, solution.train, solution.loss
            )[0]
    return losses


def _plane(
    train: Split, side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    low, high = train.inputs.min(axis=0), train.inputs.max(axis=0)
    margin = PLANE_MARGIN * (high - low)
    x, y = (np.linspace(low[k] - margin[k], high[k] + margin[k], side) for k in (0, 1))
    grid = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
    return x, y, grid.astype(np.float32)


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``moves``: loss and agreement; ``surfaces``: the loss over two eigenvectors of each end;
    ``planes``: predictions, where inputs lie in the plane.
    """
    figures = {"moves": _moves(runs), "surfaces": _surfaces(runs[0])}
    if "plane_unmoved" in runs[0].outcome.arrays:
        figures["planes"] = _planes(runs[0])
    return figures


def known(runs: Sequence[Run]) -> list[str]:
    """The subspaces that the runs moved along."""
    return [name for name in SUBSPACES if f"loss_{name}" in runs[0].outcome.arrays]


@styled
def _moves(runs: Sequence[Run]) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.7)
    panels = figure.subplots(1, 3)
    titles = {
        "loss": "training loss",
        "train_agreement": "same predictions, training (%)",
        "test_agreement": "same predictions, test (%)",
    }
    x = runs[0].outcome.arrays["scales"]
    for axes, (key, title) in zip(panels, titles.items(), strict=True):
        factor = 1 if key == "loss" else 100
        for name in known(runs):
            values = np.stack([run.outcome.arrays[f"{key}_{name}"] for run in runs])
            curve(axes, x, factor * values, _COLOURS[name], _LABELS[name])
        axes.set_xlabel("length of the move, in |w|")
        axes.set_ylabel(title)
        axes.set_xscale("log")
    panels[0].set_yscale("log")
    for axes in panels[1:]:
        axes.set_ylim(0, 103)
    bands = f"Moves along ... (bands: 95% intervals of the mean over {len(runs)} seeds)"
    legend_below(figure, panels[0].get_lines(), bands)
    return figure


@styled
def _surfaces(run: Run) -> Figure:
    figure = new_figure(SINGLE_COLUMN * 1.4, 2.5)
    found = [name for name in SUBSPACES if f"surface_{name}" in run.outcome.arrays]
    surfaces = [run.outcome.arrays[f"surface_{name}"] for name in found]
    norm = LogNorm(min(map(np.min, surfaces)), max(map(np.max, surfaces)))
    reach = float(run.outcome.arrays["scales"].max())
    ends = np.linspace(-reach, reach, len(surfaces[0]))
    panels = figure.subplots(1, len(found), sharey=True)
    image = None
    for axes, name, surface in zip(panels, found, surfaces, strict=True):
        image = axes.pcolormesh(ends, ends, surface, norm=norm, cmap=ORDERED, shading="nearest")
        axes.set_title(_LABELS[name])
        axes.set_aspect("equal")
        axes.set_xlabel("first, in |w|")
    panels[0].set_ylabel("second, in |w|")
    if image is not None:
        figure.colorbar(image, ax=list(panels), label="training loss", shrink=0.8)
    return figure


@styled
def _planes(run: Run) -> Figure:
    arrays = run.outcome.arrays
    names = ["unmoved", *known([run])]
    figure = new_figure(DOUBLE_COLUMN, 2.3)
    panels = figure.subplots(1, len(names), sharex=True, sharey=True)
    for axes, name in zip(panels, names, strict=True):
        _predictions(axes, arrays, name)
        axes.set_title({"unmoved": "trained"}.get(name, _LABELS.get(name, name)))
    notes_below(
        figure, [f"Predictions after one move of {run.outcome.values['plane_scale']:g} |w|."]
    )
    return figure


def _predictions(axes: Axes, arrays: Mapping[str, NDArray[Any]], name: str) -> None:
    levels = np.arange(arrays["labels"].max() + 2) - 0.5
    colours = PALETTE[: len(levels) - 1]
    axes.contourf(
        arrays["plane_x"], arrays["plane_y"], arrays[f"plane_{name}"],
        levels=levels, colors=colours, alpha=0.25,
    )  # fmt: skip
    for label, colour in enumerate(colours):
        points = arrays["inputs"][arrays["labels"] == label]
        axes.scatter(points[:, 0], points[:, 1], s=2, color=colour, linewidths=0)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
