"""The paper's claims, judged by the runs.

A claim states that one number or several are above a bound (0, unless it says otherwise).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.studies.claims import NEGATIVE, POSITIVE, Bound, Claim, Published
from gengap.studies.estimates import (
    Estimate,
    Estimates,
    Kind,
    of_kind,
    rank_correlation,
)
from gengap.studies.maddox2020 import guides
from gengap.studies.maddox2020.experiments.bayesian_network import BayesianNetworkRun
from gengap.studies.maddox2020.experiments.degenerate_directions import DegenerateDirectionsRun
from gengap.studies.maddox2020.experiments.double_descent import DoubleDescentRun
from gengap.studies.maddox2020.experiments.posterior_contraction import PosteriorContractionRun
from gengap.studies.maddox2020.experiments.posterior_contraction import Result as Contraction
from gengap.studies.maddox2020.experiments.posterior_contraction import (
    Settings as ContractionSettings,
)
from gengap.studies.maddox2020.experiments.random_features import RandomFeaturesRun
from gengap.studies.maddox2020.experiments.width_depth import WidthDepthRun
from gengap.studies.maddox2020.measurements import HEADLINE_ALPHA, Measurements
from gengap.studies.maddox2020.sweeps import (
    BOUNDS_AND_PATHS,
    INTERPOLATION,
    LOW_TRAIN_LOSS,
    Grid,
    Sweep,
    correlations_by_seed,
)
from gengap.studies.outcomes import AnyRun, Floats

DEGENERATE = "degenerate_"
"""Names of the experiments on directions begin so."""

FIGURE_1 = "figure 1, ResNet18 on CIFAR-100, read off"
PUBLISHED_ALPHA = 0.001
"""Of the published notebook on random features, in the convention used here."""

LEAST_FITTING = 3
"""Widths of a sweep at which every seed's network has to fit its labels."""

SAME = 0.95
"""Predictions count as the same where at least this fraction of them is."""


def claims(runs: Mapping[str, Sequence[AnyRun]]) -> list[Claim]:
    """Judge the claims that the experiments with runs bear on, in the order of the paper."""
    judged: list[Claim] = []
    for name, claims_of in _CLAIMS_OF.items():
        if runs.get(name):
            judged += claims_of(runs[name])
    for name, of_experiment in runs.items():
        if name.startswith(DEGENERATE):
            data = name.removeprefix(DEGENERATE).replace("_", " ")
            judged.append(_degenerate(data, of_experiment))
    return judged


def _double_descent(runs: Sequence[DoubleDescentRun]) -> list[Claim]:
    sweep = Sweep.of(runs)
    networks, fits = sweep.networks, sweep.interpolating
    along = runs[0].settings.along
    title = "The test loss descends twice"
    paper = (
        f"As the {along} grows, the test loss falls, rises up to where the network just fits its "
        "training labels, and falls again."
    )
    if fits.sum() < LEAST_FITTING:
        return [_nothing_fits(sweep, title, paper, along)]
    first = int(np.argmax(fits))
    descent = _descent(networks, first)
    rivals = {
        "N_eff": networks.dimension,
        "largest eigenvalue": networks.lambda_max,
        "parameters": networks.parameters,
    }
    outcomes = {
        "test loss": networks.test_loss,
        "test error": networks.test_error,
        "gap": networks.gap,
    }
    tracking: Estimates = {
        f"{quantity} with {name}": Estimate(
            correlations_by_seed(numbers, values, fits), Kind.CORRELATION
        )
        for quantity, numbers in rivals.items()
        for name, values in outcomes.items()
    }
    with_parameters = correlations_by_seed(networks.dimension, networks.parameters, fits)
    size: Estimates = {"N_eff with parameters": Estimate(with_parameters, Kind.CORRELATION)}
    widths = f"{along}s {sweep.widths[fits][0]} to {sweep.widths[-1]}"
    fitting = np.broadcast_to(fits, networks.test_loss.shape)

    def published(number: str) -> Published | None:
        return Published(number, FIGURE_1, comparable=False) if along == "width" else None

    return [
        Claim(
            title,
            paper,
            f"Differences of the test loss along the {along}. The best narrower {along} of each "
            "seed is that of the least mean over the other seeds. With every seed, training errors "
            f"are first at most {INTERPOLATION:g} at {along} {sweep.widths[first]}.",
            descent,
            {name: POSITIVE for name in descent if name.startswith("test loss")},
            published=published("test loss 1.63 at width 7, 2.32 at width 19, 1.45 at width 65"),
        ),
        Claim(
            "N_eff falls with width among networks that fit",
            "In the overparametrised regime wider networks have a lower effective dimensionality.",
            f"Spearman's correlation of N_eff with the number of parameters, {widths}.",
            size,
            NEGATIVE,
            published=published("N_eff 93.3 at width 19, 84.6 at width 64"),
        ),
        Claim(
            "N_eff follows the test loss among networks that fit",
            "In the overparametrised regime the effective dimensionality tracks the test loss.",
            f"Spearman's correlation, {widths}, α = {HEADLINE_ALPHA:g}. "
            f"{_left_out(networks, fitting)}",
            tracking | size,
            {"N_eff with test loss": POSITIVE},
            published=published("Spearman's correlation 0.89, computed here, widths 20 to 64"),
        ),
        *_guides(networks, fits, f"over {along}"),
    ]


