"""The study's figures: one function for each experiment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from gengap.figures.style import (
    BLACK,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    ORDERED,
    PALETTE,
    legend_below,
    new_figure,
    notes_below,
    styled,
)
from gengap.studies.estimates import Estimate, Kind
from gengap.studies.maddox2020.experiments.bayesian_network import BayesianNetworkRun
from gengap.studies.maddox2020.experiments.degenerate_directions import (
    DegenerateDirectionsRun,
    PredictionMap,
)
from gengap.studies.maddox2020.experiments.double_descent import DoubleDescentRun
from gengap.studies.maddox2020.experiments.fixed_size import FixedSizeRun
from gengap.studies.maddox2020.experiments.posterior_contraction import PosteriorContractionRun
from gengap.studies.maddox2020.experiments.posterior_contraction import Result as Contraction
from gengap.studies.maddox2020.experiments.random_features import RandomFeaturesRun
from gengap.studies.maddox2020.experiments.width_depth import WidthDepthRun
from gengap.studies.maddox2020.measurements import HEADLINE_ALPHA, LEADING
from gengap.studies.maddox2020.sweeps import LOW_TRAIN_LOSS, Grid, Sweep, correlations_by_seed
from gengap.studies.outcomes import Floats, Integers
from gengap.studies.plotting import plot_band, plot_regions

_LABELS = {
    "top": "leading eigenvectors",
    "rest": "orthogonal to them",
    "bottom": "least curved eigenvectors",
    "random": "random directions",
}
SMALLEST_ERROR = 1e-6
"""Training errors below this are rounding."""

_COLOURS = dict(zip(_LABELS, PALETTE, strict=False))


def double_descent(
    runs: Sequence[DoubleDescentRun], *, alpha: float = HEADLINE_ALPHA
) -> dict[str, Figure]:
    """Plot losses, error and N_eff at alpha by width; and the spectra, with N_eff by alpha."""
    sweep, along = Sweep.of(runs), runs[0].settings.along
    return {"double_descent": _descent(sweep, alpha), "spectra": _spectra(sweep, along)}


@styled
def _descent(sweep: Sweep, alpha: float) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.8)
    panels = figure.subplots(1, 3)
    networks = sweep.networks
    x, test_error = networks.parameters[0], 100 * networks.test_error
    handles = [
        plot_band(panels[0], x, networks.train_loss, PALETTE[0], label="training", marker="s"),
        plot_band(panels[0], x, networks.test_loss, PALETTE[1], label="test", marker="o"),
        plot_band(panels[0], x, networks.gap, GREY, label="gap", linestyle=":"),
    ]
    panels[0].set_ylabel("cross-entropy (nats)")
    plot_band(panels[1], x, test_error, PALETTE[1], marker="o")
    panels[1].set_ylabel("test error (%)")
    dimension = networks.dimension_at(alpha)
    known = min(LEADING, networks.eigenvalues.shape[-1])
    handles += [
        plot_band(panels[2], x, dimension, PALETTE[2], marker="^", label="N_eff, all eigenvalues"),
        plot_band(
            panels[2],
            x,
            networks.leading_dimension_at(alpha),
            PALETTE[3],
            marker="v",
            linestyle="--",
            label=f"N_eff, the {known} largest",
        ),
    ]
    panels[2].set_ylabel(f"N_eff, α = {alpha:g}")
    note = _bands(len(test_error))
    if sweep.interpolating.any():
        first = x[np.argmax(sweep.interpolating)]
        note += " Dashed: the smallest network that fits its labels with every seed."
        for axes in panels:
            axes.axvline(first, color=GREY, linestyle="--", linewidth=0.8, zorder=0.5)
    for axes, values in zip(panels, (networks.test_loss, test_error, dimension), strict=True):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("parameters")
        lowest = min(0.0, 1.1 * networks.gap.min()) if axes is panels[0] else 0.0
        axes.set_ylim(
            lowest, 1.1 * values.max()
        )  # intervals of few seeds reach far beyond the values
    legend_below(figure, handles)
    notes_below(figure, [note])
    return figure


@styled
def _spectra(sweep: Sweep, along: str) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 3.0)
    spectra, alphas = figure.subplots(1, 2)
    shown = np.unique(np.linspace(0, len(sweep.widths) - 1, len(PALETTE)).round().astype(int))
    grid = np.logspace(-3, 2, 60)
    dimensions_of_seeds = sweep.networks.spectrum.dimensions(grid.tolist())
    dimensions = dimensions_of_seeds.mean(axis=0)
    for colour, position in zip(PALETTE, shown, strict=False):
        values = sweep.networks.eigenvalues[:, position]
        positive = np.where(values > 0, values, np.nan)
        spectra.plot(
            np.arange(1, values.shape[1] + 1),
            np.exp(np.log(positive).mean(axis=0)),
            color=colour,
            label=f"{along} {sweep.widths[position]}",
        )
        alphas.plot(grid, dimensions[position], color=colour)
    spectra.set_yscale("log")
    spectra.set_xlabel("place, from the largest")
    spectra.set_ylabel("eigenvalue of the Hessian")
    alphas.set_xscale("log")
    alphas.set_xlabel("α")
    alphas.set_ylabel("N_eff")
    means = f"means over {len(dimensions_of_seeds)} seeds (of eigenvalues: geometric)"
    legend_below(figure, spectra.get_lines(), means)
    return figure


def width_depth(
    runs: Sequence[WidthDepthRun], *, alpha: float = HEADLINE_ALPHA
) -> dict[str, Figure]:
    """Plot maps over width and depth, N_eff at alpha; and quantities against the test loss."""
    grid = Grid.of(runs)
    return {"width_depth": _maps(grid, alpha), "explanations": _explanations(grid, alpha)}


@styled
def _maps(grid: Grid, alpha: float) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.9)
    maps = {
        "training loss": grid.networks.train_loss,
        "test loss": grid.networks.test_loss,
        "generalisation gap": grid.networks.gap,
        f"N_eff, α = {alpha:g}": grid.networks.dimension_at(alpha),
    }
    columns, rows = np.arange(len(grid.widths)), np.arange(len(grid.depths))
    panels = figure.subplots(1, len(maps), sharey=True)
    for axes, (title, values) in zip(panels, maps.items(), strict=True):
        means = values.mean(axis=0)
        image = axes.pcolormesh(columns, rows, means, cmap=ORDERED, shading="nearest")
        figure.colorbar(image, ax=axes, location="top", label=title, shrink=0.9)
        if min(means.shape) > 1:
            _contours(axes, columns, rows, grid)
        axes.set_xticks(columns, [str(width) for width in grid.widths])
        axes.set_yticks(rows, [str(depth) for depth in grid.depths])
        axes.set_xlabel("width")
    panels[0].set_ylabel("depth")
    note = (
        f"Mean over {len(grid.networks.parameters)} seeds. White lines: equal numbers of "
        f"parameters; black: training loss {LOW_TRAIN_LOSS:g}."
    )
    notes_below(figure, [note])
    return figure


def _contours(axes: Axes, columns: Integers, rows: Integers, grid: Grid) -> None:
    sizes = np.log10(grid.networks.parameters.mean(axis=0))
    levels = np.linspace(sizes.min(), sizes.max(), 6)[1:-1]
    axes.contour(columns, rows, sizes, levels=levels, colors="white", linewidths=0.7)
    loss = grid.networks.train_loss.mean(axis=0)
    if loss.min() < LOW_TRAIN_LOSS < loss.max():
        axes.contour(columns, rows, loss, levels=[LOW_TRAIN_LOSS], colors=BLACK, linewidths=1.2)


@styled
def _explanations(grid: Grid, alpha: float) -> Figure:
    explanations = grid.explanations(alpha)
    columns = -(-len(explanations) // 2)
    figure = new_figure(DOUBLE_COLUMN, 4.6)
    rows = figure.subplots(2, columns, sharey=True)
    panels = rows.ravel()[: len(explanations)]
    for unused in rows.ravel()[len(explanations) :]:
        unused.set_visible(False)
    fitting, losses = grid.fitting, grid.networks.test_loss
    for axes, (title, values) in zip(panels, explanations.items(), strict=True):
        axes.scatter(values[~fitting], losses[~fitting], s=8, color=GREY, alpha=0.5)
        axes.scatter(values[fitting], losses[fitting], s=10, color=PALETTE[0])
        rho = Estimate(correlations_by_seed(values, losses, fitting), Kind.CORRELATION)
        mean, low, high = rho.interval()
        spread = f"\n[{low:.2f}, {high:.2f}]" if np.isfinite([low, high]).all() else ""
        axes.set_title(f"ρ = {mean:.2f}{spread}" if np.isfinite(mean) else "too few blue networks")
        axes.set_xlabel(title.replace(" of the ", "\nof the ").replace("effective ", "effective\n"))
        axes.set_xscale("linear" if title == "sharpness" else "log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    for row in rows:
        row[0].set_ylabel("test loss")
    note = (
        f"Blue: networks with training loss up to {LOW_TRAIN_LOSS:g}; grey: others. ρ: Spearman's "
        "correlation among the blue ones of a seed, mean and 95% interval."
    )
    notes_below(figure, [note])
    return figure


def fixed_size(runs: Sequence[FixedSizeRun], *, alpha: float = HEADLINE_ALPHA) -> dict[str, Figure]:
    """Plot the test loss of networks of one size by N_eff at alpha, and by training loss."""
    return {"fixed_size": _fixed_size(runs, alpha)}


@styled
def _fixed_size(runs: Sequence[FixedSizeRun], alpha: float) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 3.0)
    panels = figure.subplots(1, 2, sharey=True)
    decays = np.unique(np.concatenate([run.result.weight_decay for run in runs]))
    for decay, colour, marker in zip(decays, PALETTE, MARKERS, strict=False):
        for number, run in enumerate(runs):
            networks, chosen = run.result.networks, run.result.weight_decay == decay
            fits = networks.train_loss <= LOW_TRAIN_LOSS
            by_quantity = (networks.dimension_at(alpha), networks.train_loss)
            for axes, values in zip(panels, by_quantity, strict=True):
                for rows, fill in ((chosen & fits, colour), (chosen & ~fits, "none")):
                    axes.scatter(
                        values[rows],
                        networks.test_loss[rows],
                        s=14,
                        marker=marker,
                        facecolors=fill,
                        edgecolors=colour,
                        linewidths=0.8,
                        label=f"weight decay {decay:g}" if number == 0 and fill == colour else None,
                    )
    panels[0].set_xlabel(f"N_eff, α = {alpha:g}")
    panels[1].set_xlabel("training loss")
    panels[0].set_ylabel("test loss")
    panels[1].legend()
    note = f"Filled: training loss up to {LOW_TRAIN_LOSS:g}. All seeds, batch sizes and starts."
    notes_below(figure, [note])
    return figure


def posterior_contraction(runs: Sequence[PosteriorContractionRun]) -> dict[str, Figure]:
    """Plot the effective dimensionalities of the linear model by number of data."""
    return {"posterior_contraction": _contraction([run.result for run in runs])}


def bayesian_network(runs: Sequence[BayesianNetworkRun]) -> dict[str, Figure]:
    """Plot the effective dimensionalities of the Bayesian network by number of data."""
    return {"bayesian_network": _contraction([run.result for run in runs])}


@styled
def _contraction(results: Sequence[Contraction]) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.7)
    falling, outputs = figure.subplots(1, 2, width_ratios=[1.3, 1])
    rising = falling.twinx()
    x = results[0].counts
    covariance = np.stack([result.covariance for result in results])
    hessian = np.stack([result.hessian for result in results])
    plot_band(falling, x, covariance, PALETTE[0], marker="o")
    plot_band(rising, x, hessian, PALETTE[1], marker="s")
    falling.set_xlabel("number of data")
    falling.set_ylabel("N_eff of the\nposterior covariance (●)", color=PALETTE[0])
    rising.set_ylabel("N_eff of the\nHessian (■)", color=PALETTE[1])
    function = np.stack([result.function for result in results])
    plot_band(outputs, x, function, PALETTE[2], marker="^")
    outputs.set_xlabel("number of data")
    outputs.set_ylabel("N_eff of the\noutputs' covariance")
    for axes in (falling, rising, outputs):
        axes.set_ylim(bottom=0)
    rising.spines["right"].set_visible(True)
    notes_below(figure, [_bands(len(covariance))])
    return figure


def random_features(runs: Sequence[RandomFeaturesRun]) -> dict[str, Figure]:
    """Plot errors, norm, N_eff and the published difference by number of features; and maps."""
    figures = {"random_features": _random_features(runs)}
    if runs[0].result.maps is not None:
        figures["maps"] = _feature_maps(runs)
    return figures


@styled
def _feature_maps(runs: Sequence[RandomFeaturesRun]) -> Figure:
    """The maps over samples and features, means over seeds."""
    maps = [run.result.maps for run in runs if run.result.maps is not None]
    figure = new_figure(DOUBLE_COLUMN, 2.6)
    panels = figure.subplots(1, 4, sharey=True)
    titles = {
        "test_error": "test error",
        "train_error": "training error",
        "norm": "norm of the ridge solution",
        "effective_dimensionality": "N_eff",
    }
    counts = maps[0].counts
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        values = np.mean([getattr(one, name) for one in maps], axis=0)
        logarithmic = name in ("test_error", "norm")
        image = axes.pcolormesh(
            counts,
            counts,
            values,
            cmap=ORDERED,
            norm=LogNorm() if logarithmic else None,
            shading="nearest",
        )
        axes.set_xlabel("features d")
        bar = figure.colorbar(image, ax=axes, location="top", label=title, shrink=0.9)
        bar.ax.xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel("samples n")
    notes_below(figure, [f"Means over {len(runs)} seeds. α = {runs[0].settings.alpha:g}."])
    return figure


@styled
def _random_features(runs: Sequence[RandomFeaturesRun]) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.4)
    panels = figure.subplots(1, 4)
    results, settings = [run.result for run in runs], runs[0].settings
    curves = {
        "test error, relative": [result.test_error for result in results],
        "norm of the ridge solution": [result.norm for result in results],
        "N_eff": [result.effective_dimensionality for result in results],
        "min(n, d) − N_eff": [result.published for result in results],
    }
    panels[0].set_yscale("log")
    for axes, colour, (label, values) in zip(panels, PALETTE, curves.items(), strict=False):
        plot_band(axes, results[0].features, np.stack(values), colour, marker="o")
        axes.axvline(settings.samples, color=GREY, linestyle="--", linewidth=0.8, zorder=0.5)
        axes.set_xscale("log")
        axes.set_xlabel("features d")
        axes.set_ylabel(label)
    train_error = np.stack([result.train_error for result in results])
    below = np.where(train_error > SMALLEST_ERROR, train_error, np.nan)
    plot_band(panels[0], results[0].features, below, GREY, marker="s")
    notes = [
        "Grey squares: training error, where it is not 0. Dashed: as many features as data, "
        f"n = {settings.samples}.",
        f"α = {settings.alpha:g}. {_bands(len(results))}",
    ]
    notes_below(figure, notes)
    return figure


def degenerate_directions(runs: Sequence[DegenerateDirectionsRun]) -> dict[str, Figure]:
    """Plot the effect of moves, loss surfaces and, for inputs in a plane, the predictions."""
    figures = {"moves": _moves(runs), "surfaces": _surfaces(runs[0])}
    if (plane := runs[0].result.plane) is not None:
        figures["planes"] = _planes(plane, runs[0].settings.plane_scale)
    return figures


@styled
def _moves(runs: Sequence[DegenerateDirectionsRun]) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.7)
    panels = figure.subplots(1, 3)
    panels[0].set_yscale("log")
    x = runs[0].result.scales
    for name in runs[0].result.moves:
        moves = [run.result.moves[name] for run in runs]
        curves: list[list[Floats]] = [
            [move.loss for move in moves],
            [100 * move.train_agreement for move in moves],
            [100 * move.test_agreement for move in moves],
        ]
        for axes, values in zip(panels, curves, strict=True):
            label = _LABELS[name]
            plot_band(axes, x, np.stack(values), _COLOURS[name], label=label, marker="o")
    titles = ("training loss", "same predictions, training (%)", "same predictions, test (%)")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_xlabel("length of the move, in |w|")
        axes.set_ylabel(title)
        axes.set_xscale("log")
    for axes in panels[1:]:
        axes.set_ylim(0, 103)
    bands = f"Moves along ... (bands: 95% intervals of the mean over {len(runs)} seeds)"
    legend_below(figure, panels[0].get_lines(), bands)
    return figure


@styled
def _surfaces(run: DegenerateDirectionsRun) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.6)
    surfaces = run.result.surfaces
    norm = LogNorm(min(map(np.min, surfaces.values())), max(map(np.max, surfaces.values())))
    panels = figure.subplots(1, len(surfaces), sharey=True)
    for axes, (name, surface) in zip(panels, surfaces.items(), strict=True):
        reach = run.result.scales.max()
        ends = np.linspace(-reach, reach, len(surface))
        image = axes.pcolormesh(ends, ends, surface, norm=norm, cmap=ORDERED, shading="nearest")
        axes.set_title(_LABELS[name])
        axes.set_aspect("equal")
        axes.set_xlabel("first, in |w|")
    panels[0].set_ylabel("second, in |w|")
    figure.colorbar(image, ax=list(panels), label="training loss", shrink=0.8)
    return figure


@styled
def _planes(plane: PredictionMap, scale: float) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.3)
    maps = {"trained": plane.unmoved} | {_LABELS[name]: plane.moved[name] for name in plane.moved}
    panels = figure.subplots(1, len(maps), sharex=True, sharey=True)
    for axes, (title, predicted) in zip(panels, maps.items(), strict=True):
        plot_regions(axes, plane.x, plane.y, predicted, plane.inputs, plane.labels)
        axes.set_title(title)
        axes.set_aspect("equal")
    notes_below(figure, [f"Predictions after one move of {scale:g} |w|."])
    return figure


def _bands(seeds: int) -> str:
    return f"Bands: 95% intervals of the mean over {seeds} seeds."
