"""Width against depth: which quantity tells, among networks that fit, how well they generalise.

Maddox et al. 2020, figure 2: ConvNet(width, depth) on CIFAR-100. One run trains the networks of one
seed, or those of some of its depths; runs of one seed belong together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.figures.style import (
    BLACK,
    DOUBLE_COLUMN,
    GREY,
    ORDERED,
    PALETTE,
    new_figure,
    notes_below,
    styled,
)
from gengap.studies import Context, Outcome, Run, interval, load_data, rank_correlation
from gengap.studies.maddox2020.solutions import (
    QUANTITIES,
    RUNS,
    SPECTRA,
    STEPS,
    Spectrum,
    measured,
    solve,
)

HEADLINE_ALPHA = 1.0
LOW_TRAIN_LOSS = 0.1
"""Mean training loss up to which a network counts as fitting its labels."""
EXPLANATIONS = {
    "effective dimensionality": "effective_dimensionality",
    "parameters": "parameters",
    "largest eigenvalue": "lambda_max",
    "sharpness": "loss_sharpness",
    "squared norm of the weights": "squared_norm",
}


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    widths: Sequence[int],
    depths: Sequence[int],
    eigenvalues: int = 100,
) -> Outcome:
    """Train a network of each width and depth on the same data and labels.

    Args:
        context: of the run.
        dataset: keywords of ``gengap.datasets.load``.
        network: a template or an architecture that has a ``width`` and a ``depth``.
        training: entries of a recipe.
        widths, depths: those of the run.
        eigenvalues: how many of the largest are computed.
    """
    data = load_data(context, dataset)
    shape = (len(depths), len(widths))
    arrays = {name: np.empty(shape) for name in QUANTITIES}
    sizes = {"eigenvalues": eigenvalues} | dict.fromkeys(("nodes", "weights"), RUNS * STEPS)
    arrays |= {name: np.empty((*shape, size)) for name, size in sizes.items()}
    for row, depth in enumerate(depths):
        for column, width in enumerate(widths):
            solution = solve(context, data, {**network, "width": width, "depth": depth}, training)
            numbers, spectrum = measured(context, solution, eigenvalues)
            for name, value in (numbers | vars(spectrum)).items():
                arrays[name][row, column] = value
    return Outcome({}, {**arrays, "widths": np.array(widths), "depths": np.array(depths)})


@dataclass(frozen=True)
class Grid:
    """All runs together.

    Attributes:
        widths: (w,).
        depths: (d,), ascending.
        quantities: (seeds, d, w), by name; among them ``effective_dimensionality``,
            ``computed``, what the largest eigenvalues alone make of it, and ``least_computed``, the
            smallest of these.
    """

    widths: NDArray[np.int64]
    depths: NDArray[np.int64]
    quantities: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, runs: Sequence[Run], alpha: float = HEADLINE_ALPHA) -> Grid:
        """The runs of each seed one below the other, by depth.

        Raises:
            GengapError: a seed misses networks that another one has.
        """
        by_seed: dict[int, list[Run]] = defaultdict(list)
        for one in runs:
            by_seed[one.seed].append(one)
        stacked: dict[str, list[NDArray[Any]]] = defaultdict(list)
        for some in by_seed.values():
            arrays = [one.outcome.arrays for one in some]
            depths = np.concatenate([a["depths"] for a in arrays])
            order = np.argsort(depths)
            stacked["depths"].append(depths[order])
            stacked["widths"].append(arrays[0]["widths"])
            for name in (*QUANTITIES, *SPECTRA):
                stacked[name].append(np.concatenate([a[name] for a in arrays])[order])
        if len({values.shape for values in stacked["eigenvalues"]}) > 1:
            raise GengapError(
                "The seeds of width_depth have different networks: run every width and depth of "
                "every seed."
            )
        quantities = {name: np.stack(stacked[name]) for name in QUANTITIES}
        spectrum = Spectrum.of({name: np.stack(stacked[name]) for name in SPECTRA})
        quantities["effective_dimensionality"] = spectrum.dimensions([alpha])[..., 0]
        quantities["computed"] = spectrum.computed([alpha])[..., 0]
        quantities["least_computed"] = np.nanmin(spectrum.eigenvalues, axis=-1)
        return cls(stacked["widths"][0], stacked["depths"][0], quantities)

    @property
    def fitting(self) -> NDArray[np.bool_]:
        """Networks (seeds, d, w) of low training loss."""
        return self.quantities["train_loss"] <= LOW_TRAIN_LOSS

    def correlations(self, name: str, against: str = "test_loss") -> NDArray[np.float64]:
        """Spearman's rank correlation with the test loss among networks that fit, of each seed.

        NaN where fewer than three networks fit.
        """
        pairs = zip(self.quantities[name], self.quantities[against], self.fitting, strict=True)
        return np.array(
            [rank_correlation(some[rows], losses[rows]) for some, losses, rows in pairs]
        )


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``width_depth``: maps over the grid; ``explanations``: quantities against the test loss."""
    grid = Grid.of(runs)
    return {"width_depth": _maps(grid), "explanations": _explanations(grid)}


