"""The figures of each experiment, by a function of the experiment's name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import NDArray

from gengap.curvature.margin import REACHED
from gengap.figures.style import (
    BLACK,
    DIVERGING,
    DOUBLE_COLUMN,
    GREY,
    MARKERS,
    ORDERED,
    PALETTE,
    SMALL_SIZE,
    legend_below,
    new_figure,
    styled,
)
from gengap.studies.estimates import by_seed
from gengap.studies.outcomes import (
    Floats,
    Integers,
    RunT,
    group_runs,
    setting,
    varying_settings,
)
from gengap.studies.plotting import (
    OPEN_DOT,
    plot_band,
    plot_dots,
    plot_interval,
    plot_regions,
    plot_seeds,
)
from gengap.studies.sabanayagam2023.alignment_maps import (
    ALIGNMENT,
    EmbeddedRow,
    Row,
    embedding_figure,
    map_figure,
    reconstruction_figure,
)
from gengap.studies.sabanayagam2023.experiments import complexity as of_complexity
from gengap.studies.sabanayagam2023.experiments import simplicity as of_simplicity
from gengap.studies.sabanayagam2023.experiments.boundary import BoundaryRun
from gengap.studies.sabanayagam2023.experiments.dynamics import DynamicsRun
from gengap.studies.sabanayagam2023.experiments.images import ImagesRun
from gengap.studies.sabanayagam2023.experiments.intro import IntroRun

SETUP_LABELS = {
    "normal": "normal",
    "random_labels": "random labels",
    "adversarial": "adversarial start",
    "large_norm": "large norm",
    "noisy_start": "noisy start",
    "file": "from a file",
}
SETUP_COLOURS = {
    "normal": PALETTE[0],
    "adversarial": PALETTE[1],
    "large_norm": PALETTE[2],
    "noisy_start": PALETTE[1],
}

COMPLEXITY_PANELS: dict[str, Callable[[of_complexity.ComplexitySolution], float]] = {
    "test accuracy": lambda solution: solution.fit.test_accuracy,
    "boundary length": lambda solution: solution.boundary_length,
    r"$G_\theta$ (count)": lambda solution: solution.measures.g_theta_count,
    r"tr $H$": lambda solution: solution.measures.trace,
    r"$\lambda_1$": lambda solution: solution.measures.lambda_1,
    "outliers": lambda solution: solution.measures.outliers,
    r"$\lambda_i > -\lambda_{min}$": lambda solution: solution.measures.outliers_above_bulk,
}
COUNTED = ("outliers", r"$\lambda_i > -\lambda_{min}$", r"$G_\theta$ (count)")
ESTIMATE = "margin from\n$|A_1|=1$"
SIMPLICITY_PANELS: dict[str, Callable[[of_simplicity.SimplicitySolution], float]] = {
    "boundary length": lambda solution: solution.boundary_length,
    r"$G_\theta$ (count)": lambda solution: solution.measures.g_theta_count,
    "least distance\nto the boundary": lambda solution: solution.margins.least,
    "mean distance\nto the boundary": lambda solution: solution.margins.mean,
    "distance of\n$x^{min}$, $x^{max}$": lambda solution: solution.margins.extremes,
    ESTIMATE: lambda solution: solution.margins.estimate,
}
DYNAMICS_PANELS: dict[str, tuple[str, ...]] = {
    "training cross-entropy (nats)": ("train_loss",),
    r"$\lambda_1$; dashed: tr $H$": ("lambda_1", "trace"),
    "outliers (eigenvalues)": ("outliers",),
    r"$G_\theta$ (eigenvectors)": ("g_theta_count",),
    "NC1: variance within over\nbetween classes (ratio)": ("nc1",),
    "distance from the simplex: angles\n(NC2); dashed: weights (NC3)": ("nc2_angles", "nc3"),
}
"""The quantities of each panel's two line styles, by its title; NC2 and NC3 have no unit."""
LOGARITHMIC = (r"tr $H$", r"$\lambda_1$")
LOGARITHMIC_CURVES = ("train_loss", "lambda_1", "trace", "nc1")

ROW_HEIGHT = 1.15
FEW_DECADES = 100


