"""Double descent of least squares on weakly informative features.

Maddox et al. 2020, section 6: a target y ~ N(0, 1), features x_j = y + N(0, 1), j = 1, ..., d, and
the least-squares solution of smallest norm. The paper's text speaks of the effective dimensionality
of the Hessian X^T X / n; its figure shows min(n, d) - N_eff. The two have opposite signs, so both
are computed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gengap.curvature import effective_dimensionality
from gengap.figures.style import (
    DOUBLE_COLUMN,
    GREY,
    PALETTE,
    new_figure,
    notes_below,
    styled,
)
from gengap.seeding import generator
from gengap.studies import Context, Outcome, Run
from gengap.studies.maddox2020.panels import curve


def run(
    context: Context,
    *,
    samples: int = 200,
    test_samples: int = 1000,
    features: Sequence[int] = (
        *(10, 25, 50, 75, 100, 125, 150, 175, 190, 200),
        *(210, 225, 250, 300, 400, 500, 650, 800, 1000),
    ),
    alpha: float = 0.1,
) -> Outcome:
    """Test error and N_eff of each number of features; more features hold the fewer ones.

    Args:
        context: of the run.
        samples, test_samples: n of both splits.
        features: numbers d.
        alpha: of N_eff of the Hessian X^T X / n of half the mean squared error.
    """
    rng = generator(context.seed, "random features")
    inputs, targets = _points(samples, max(features), rng)
    test_inputs, test_targets = _points(test_samples, max(features), rng)
    errors, dimensions = [], []
    for count in features:
        weights = np.linalg.lstsq(inputs[:, :count], targets, rcond=None)[0]
        wrong = test_inputs[:, :count] @ weights - test_targets
        errors.append(np.linalg.norm(wrong) / np.linalg.norm(test_targets))
        curvatures = np.linalg.svd(inputs[:, :count], compute_uv=False) ** 2 / samples
        dimensions.append(effective_dimensionality(curvatures, alpha))
    ranks = np.minimum(samples, features)
    arrays = {
        "features": np.array(features, float),
        "test_error": np.array(errors),
        "effective_dimensionality": np.array(dimensions),
        "published": ranks - np.array(dimensions),
    }
    return Outcome({"samples": float(samples), "alpha": alpha}, arrays)


def _points(
    count: int, features: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    targets = rng.standard_normal(count)
    return targets[:, None] + rng.standard_normal((count, features)), targets


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``random_features``: the test error, N_eff, and the published difference."""
    return {"random_features": _curves(runs)}


@styled
def _curves(runs: Sequence[Run]) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 2.4)
    panels = figure.subplots(1, 3)
    names = {
        "test_error": "test error, relative",
        "effective_dimensionality": "N_eff",
        "published": "min(n, d) − N_eff",
    }
    x = runs[0].outcome.arrays["features"]
    samples = runs[0].outcome.values["samples"]
    for axes, colour, (name, label) in zip(panels, PALETTE, names.items(), strict=False):
        curve(axes, x, np.stack([run.outcome.arrays[name] for run in runs]), colour)
        axes.axvline(samples, color=GREY, linestyle="--", linewidth=0.8, zorder=0.5)
        axes.set_xscale("log")
        axes.set_xlabel("features d")
        axes.set_ylabel(label)
    panels[0].set_yscale("log")
    alpha = runs[0].outcome.values["alpha"]
    notes_below(
        figure,
        [
            f"Dashed: as many features as data, n = {samples:g}. α = {alpha:g}. Bands: 95% "
            f"intervals of the mean over {len(runs)} seeds."
        ],
    )
    return figure
