"""Posterior contraction in Bayesian linear regression: with more data, the effective dimensionality
of the posterior's covariance falls while that of the Hessian rises.

Maddox et al. 2020, section 4 and figure 4. With features Phi (n, p), noise of variance s2 and a
prior N(0, v I), the Hessian of the negative log-likelihood is H = Phi^T Phi / s2 and the covariance
of the posterior (H + I / v)^-1. Features are cos(k pi x) and sin(k pi x), k = 1, 2, ..., p / 2, at
points x drawn without replacement from an even grid on [0, 50]. The published code divides by 0.1
and calls it the noise's standard deviation; 0.1 is the variance here, which gives its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gengap.curvature import effective_dimensionality
from gengap.errors import GengapError
from gengap.figures.style import PALETTE, SINGLE_COLUMN, new_figure, notes_below, styled
from gengap.seeding import generator
from gengap.studies import Context, Outcome, Run
from gengap.studies.maddox2020.panels import curve

INTERVAL = 50.0


def run(
    context: Context,
    *,
    counts: Sequence[int] = (10, 25, 50, 75, 100, 125, 150, 175, 200, 225, 250, 275, 300),
    features: int = 200,
    points: int = 300,
    noise_variance: float = 0.1,
    prior_variance: float = 3.0,
    covariance_alpha: float = 5.0,
    hessian_alpha: float = 1.0,
) -> Outcome:
    """Both dimensionalities at growing numbers of data; a larger set holds the smaller ones.

    Args:
        context: of the run.
        counts: numbers of data n.
        features: p, even.
        points: of the grid.
        noise_variance: s2.
        prior_variance: v.
        covariance_alpha, hessian_alpha: of the two effective dimensionalities.

    Raises:
        GengapError: more data than points.
    """
    if max(counts) > points:
        raise GengapError(f"'counts' has {max(counts)} but there are {points} points: add points.")
    x = generator(context.seed, "points").permutation(np.linspace(0, INTERVAL, points))
    design = fourier_features(x, features)
    covariance, hessian = [], []
    for count in counts:
        precision = design[:count].T @ design[:count] / noise_variance
        curvatures = np.linalg.eigvalsh(precision).clip(0)
        hessian.append(effective_dimensionality(curvatures, hessian_alpha))
        variances = 1 / (curvatures + 1 / prior_variance)
        covariance.append(effective_dimensionality(variances, covariance_alpha))
    arrays = {"counts": np.array(counts), "covariance": covariance, "hessian": hessian}
    return Outcome({}, {name: np.asarray(values, float) for name, values in arrays.items()})


def fourier_features(x: NDArray[np.float64], features: int) -> NDArray[np.float64]:
    """cos(k pi x) and sin(k pi x), k = 1, 2, ..., of x (n,), as (n, features)."""
    angles = np.pi * np.outer(x, np.arange(1, features // 2 + 1))
    return np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(x), -1)


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``posterior_contraction``: both against the number of data."""
    return {"posterior_contraction": contraction(runs)}


@styled
def contraction(runs: Sequence[Run]) -> Figure:
    """N_eff of ``covariance`` and ``hessian`` against ``counts`` of the runs."""
    figure = new_figure(SINGLE_COLUMN, 2.7)
    falling = figure.subplots()
    rising = falling.twinx()
    x = runs[0].outcome.arrays["counts"]
    series = {
        name: np.stack([run.outcome.arrays[name] for run in runs])
        for name in ("covariance", "hessian")
    }
    curve(falling, x, series["covariance"], PALETTE[0])
    curve(rising, x, series["hessian"], PALETTE[1], marker="s")
    falling.set_xlabel("number of data")
    falling.set_ylabel("N_eff of the posterior covariance (●)", color=PALETTE[0])
    rising.set_ylabel("N_eff of the Hessian (■)", color=PALETTE[1])
    for axes in (falling, rising):
        axes.set_ylim(bottom=0)
    rising.spines["right"].set_visible(True)
    notes_below(figure, [f"Bands: 95% intervals of the mean over {len(runs)} seeds."])
    return figure