def intro(runs: Sequence[IntroRun]) -> dict[str, Figure]:
    """Plot predictions, gradients and alignment along x of the run that fits best."""
    return {"introduction": _introduction(min(runs, key=lambda run: run.result.fit.train_loss))}


def boundary(
    runs: Sequence[BoundaryRun], *, maps: int | None = None, own_colours: bool = False
) -> dict[str, Figure]:
    """Plot regions and maps of the first seed, a row per grid point, and what the maps recover.

    Args:
        runs: of all grid points and seeds.
        maps: how many eigenvectors at most; None takes all that were mapped.
        own_colours: whether each map has a scale of colours of its own.

    Returns:
        The figures by name.
    """
    rows, thresholds = _boundary_rows(runs)
    return {
        "boundary": _boundary(rows, maps, own_colours),
        "reconstruction": _reconstruction(rows, thresholds),
    }


def complexity(
    runs: Sequence[of_complexity.ComplexityRun],
    *,
    maps: int | None = None,
    own_colours: bool = False,
) -> dict[str, Figure]:
    """Plot maps, spectra, samples and coherence of each grid point, and quantities of all runs.

    Args:
        runs: of all grid points and seeds; single solutions are those of the first seed.
        maps: how many eigenvectors at most; None takes all that were mapped.
        own_colours: whether each map has a scale of colours of its own.

    Returns:
        The figures by name; with several grid points the names of single solutions end in theirs.
    """

    def boundaries(run: of_complexity.ComplexityRun) -> Figure:
        return _complex_boundaries(run, maps, own_colours)

    def rescaled(run: of_complexity.ComplexityRun) -> Figure:
        return _rescaled_boundaries(run, maps, own_colours)

    figures = {
        "complex_boundaries": boundaries,
        "rescaled_boundaries": rescaled,
        "spectra": _spectra,
        "alignment_of_samples": _alignment_of_samples,
        "coherence": _coherence,
    }
    drawn: dict[str, Figure] = {}
    for name, plot in figures.items():
        drawn |= _of_each_point(name, runs, plot)
    protocols = group_runs(runs, lambda run: run.settings.protocol)
    for protocol, own in protocols.items():
        drawn[f"outliers_{protocol}" if len(protocols) > 1 else "outliers"] = _outliers(own)
    return {**drawn, "quantities": _quantities(runs)}


def simplicity(
    runs: Sequence[of_simplicity.SimplicityRun],
    *,
    maps: int | None = None,
    own_colours: bool = False,
) -> dict[str, Figure]:
    """Plot maps and margins of each grid point, and all margins at the least cross-entropy.

    Args:
        runs: of all grid points and seeds; single solutions are those of the first seed.
        maps: how many eigenvectors at most; None takes all that were mapped.
        own_colours: whether each map has a scale of colours of its own.

    Returns:
        The figures by name.
    """
    least = min(run.settings.loss for run in runs)

    def bias(run: of_simplicity.SimplicityRun) -> Figure:
        return _simplicity_bias(run, maps, own_colours)

    return {
        **_of_each_point("simplicity_bias", runs, bias),
        **_of_each_point("margin_estimation", runs, _margin_estimation),
        "margins": _margins([run for run in runs if run.settings.loss == least]),
    }


def images(runs: Sequence[ImagesRun], *, maps: int = 4) -> dict[str, Figure]:
    """Plot the embedding of each grid point's images, coloured by their alignment.

    Args:
        runs: of all grid points and seeds; the figures are those of the first seed.
        maps: how many eigenvectors at most.

    Returns:
        The figures by name.
    """
    return _of_each_point("tsne", runs, lambda run: _tsne(run, maps))


def dynamics(runs: Sequence[DynamicsRun]) -> dict[str, Figure]:
    """Plot every quantity by epoch."""
    return {"dynamics": _dynamics(runs)}


def _of_each_point(
    name: str, runs: Sequence[RunT], plot: Callable[[RunT], Figure]
) -> dict[str, Figure]:
    """A figure of the first seed of each grid point, whose name ends in what varies."""
    points = _of_first_seed(runs)
    if len(points) == 1:
        return {name: plot(points[0])}
    varying = varying_settings(points)
    figures: dict[str, Figure] = {}
    for run in points:
        words = "_".join(
            f"{key.replace('.', '_')}_{_words(value)}" if _is_bare(value) else _words(value)
            for key, value in ((key, setting(run.settings, key)) for key in varying)
        )
        full = f"{name}_{words}".strip("_")
        figures[full if full not in figures else f"{full}_{len(figures)}"] = plot(run)
    return figures