def _nothing_fits(sweep: Sweep, title: str, paper: str, along: str) -> Claim:
    """The claim of a sweep in which too few networks fit, on which its other claims rest too."""
    number = f"{along}s that fit"
    return Claim(
        title,
        paper,
        f"The number of {along}s of a seed at which the training error is at most "
        f"{INTERPOLATION:g}. The claim presupposes {LEAST_FITTING} of them, the same ones for "
        "every seed. So do the claims on N_eff of networks that fit.",
        {number: Estimate([float(count) for count in sweep.fitting.sum(axis=1)])},
        {},
        {number: Bound(LEAST_FITTING - 0.5)},
    )


def _guides(networks: Measurements, selected: NDArray[np.bool_], where: str) -> list[Claim]:
    """The claims on N_eff as a guide that every sweep of sizes bears on."""
    return [
        guides.beyond_parameters(networks, selected, where),
        guides.beside_rivals(networks, selected, where),
        guides.choice_of_alpha(networks, selected, where),
    ]


def _descent(networks: Measurements, first: int) -> Estimates:
    """How far the test loss falls and rises around the first width that fits."""
    loss, error = networks.test_loss, networks.test_error
    falls = {
        "test loss, first fitting minus widest": loss[:, first] - loss[:, -1],
        "test error, first fitting minus widest": error[:, first] - error[:, -1],
    }
    if first and len(loss) > 1:
        best = _best_of_others(loss[:, :first])
        falls["test loss, narrowest minus best narrower"] = loss[:, 0] - best
        falls["test loss, first fitting minus best narrower"] = loss[:, first] - best
    return {
        name: Estimate(
            values.tolist(), Kind.DIFFERENCE if name.startswith("test error") else Kind.MEAN
        )
        for name, values in falls.items()
    }


def _best_of_others(losses: Floats) -> Floats:
    """Each seed's loss (seeds,) at the width that is best for the other seeds."""
    # A width chosen by the seed's own noise would have too small a loss.
    best = [np.delete(losses, seed, axis=0).mean(axis=0).argmin() for seed in range(len(losses))]
    return losses[np.arange(len(losses)), best]


def _left_out(networks: Measurements, selected: NDArray[np.bool_]) -> str:
    """What N_eff of the selected networks does not see."""
    least, mass = networks.lambda_min[selected], networks.negative_mass[selected]
    return (
        f"N_eff leaves out the eigenvalues below zero. Of these networks the most negative one is "
        f"{least.min():.2g}. At most {networks.negatives[selected].max():.0f} are below -0.01 "
        f"times the largest. All together have an estimated mass of {np.median(mass):.2g} (median; "
        f"{mass.max():.2g} at most)."
    )