@styled
def _maps(grid: Grid) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.9)
    names = {
        "train_loss": "training loss",
        "test_loss": "test loss",
        "effective_dimensionality": f"N_eff, α = {HEADLINE_ALPHA:g}",
    }
    for axes, (name, title) in zip(figure.subplots(1, 3, sharey=True), names.items(), strict=True):
        _map(axes, grid, name, title)
    notes_below(
        figure,
        [
            f"Mean over {len(grid.quantities['parameters'])} seeds. White lines: equal numbers of "
            f"parameters; black: training loss {LOW_TRAIN_LOSS:g}.",
        ],
    )
    return figure


def _map(axes: Axes, grid: Grid, name: str, title: str) -> None:
    columns, rows = np.arange(len(grid.widths)), np.arange(len(grid.depths))
    means = {key: values.mean(axis=0) for key, values in grid.quantities.items()}
    image = axes.pcolormesh(columns, rows, means[name], cmap=ORDERED, shading="nearest")
    axes.get_figure().colorbar(image, ax=axes, location="top", label=title, shrink=0.9)  # type: ignore[union-attr]
    if min(means[name].shape) > 1:
        _contours(axes, columns, rows, means)
    axes.set_xticks(columns, [str(width) for width in grid.widths])
    axes.set_yticks(rows, [str(depth) for depth in grid.depths])
    axes.set_xlabel("width")
    if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
        axes.set_ylabel("depth")


def _contours(
    axes: Axes,
    columns: NDArray[np.int64],
    rows: NDArray[np.int64],
    means: Mapping[str, NDArray[np.float64]],
) -> None:
    sizes = np.log10(means["parameters"])
    levels = np.linspace(sizes.min(), sizes.max(), 6)[1:-1]
    axes.contour(columns, rows, sizes, levels=levels, colors="white", linewidths=0.7)
    loss = means["train_loss"]
    if loss.min() < LOW_TRAIN_LOSS < loss.max():
        axes.contour(columns, rows, loss, levels=[LOW_TRAIN_LOSS], colors=BLACK, linewidths=1.2)


@styled
def _explanations(grid: Grid) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.4)
    panels = figure.subplots(1, len(EXPLANATIONS), sharey=True)
    fitting, losses = grid.fitting, grid.quantities["test_loss"]
    for axes, (title, name) in zip(panels, EXPLANATIONS.items(), strict=True):
        values = grid.quantities[name]
        axes.scatter(values[~fitting], losses[~fitting], s=8, color=GREY, alpha=0.5)
        axes.scatter(values[fitting], losses[fitting], s=10, color=PALETTE[0])
        mean, low, high = interval(grid.correlations(name).tolist())
        axes.set_title(f"ρ = {mean:.2f}\n[{low:.2f}, {high:.2f}]")
        axes.set_xlabel(title.replace(" of the ", "\nof the ").replace("effective ", "effective\n"))
        axes.set_xscale("linear" if name == "loss_sharpness" else "log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel("test loss")
    notes_below(
        figure,
        [
            f"Blue: networks with training loss up to {LOW_TRAIN_LOSS:g}; grey: others. ρ: "
            "Spearman's correlation among the blue ones of a seed, mean and 95% interval."
        ],
    )
    return figure