def _of_first_seed(runs: Sequence[RunT]) -> list[RunT]:
    """The runs of all grid points with the first seed."""
    first = min(run.seed for run in runs)
    return [run for run in runs if run.seed == first]


def _is_bare(value: Any) -> bool:
    """Whether a value says nothing without the name of its setting."""
    return value is None or isinstance(value, bool | int | float)


def _words(value: Any) -> str:
    """The value of a setting as part of a file's name; data by their name and classes."""
    if isinstance(value, Mapping) and "name" in value:
        value = [value["name"], *value.get("groups", [])]
    elif isinstance(value, Mapping):
        value = list(value.values())
    if value is None:
        return "none"
    return re.sub("[^A-Za-z0-9.]+", "_", str(value)).strip("_")


@styled
def _introduction(run: IntroRun) -> Figure:
    """Panels along x on the left; spectrum and loss surface on the right."""
    result = run.result
    figure = new_figure(DOUBLE_COLUMN, 3.9)
    left, right = figure.subfigures(1, 2, width_ratios=[1.75, 1], squeeze=False)[0]
    grid = left.subplots(3, 2, height_ratios=[1.1, 1, 0.6], width_ratios=[12, 1.4])
    panels, strip = grid[:, 0], grid[1, 1]
    for axes in (grid[0, 1], grid[2, 1]):
        axes.set_axis_off()
    for axes in panels:
        axes.sharex(panels[2])
    _plot_vectors(strip, run)
    _plot_logits(panels[0], run)
    size = float(np.abs(result.gradients).max())
    _plot_along_x(left, panels[1], run, result.gradients, size, "$g(x)/|g(x)|$")
    panels[1].set_ylabel("parameter")
    _plot_along_x(left, panels[2], run, result.alignments.T, 1.0, "$A_i(x)$")
    panels[2].set(yticks=[0.5, 1.5], yticklabels=["$v_1$", "$v_2$"], xlabel="input $x$")
    for axes in panels:
        for section in result.sections:
            axes.axvline(section, color=BLACK, linestyle=":", linewidth=0.8)
    spectrum, surface = right.subplots(2, 1, height_ratios=[1, 1.25])
    values, steps = result.eigenvalues, result.steps
    spectrum.plot(np.arange(1, len(values) + 1), values, "o", color=BLACK, markersize=2.5)
    spectrum.set(xlabel="$i$-th largest eigenvalue", ylabel=r"$\lambda_i$")
    image = surface.contourf(steps, steps, np.log10(result.surface), levels=15, cmap=ORDERED)
    surface.plot(0, 0, "o", color="white", markeredgecolor=BLACK, markersize=4)
    surface.set(xlabel="along $v_1$", ylabel="along $v_2$")
    right.colorbar(image, ax=surface, label=r"$\log_{10}$ loss")
    return figure


def _plot_vectors(axes: Axes, run: IntroRun) -> None:
    """The components of v1 and v2, in the order of the parameters beside them."""
    size = float(np.abs(run.result.vectors).max())
    axes.imshow(
        run.result.vectors,
        cmap=DIVERGING,
        vmin=-size,
        vmax=size,
        aspect="auto",
        interpolation="nearest",
    )
    axes.set(xticks=[0, 1], xticklabels=["$v_1$", "$v_2$"], yticks=[])


def _plot_logits(axes: Axes, run: IntroRun) -> None:
    result = run.result
    for label in (0, 1):
        axes.plot(result.x, result.logits[:, label], color=PALETTE[label])
        inputs = result.inputs[result.labels == label]
        axes.plot(
            inputs,
            np.full(len(inputs), result.logits.min()),
            MARKERS[label],
            color=PALETTE[label],
            label=f"class {label + 1}",
            markersize=4,
            clip_on=False,
        )
    axes.axhline(0, color=GREY, linewidth=0.5)
    axes.set_ylabel("logit")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)