def _width_depth(runs: Sequence[WidthDepthRun]) -> list[Claim]:
    grid = Grid.of(runs)
    networks, explanations = grid.networks, grid.explanations()
    estimates: Estimates = {
        f"{title} with {name}": Estimate(
            correlations_by_seed(values, outcomes, grid.fitting), Kind.CORRELATION
        )
        for title, values in explanations.items()
        for name, outcomes in (
            ("test loss", networks.test_loss),
            ("test error", networks.test_error),
            ("gap", networks.gap),
        )
    }
    with_loss = {title: estimates[f"{title} with test loss"].values for title in explanations}
    leader, *others = with_loss
    ahead: Estimates = {
        f"ahead of {title}": Estimate(
            (np.abs(with_loss[leader]) - np.abs(with_loss[title])).tolist(), Kind.DIFFERENCE
        )
        for title in others
        if title not in BOUNDS_AND_PATHS
    }
    return [
        Claim(
            "N_eff explains the test loss over width and depth",
            "Among networks of low training loss, over width and depth, the effective "
            "dimensionality is positively correlated with the test loss.",
            f"Spearman's correlation among networks with training loss up to {LOW_TRAIN_LOSS:g}: "
            f"{grid.fitting.all(axis=0).sum()} of {grid.fitting[0].size} with every seed."
            f"{_estimated(grid)}",
            estimates,
            {f"{leader} with test loss": POSITIVE},
            published=Published(
                "Spearman's correlation 0.92, computed here, 52 networks of training loss up to "
                f"{LOW_TRAIN_LOSS:g}",
                "figure 2, ConvNets on CIFAR-100, colours read off",
                comparable=False,
            ),
        ),
        Claim(
            "N_eff explains more than counting parameters, norms and sharpness do",
            "The effective dimensionality is a better guide than the number of parameters and than "
            "norms or flatness.",
            "Size of the correlation of N_eff with the test loss, minus that of the other's.",
            ahead,
        ),
        *_guides(networks, grid.fitting, "over width and depth"),
    ]


def _estimated(grid: Grid) -> str:
    """How much of N_eff of the networks that fit is estimated, and what it leaves out."""
    networks, fitting = grid.networks, grid.fitting
    if not fitting.any():
        return ""
    leading = networks.spectrum.leading_dimensions([HEADLINE_ALPHA])[..., 0]
    fraction = 1 - leading[fitting] / networks.dimension[fitting]
    least = np.nanmin(networks.eigenvalues, axis=-1)[fitting].max()
    return (
        f" Of N_eff {np.median(fraction):.0%} (median; {fraction.max():.0%} at most) is estimated: "
        f"it is of eigenvalues beyond those computed. The smallest of these is {least:.2g} at "
        f"most. {_left_out(networks, fitting)}"
    )


def _posterior_contraction(runs: Sequence[PosteriorContractionRun]) -> list[Claim]:
    published = Published(
        "N_eff of the covariance 71, 37, 4 and 0 (10, 100, 200 and 300 data)",
        "figure 4, read off",
        comparable=all(_as_in_the_notebook(run.settings) for run in runs),
    )
    results = [run.result for run in runs]
    return [_contraction(results, "Bayesian linear regression", published)]


def _as_in_the_notebook(settings: ContractionSettings) -> bool:
    """Whether model, data and alpha are those of the published notebook, the defaults here."""
    return dataclasses.replace(settings, counts=()) == ContractionSettings(counts=())


def _bayesian_network(runs: Sequence[BayesianNetworkRun]) -> list[Claim]:
    results = [run.result for run in runs]
    counts = results[0].counts
    number = _at(counts, "eigenvalues below zero", counts, [result.negatives for result in results])
    mass = _at(counts, "mass below zero", counts, [result.negative_mass for result in results])
    indefinite = " The Hessian's N_eff leaves out its eigenvalues below zero."
    published = Published(
        "N_eff of the covariance 194 (100 data) and 43 (5000 data)",
        "figure 4, a larger network, read off",
        comparable=False,
    )
    return [_contraction(results, "a small Bayesian network", published, number | mass, indefinite)]


