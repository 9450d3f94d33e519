"""Double descent: networks of growing width, their losses and their effective dimensionality.

Maddox et al. 2020, figure 1: ResNet18(k) on CIFAR-100. One run trains the networks of one seed, or
those of some of its widths; runs of one seed belong together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.figures.style import (
    DOUBLE_COLUMN,
    GREY,
    PALETTE,
    legend_below,
    new_figure,
    notes_below,
    styled,
)
from gengap.studies import Context, Outcome, Run, load_data
from gengap.studies.maddox2020.panels import curve
from gengap.studies.maddox2020.solutions import (
    QUANTITIES,
    SPECTRA,
    Spectrum,
    measured,
    solve,
)

INTERPOLATION = 0.01
"""Training error from which on a network counts as fitting its labels."""
HEADLINE_ALPHA = 1.0


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    widths: Sequence[int],
    eigenvalues: int = 100,
) -> Outcome:
    """Train a network of each width on the same data and labels.

    Args:
        context: of the run.
        dataset: keywords of ``gengap.datasets.load``.
        network: a template or an architecture that has a ``width``.
        training: entries of a recipe.
        widths: those of the run.
        eigenvalues: how many of the largest are computed.
    """
    data = load_data(context, dataset)
    rows, spectra = [], []
    for width in widths:
        solution = solve(context, data, {**network, "width": width}, training)
        numbers, spectrum = measured(context, solution, eigenvalues)
        rows.append(numbers)
        spectra.append(spectrum)
    arrays = {name: np.array([row[name] for row in rows]) for name in QUANTITIES}
    arrays |= {name: np.array([getattr(each, name) for each in spectra]) for name in SPECTRA}
    return Outcome({}, {**arrays, "widths": np.array(widths)})


@dataclass(frozen=True)
class Sweep:
    """All runs together.

    Attributes:
        widths: (m,), ascending.
        quantities: (seeds, m), by name.
        spectrum: of all networks (seeds, m).
    """

    widths: NDArray[np.int64]
    quantities: dict[str, NDArray[np.float64]]
    spectrum: Spectrum

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Sweep:
        """The runs of each seed side by side, by width.

        Raises:
            GengapError: a seed misses widths that another one has.
        """
        by_seed: dict[int, list[Run]] = defaultdict(list)
        for one in runs:
            by_seed[one.seed].append(one)
        joined = []
        for some in by_seed.values():
            arrays = [one.outcome.arrays for one in some]
            together = {name: np.concatenate([a[name] for a in arrays]) for name in arrays[0]}
            order = np.argsort(together["widths"])
            joined.append({name: values[order] for name, values in together.items()})
        widths = joined[0]["widths"]
        if any(not np.array_equal(arrays["widths"], widths) for arrays in joined):
            raise GengapError(
                "The seeds of double_descent have different widths: run every width of every seed."
            )
        quantities = {
            name: np.stack([arrays[name] for arrays in joined]).astype(float) for name in QUANTITIES
        }
        spectra = {name: np.stack([arrays[name] for arrays in joined]) for name in SPECTRA}
        return cls(widths, quantities, Spectrum.of(spectra))

    @property
    def interpolating(self) -> NDArray[np.bool_]:
        """Of each width (m,), whether the networks of all seeds fit their training labels."""
        return np.asarray((self.quantities["train_error"] <= INTERPOLATION).all(axis=0))

    def dimension(self, alpha: float = HEADLINE_ALPHA) -> NDArray[np.float64]:
        """N_eff (seeds, m)."""
        return self.spectrum.dimensions([alpha])[..., 0]


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``double_descent``: losses, error and N_eff; ``spectra``: eigenvalues, and N_eff by alpha."""
    sweep = Sweep.of(runs)
    return {"double_descent": _curves(sweep), "spectra": _spectra(sweep)}


@styled
def _curves(sweep: Sweep) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.6)
    panels = figure.subplots(1, 3)
    x = sweep.quantities["parameters"][0]
    test_loss, test_error = sweep.quantities["test_loss"], sweep.quantities["test_error"]
    curve(panels[0], x, sweep.quantities["train_loss"], PALETTE[0], "training", marker="s")
    curve(panels[0], x, test_loss, PALETTE[1], "test")
    panels[0].set_ylabel("cross-entropy")
    panels[0].legend()
    curve(panels[1], x, 100 * test_error, PALETTE[1])
    panels[1].set_ylabel("test error (%)")
    curve(panels[2], x, sweep.dimension(), PALETTE[2], marker="^")
    panels[2].set_ylabel(f"N_eff, α = {HEADLINE_ALPHA:g}")
    notes = [f"Bands: 95% intervals of the mean over {len(test_loss)} seeds."]
    if sweep.interpolating.any():
        first = x[np.argmax(sweep.interpolating)]
        notes[0] += " Dashed: the smallest network that fits its labels with every seed."
        for axes in panels:
            axes.axvline(first, color=GREY, linestyle="--", linewidth=0.8, zorder=0.5)
    tops = (test_loss.max(), 100 * test_error.max(), sweep.dimension().max())
    for axes, top in zip(panels, tops, strict=True):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("parameters")
        axes.set_ylim(0, 1.1 * top)  # intervals of few seeds reach far beyond what was seen
    notes_below(figure, notes)
    return figure


@styled
def _spectra(sweep: Sweep) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 3.0)
    spectra, alphas = figure.subplots(1, 2)
    chosen = np.unique(np.linspace(0, len(sweep.widths) - 1, len(PALETTE)).round().astype(int))
    grid = np.logspace(-3, 2, 60)
    handles = []
    dimensions = sweep.spectrum.dimensions(grid.tolist()).mean(axis=0)
    for colour, position in zip(PALETTE, chosen, strict=False):
        values = sweep.spectrum.eigenvalues[:, position]
        positive = np.where(values > 0, values, np.nan)
        label = f"width {sweep.widths[position]}"
        middle = np.exp(np.log(positive).mean(axis=0))
        (line,) = spectra.plot(np.arange(1, values.shape[1] + 1), middle, color=colour, label=label)
        handles.append(line)
        alphas.plot(grid, dimensions[position], color=colour)
    spectra.set_yscale("log")
    spectra.set_xlabel("place")
    spectra.set_ylabel("eigenvalue of the Hessian")
    alphas.set_xscale("log")
    alphas.set_xlabel("α")
    alphas.set_ylabel("N_eff")
    legend_below(figure, handles)
    return figure