def _plot_along_x(
    figure: SubFigure,
    axes: Axes,
    run: IntroRun,
    rows: NDArray[np.floating],
    size: float,
    label: str,
) -> None:
    """Rows of values along x, coloured from -size to size."""
    x = run.result.x
    image = axes.imshow(
        rows,
        cmap=DIVERGING,
        vmin=-size,
        vmax=size,
        aspect="auto",
        extent=(x[0], x[-1], len(rows), 0),
        interpolation="nearest",
    )
    figure.colorbar(image, ax=axes, label=label, pad=0.01)


def _boundary_rows(runs: Sequence[BoundaryRun]) -> tuple[list[Row], list[float]]:
    """A row per grid point, of its first seed, and the thresholds of their G_theta."""
    first = _of_first_seed(runs)
    varying = varying_settings(first)
    rows = [
        Row(
            _row_label(run, varying),
            run.result.maps,
            run.result.eigenvalues,
            run.result.points,
            run.result.labels,
        )
        for run in first
    ]
    return rows, [run.result.solution.measures.threshold for run in first]


@styled
def _boundary(rows: Sequence[Row], maps: int | None, own_colours: bool) -> Figure:
    height = ROW_HEIGHT * len(rows) + 0.3
    return map_figure(rows, DOUBLE_COLUMN * 0.8, height, maps=maps, own_colours=own_colours)


@styled
def _reconstruction(rows: Sequence[Row], thresholds: Sequence[float]) -> Figure:
    height = (ROW_HEIGHT + 0.25) * len(rows) + 0.3
    return reconstruction_figure(rows, thresholds, DOUBLE_COLUMN * 0.45, height)


def _row_label(run: BoundaryRun, varying: Sequence[str]) -> str:
    """What of a row's settings is not that of all rows."""
    settings, words = run.settings, []
    if "dataset" in varying:
        words += str(settings.dataset["name"]).replace("gauss_mixture", "gauss").split("_")
        if "groups" in settings.dataset:
            words.append(f"{len(settings.dataset['groups'])} classes")
    if "loss" in varying:
        words.append(settings.loss.replace("_", "\n"))
    if settings.optimiser:
        words.append(str(settings.optimiser.get("optimiser", "")))
    for key in ("network", "gradient", "hessian_subset", "setup"):
        if key in varying:
            value = getattr(settings, key)
            shown = "all" if value is None else _words(value).replace("_", ", ")
            words.append(f"{key.replace('_', ' ')}:\n{shown}")
    return "\n".join(words)


@styled
def _complex_boundaries(
    run: of_complexity.ComplexityRun, maps: int | None, own_colours: bool
) -> Figure:
    """Regions and alignments with the top eigenvectors, a row per start."""
    result = run.result
    rows = [
        Row(SETUP_LABELS[setup], own.maps, own.eigenvalues, result.points, result.labels)
        for setup, own in result.solutions.items()
    ]
    return map_figure(rows, DOUBLE_COLUMN, 3.9, maps=maps, own_colours=own_colours)


@styled
def _rescaled_boundaries(
    run: of_complexity.ComplexityRun, maps: int | None, own_colours: bool
) -> Figure:
    """The same of the reparameterised networks."""
    result = run.result
    rows = [
        Row(
            f"{SETUP_LABELS[setup]},\nlayers scaled",
            own.rescaled_maps,
            own.rescaled_eigenvalues,
            result.points,
            result.labels,
        )
        for setup, own in result.solutions.items()
    ]
    return map_figure(rows, DOUBLE_COLUMN, 3.9, maps=maps, own_colours=own_colours)


@styled
def _coherence(run: of_complexity.ComplexityRun) -> Figure:
    """Cosines of the training inputs' gradients, ordered by class, a panel per start."""
    solutions, labels = run.result.solutions, np.sort(run.result.labels)
    figure = new_figure(DOUBLE_COLUMN, 2.4)
    panels = figure.subplots(1, len(solutions))
    ends = np.flatnonzero(np.diff(labels)) + 0.5
    for axes, (setup, solution) in zip(panels, solutions.items(), strict=True):
        image = axes.imshow(
            solution.coherence, cmap=DIVERGING, norm=ALIGNMENT, interpolation="nearest"
        )
        for end in ends:
            axes.axhline(end, color=BLACK, linewidth=0.5)
            axes.axvline(end, color=BLACK, linewidth=0.5)
        axes.set(title=SETUP_LABELS[setup], xlabel="training input, by class", xticks=[], yticks=[])
    panels[0].set_ylabel("training input, by class")
    figure.colorbar(image, ax=list(panels), label="cosine of gradients", fraction=0.03, pad=0.02)
    return figure