def _contraction(
    results: Sequence[Contraction],
    model: str,
    published: Published,
    further: Estimates | None = None,
    remark: str = "",
) -> Claim:
    """The claim on one model, with further estimates that do not decide it."""
    counts = results[0].counts
    correlations = {
        "covariance falls": [-rank_correlation(counts, result.covariance) for result in results],
        "Hessian rises": [rank_correlation(counts, result.hessian) for result in results],
    }
    trends = of_kind(correlations, Kind.CORRELATION)
    shown = [10, 100, 200, 300]
    if not set(shown) <= set(counts):
        shown = [int(counts[0]), int(counts[-1])]
    covariance = _at(
        shown, "N_eff of the covariance", counts, [result.covariance for result in results]
    )
    hessian = _at(shown, "N_eff of the Hessian", counts, [result.hessian for result in results])
    return Claim(
        f"Posterior contraction: {model}",
        "With more data the effective dimensionality of the posterior's covariance falls while "
        "that of the Hessian rises.",
        "Rank correlations with the number of data, each in the direction of the claim, and N_eff "
        f"at some numbers of data.{remark}",
        trends | covariance | hessian | (further or {}),
        dict.fromkeys(trends, POSITIVE),
        published=published,
    )


def _at(shown: Iterable[float], title: str, counts: Floats, curves: Sequence[Floats]) -> Estimates:
    """Estimates of a quantity at some numbers of data, from the curve of each seed."""
    rows = {f"{title}, n = {count:g}": int(np.argmax(counts == count)) for count in shown}
    return {name: Estimate([float(curve[row]) for curve in curves]) for name, row in rows.items()}


def _random_features(runs: Sequence[RandomFeaturesRun]) -> list[Claim]:
    by_quantity: dict[str, list[float]] = {
        "N_eff with test error": [],
        "min(n, d) - N_eff with test error": [],
    }
    for run in runs:
        result = run.result
        wide = result.features >= run.settings.samples
        quantities = (result.effective_dimensionality, result.published)
        for correlations, values in zip(by_quantity.values(), quantities, strict=True):
            correlations.append(rank_correlation(values[wide], result.test_error[wide]))
    return [
        Claim(
            "Random features: N_eff follows the test error in the overparametrised regime",
            "In a linear model on weakly informative features the effective dimensionality falls "
            "with the test error beyond d = n; the figure shows min(n, d) - N_eff.",
            "Spearman's correlation over d from n on.",
            of_kind(by_quantity, Kind.CORRELATION),
            {"N_eff with test error": POSITIVE},
            published=Published(
                "min(n, d) - N_eff 6.4 (d = 201) and 0.2 (d = 399), test error 1.4 and 0.07",
                "the figure of the published notebook, α = 0.001, n = 200, read off",
                comparable=all(run.settings.alpha == PUBLISHED_ALPHA for run in runs),
            ),
        )
    ]


def _degenerate(data: str, runs: Sequence[DegenerateDirectionsRun]) -> Claim:
    agreement = {
        name: np.stack([run.result.moves[name].train_agreement for run in runs])
        for name in runs[0].result.moves
    }
    top, scales = agreement.pop("top"), runs[0].result.scales
    changed = top.mean(axis=0) < SAME
    place = int(np.argmax(changed)) if changed.any() else len(scales) - 1
    length = f"{scales[place]:g} ‖w‖"
    estimates: Estimates = {}
    bounds: dict[str, Bound] = {}
    for name, values in agreement.items():
        ahead, same = f"{name} minus top, over all lengths", f"{name}, at {length}"
        estimates[ahead] = Estimate((values - top).mean(axis=1).tolist(), Kind.DIFFERENCE)
        estimates[same] = Estimate(values[:, place].tolist(), Kind.SHARE)
        bounds |= {ahead: POSITIVE, same: Bound(SAME)}
    estimates[f"top, at {length}"] = Estimate(top[:, place].tolist(), Kind.SHARE)
    return Claim(
        f"Degenerate directions: {data}",
        "Moves along directions of low curvature leave the predictions as they are. Moves of the "
        "same length along the leading eigenvectors of the Hessian change them.",
        f"Fraction of the training inputs with the same prediction. {length} is the first length "
        f"at which the leading directions change more than {1 - SAME:.0%}.",
        estimates,
        bounds,
        published=Published(
            "0.98 of the training inputs along low curvature, 0.51 along high, at length 1",
            "the figure of the authors' notebook on CIFAR-10, read off",
            comparable=False,
        ),
    )


_CLAIMS_OF: Mapping[str, Callable[[Sequence[Any]], list[Claim]]] = {
    "double_descent": _double_descent,
    "width_depth": _width_depth,
    "fixed_size": guides.of_fixed_size,
    "posterior_contraction": _posterior_contraction,
    "bayesian_network": _bayesian_network,
    "random_features": _random_features,
}