@styled
def _spectra(run: of_complexity.ComplexityRun) -> Figure:
    """Histograms of all eigenvalues, a panel per start; outliers and -lambda_min marked."""
    solutions = run.result.solutions
    figure = new_figure(DOUBLE_COLUMN, 2.2)
    panels = figure.subplots(1, len(solutions), sharey=True)
    for axes, (setup, solution) in zip(panels, solutions.items(), strict=True):
        values, count = solution.eigenvalues, solution.measures.outliers
        axes.hist(values, bins=120, color=SETUP_COLOURS[setup])
        axes.plot(values[:count], np.full(count, 1.6), "x", color=BLACK, markersize=4)
        axes.axvline(-min(values[-1], 0.0), color=GREY, linestyle=":", linewidth=0.8)
        axes.set_yscale("log")
        above = solution.measures.outliers_above_bulk
        axes.set(
            title=f"{SETUP_LABELS[setup]}\n(outliers: {count}, above the dotted bulk: {above})",
            xlabel=r"eigenvalue $\lambda$",
        )
    panels[0].set_ylabel("eigenvalues")
    return figure


@styled
def _alignment_of_samples(run: of_complexity.ComplexityRun) -> Figure:
    """Each sample's alignment with the top eigenvectors, a panel per start, means by class."""
    solutions, labels = run.result.solutions, run.result.labels
    figure = new_figure(DOUBLE_COLUMN, 2.7)
    panels = figure.subplots(1, len(solutions), sharey=True)
    for axes, (setup, solution) in zip(panels, solutions.items(), strict=True):
        order = np.arange(1, solution.alignments.shape[1] + 1)
        for label in np.unique(labels):
            own = solution.alignments[labels == label]
            axes.plot(order, own.T, color=PALETTE[label], alpha=0.12, linewidth=0.5)
            axes.plot(order, own.mean(axis=0), color=PALETTE[label], label=f"class {label + 1}")
        axes.set(title=SETUP_LABELS[setup], ylim=(-1, 1), xlim=(1, len(order)))
        axes.set_xlabel("eigenvector, by eigenvalue")
        measures = solution.measures
        text = (
            rf"$G_\theta={measures.g_theta:.3f}$ ({measures.g_theta_count})"
            + "\n"
            + rf"tr $H={measures.trace:.3g}$, $\lambda_1={measures.lambda_1:.3g}$"
        )
        axes.text(0.97, 0.03, text, transform=axes.transAxes, ha="right")
    panels[0].set_ylabel("alignment $A_i(x)$")
    panels[-1].legend(loc="upper right", ncols=1)
    return figure


@styled
def _quantities(runs: Sequence[of_complexity.ComplexityRun]) -> Figure:
    """Quantities of the starts: a dot and a line per run, mean and interval over seeds."""
    setups = of_complexity.COMPARED
    protocols = group_runs(runs, lambda run: run.settings.protocol)
    figure = new_figure(DOUBLE_COLUMN, 2.0 * len(protocols) + 0.2)
    grid = figure.subplots(len(protocols), len(COMPLEXITY_PANELS), squeeze=False)
    labels = [SETUP_LABELS[setup].removesuffix(" start") for setup in setups]
    for row, (protocol, own) in zip(grid, protocols.items(), strict=True):
        for axes, (title, quantity) in zip(row, COMPLEXITY_PANELS.items(), strict=True):
            values = [_of_setup(setup, quantity) for setup in setups]
            table = np.array([[value(run) for value in values] for run in own])
            plot_dots(axes, table, [SETUP_COLOURS[setup] for setup in setups])
            for place, value in enumerate(values):
                plot_interval(axes, place + 0.25, by_seed(own, value).values)
            if title in LOGARITHMIC and np.all(table > 0):
                axes.set_yscale("log")
            axes.set_xticks(range(len(setups)), labels, rotation=45, ha="right")
            axes.set(title=title, xlim=(-0.4, len(setups) - 0.4))
        row[0].set_ylabel(f"{protocol}\nprotocol")
    return figure


def _of_setup(
    setup: str, quantity: Callable[[of_complexity.ComplexitySolution], float]
) -> Callable[[of_complexity.ComplexityRun], float]:
    return lambda run: quantity(run.result.solutions[setup])


@styled
def _outliers(runs: Sequence[of_complexity.ComplexityRun]) -> Figure:
    """Both numbers of outliers, and G_theta, against the length of the boundary."""
    figure = new_figure(DOUBLE_COLUMN, 2.6)
    datasets = group_runs(runs, lambda run: str(run.settings.dataset["name"]))
    for axes, title in zip(figure.subplots(1, len(COUNTED)), COUNTED, strict=True):
        for marker, own in zip(MARKERS, datasets.values(), strict=False):
            for setup in of_complexity.COMPARED:
                solutions = [run.result.solutions[setup] for run in own]
                axes.plot(
                    [solution.boundary_length for solution in solutions],
                    [COMPLEXITY_PANELS[title](solution) for solution in solutions],
                    marker,
                    color=SETUP_COLOURS[setup],
                    markersize=3.5,
                    alpha=0.8,
                )
        axes.set(xlabel="length of the boundary\n(sides of the plane)", ylabel=title)
    handles = [
        Line2D([], [], color=SETUP_COLOURS[setup], label=SETUP_LABELS[setup])
        for setup in of_complexity.COMPARED
    ]
    handles += [
        Line2D([], [], marker=marker, color=GREY, label=name.replace("_", " "), ms=4, linestyle="")
        for marker, name in zip(MARKERS, datasets, strict=False)
    ]
    legend_below(figure, handles)
    return figure


@styled
def _simplicity_bias(
    run: of_simplicity.SimplicityRun, maps: int | None, own_colours: bool
) -> Figure:
    """Regions and alignments with the top eigenvectors, a row per start."""
    result = run.result
    rows = [
        Row(
            f"{SETUP_LABELS[setup]}\n" + rf"$G_\theta$: {own.measures.g_theta_count}",
            own.maps,
            own.eigenvalues,
            result.points,
            result.labels,
        )
        for setup, own in result.solutions.items()
    ]
    return map_figure(rows, DOUBLE_COLUMN * 0.8, 3.6, maps=maps, own_colours=own_colours)


@styled
def _margin_estimation(run: of_simplicity.SimplicityRun) -> Figure:
    """Points of alignment 1, the inputs of extreme alignment, and the nearest boundary to them."""
    result = run.result
    figure = new_figure(DOUBLE_COLUMN * 0.8, 3.9)
    panels = figure.subplots(1, len(result.solutions))
    marks: list[Line2D] = []
    for axes, (setup, solution) in zip(panels, result.solutions.items(), strict=True):
        maps, margins = solution.maps, solution.margins
        plot_regions(axes, maps.x, maps.y, maps.predicted, result.points, result.labels)
        marks = _plot_marks(axes, margins)
        axes.set_title(SETUP_LABELS[setup])
        axes.set_xlabel(
            f"margin from $x_b$: {margins.estimate:.2f}, direct: {margins.extremes:.2f}\n"
            f"(best $|A_1|$: {margins.best_alignment:.3f})",
            fontsize=SMALL_SIZE,
        )
    legend_below(figure, marks)
    return figure


def _plot_marks(axes: Axes, margins: of_simplicity.Margins) -> list[Line2D]:
    marks = []
    for points, marker, colour, label in (
        (margins.aligned_points, "o", "white", "$x_b$ of each start"),
        (margins.best_point[np.newaxis], "*", PALETTE[3], "best $x_b$"),
        (margins.extreme_points[:1], "P", PALETTE[4], "$x^{max}$"),
        (margins.extreme_points[1:], "X", PALETTE[4], "$x^{min}$"),
        (margins.nearest_points, "d", BLACK, "boundary nearest to them"),
    ):
        marks += axes.plot(
            *points.T,
            marker,
            color=colour,
            markeredgecolor=BLACK,
            markeredgewidth=0.6,
            markersize=9 if marker == "*" else 5,
            linestyle="none",
            label=label,
        )
    return marks


@styled
def _margins(runs: Sequence[of_simplicity.SimplicityRun]) -> Figure:
    """Quantities of the two starts, a dot per run and a line per pair of the same seed."""
    setups = of_simplicity.COMPARED
    figure = new_figure(DOUBLE_COLUMN, 2.4)
    aligned = np.array([run.result.aligned for run in runs])
    panels = figure.subplots(1, len(SIMPLICITY_PANELS))
    for axes, (title, quantity) in zip(panels, SIMPLICITY_PANELS.items(), strict=True):
        table = np.array([[quantity(run.result.solutions[s]) for s in setups] for run in runs])
        # Pairs without a point of alignment 1 for both have no estimate of the margin.
        filled = aligned if title == ESTIMATE else np.ones_like(aligned)
        plot_dots(axes, table, [SETUP_COLOURS[setup] for setup in setups], filled=filled)
        for place in range(len(setups)):
            plot_interval(axes, place, list(table[filled, place]))
        axes.set_xticks([0, 1], ["normal", "noisy\nstart"])
        axes.set(title=title, xlim=(-0.5, 1.5))
    if not aligned.all():
        label = rf"no point of $|A_1| \geq {REACHED:g}$ for both"
        legend_below(figure, [Line2D([], [], marker="o", color=GREY, label=label, **OPEN_DOT)])
    return figure


@styled
def _tsne(run: ImagesRun, maps: int) -> Figure:
    """Inputs by class and by their alignment with each top eigenvector, and the spectrum."""
    result = run.result
    rows = [
        EmbeddedRow(
            f"{SETUP_LABELS[setup]}\n" + rf"$G_\theta$: {solution.measures.g_theta_count}",
            solution.alignments,
            solution.eigenvalues,
        )
        for setup, solution in result.solutions.items()
    ]
    names = _class_names(run, result.labels)
    return embedding_figure(rows, result.embedding, result.labels, names, maps)


def _class_names(run: ImagesRun, labels: Integers) -> dict[int, str]:
    """The names of the classes: the digits, or other labels, that the dataset's groups join."""
    dataset = run.settings.dataset
    groups = dataset.get("groups") or [[label] for label in dataset.get("classes") or ()]
    present = [int(label) for label in np.unique(labels)]
    return {
        label: ", ".join(map(str, groups[label])) if groups else str(label) for label in present
    }


@styled
def _dynamics(runs: Sequence[DynamicsRun]) -> Figure:
    """Six panels of one or two quantities; epochs on a logarithmic axis that starts with 0."""
    figure = new_figure(DOUBLE_COLUMN, 3.9)
    panels = figure.subplots(2, 3, sharex=True)
    epochs = runs[0].result.checkpoints
    handles: list[Line2D] = []
    for axes, (title, names) in zip(panels.ravel(), DYNAMICS_PANELS.items(), strict=True):
        curves = {
            (setup, name): np.array([run.result.curves[setup][name] for run in runs])
            for setup, name in itertools.product(runs[0].result.curves, names)
        }
        if set(names) <= set(LOGARITHMIC_CURVES) and all((of > 0).all() for of in curves.values()):
            axes.set_yscale("log")
        lines = [
            _plot_curves(axes, epochs, setup, of_seeds, "-" if name == names[0] else "--")
            for (setup, name), of_seeds in curves.items()
        ]
        handles = lines[:: len(names)]
        _label_few_decades(axes)
        axes.set_title(title)
        axes.set_xscale("symlog", linthresh=1)
    for axes in panels[-1]:
        axes.set_xlabel("epoch")
    legend_below(figure, handles, "mean and 95% interval over seeds; faint: single seeds")
    return figure


def _label_few_decades(axes: Axes) -> None:
    """Label 1, 2 and 5 of each decade, where a logarithmic axis has two decades at most."""
    low, high = axes.get_ylim()
    if axes.get_yscale() != "log" or high > FEW_DECADES * low:
        return
    axes.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_formatter(plain)


def _plot_curves(
    axes: Axes, epochs: NDArray[np.integer], setup: str, curves: Floats, linestyle: str
) -> Line2D:
    """Every seed's curve, and the mean with its interval."""
    colour = SETUP_COLOURS[setup]
    plot_seeds(axes, epochs, curves, colour)
    return plot_band(axes, epochs, curves, colour, label=SETUP_LABELS[setup], linestyle=linestyle)
