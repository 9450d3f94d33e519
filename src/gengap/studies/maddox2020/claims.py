"""The paper's claims, judged by the runs.

A claim states that one number or several are above a bound (0, unless it says otherwise). It holds
if the 95% intervals of all of them are, does not hold if that of one is below, and is undecided
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.studies.claims import (
    POSITIVE,
    Bound,
    Claim,
    Estimates,
    exceeds,
    format_interval,
    interval,
    listed,
    rank_correlation,
)
from gengap.studies.maddox2020.experiments.bayesian_network import BayesianNetworkRun
from gengap.studies.maddox2020.experiments.degenerate_directions import DegenerateDirectionsRun
from gengap.studies.maddox2020.experiments.double_descent import DoubleDescentRun
from gengap.studies.maddox2020.experiments.posterior_contraction import PosteriorContractionRun
from gengap.studies.maddox2020.experiments.posterior_contraction import Result as Contraction
from gengap.studies.maddox2020.experiments.random_features import RandomFeaturesRun
from gengap.studies.maddox2020.experiments.width_depth import WidthDepthRun
from gengap.studies.maddox2020.measurements import HEADLINE_ALPHA, Measurements
from gengap.studies.maddox2020.sweeps import (
    INTERPOLATION,
    LOW_TRAIN_LOSS,
    Grid,
    Sweep,
    correlations_by_seed,
)
from gengap.studies.outcomes import AnyRun, Floats

DEGENERATE = "degenerate_"
"""Names of the experiments on directions begin so."""

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
    if fits.sum() < 3:
        return []
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
        f"{quantity} with {name}": correlations_by_seed(numbers, values, fits)
        for quantity, numbers in rivals.items()
        for name, values in outcomes.items()
    }
    with_parameters = correlations_by_seed(networks.dimension, networks.parameters, fits)
    size: Estimates = {"N_eff with parameters": with_parameters}
    along = runs[0].settings.along
    widths = f"{along}s {sweep.widths[fits][0]} to {sweep.widths[-1]}"
    fitting = np.broadcast_to(fits, networks.test_loss.shape)
    return [
        Claim.judged(
            "The test loss descends twice",
            f"As the {along} grows, the test loss falls, rises up to where the network just fits "
            "its training labels, and falls again.",
            f"{listed(descent)} (the best narrower width of each seed is that of "
            f"the least mean over the other seeds); the first {along} at which training errors are "
            f"at most {INTERPOLATION:g} with every seed is {sweep.widths[first]}.",
            descent,
            {name: POSITIVE for name in descent if name.startswith("test loss")},
        ),
        Claim.judged(
            "N_eff falls with width among networks that fit",
            "In the overparametrised regime wider networks have a lower effective dimensionality.",
            f"Spearman's correlation of N_eff with the number of parameters, {widths}: "
            f"{format_interval(with_parameters)}.",
            size,
            Bound(above=False),
        ),
        Claim.judged(
            "N_eff follows the test loss among networks that fit",
            "In the overparametrised regime the effective dimensionality tracks the test loss.",
            f"Spearman's correlation, {widths}, α = {HEADLINE_ALPHA:g}: {listed(tracking)}; N_eff "
            f"with the number of parameters {format_interval(with_parameters)}. "
            f"{_left_out(networks, fitting)}",
            tracking | size,
            {"N_eff with test loss": POSITIVE},
        ),
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
    return {name: values.tolist() for name, values in falls.items()}


def _best_of_others(losses: Floats) -> Floats:
    """Each seed's loss (seeds,) at the width that is best for the other seeds."""
    # A width chosen by the seed's own noise would have too small a loss.
    best = [np.delete(losses, seed, axis=0).mean(axis=0).argmin() for seed in range(len(losses))]
    return losses[np.arange(len(losses)), best]


def _left_out(networks: Measurements, selected: NDArray[np.bool_]) -> str:
    """What N_eff of the selected networks does not see."""
    least, mass = networks.lambda_min[selected], networks.negative_mass[selected]
    return (
        f"N_eff leaves out the eigenvalues below zero: of these networks the most negative one is "
        f"{least.min():.2g}, {networks.negatives[selected].max():.0f} at most are below -0.01 "
        f"times the largest, and all have a mass of {np.median(mass):.2g} (median; "
        f"{mass.max():.2g} at most), as estimated."
    )


def _width_depth(runs: Sequence[WidthDepthRun]) -> list[Claim]:
    grid = Grid.of(runs)
    networks, explanations = grid.networks, grid.explanations()
    estimates: Estimates = {
        f"{title} with {name}": correlations_by_seed(values, outcomes, grid.fitting)
        for title, values in explanations.items()
        for name, outcomes in (
            ("test loss", networks.test_loss),
            ("test error", networks.test_error),
            ("gap", networks.gap),
        )
    }
    with_loss = {title: estimates[f"{title} with test loss"] for title in explanations}
    leader, *others = with_loss
    ahead: Estimates = {
        f"ahead of {title}": (np.abs(with_loss[leader]) - np.abs(with_loss[title])).tolist()
        for title in others
    }
    return [
        Claim.judged(
            "N_eff explains the test loss over width and depth",
            "Among networks of low training loss, over width and depth, the effective "
            "dimensionality is positively correlated with the test loss.",
            f"Spearman's correlation among networks with training loss up to {LOW_TRAIN_LOSS:g} "
            f"({grid.fitting.all(axis=0).sum()} of {grid.fitting[0].size} with every seed): "
            f"{listed(with_loss, form='{name} with test loss {interval}')}.{_estimated(grid)}",
            estimates,
            {f"{leader} with test loss": POSITIVE},
        ),
        Claim.judged(
            "N_eff explains more than counting parameters, norms and sharpness do",
            "The effective dimensionality is a better guide than the number of parameters and than "
            "norms or flatness.",
            f"|correlation| of N_eff minus that of the other: {listed(ahead)}.",
            ahead,
        ),
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
        f" Of N_eff {np.median(fraction):.0%} (median; {fraction.max():.0%} at most) is of "
        f"eigenvalues beyond those computed, of which the smallest is {least:.2g} at most, and is "
        f"estimated. {_left_out(networks, fitting)}"
    )


def _posterior_contraction(runs: Sequence[PosteriorContractionRun]) -> list[Claim]:
    return [_contraction([run.result for run in runs], "Bayesian linear regression")]


def _bayesian_network(runs: Sequence[BayesianNetworkRun]) -> list[Claim]:
    results = [run.result for run in runs]
    counts = results[0].counts
    number = _at(counts, "eigenvalues below zero", counts, [result.negatives for result in results])
    mass = _at(counts, "mass below zero", counts, [result.negative_mass for result in results])
    indefinite = (
        f"; the Hessian's N_eff leaves out its eigenvalues below zero, on average {_means(number)} "
        f"of them at n = {', '.join(f'{count:g}' for count in counts)}, of mass {_means(mass)}"
    )
    return [_contraction(results, "a small Bayesian network", number | mass, indefinite)]


def _contraction(
    results: Sequence[Contraction], model: str, further: Estimates | None = None, remark: str = ""
) -> Claim:
    """The claim on one model, with further estimates that do not decide it."""
    counts = results[0].counts
    trends: Estimates = {
        "covariance falls": [-rank_correlation(counts, result.covariance) for result in results],
        "Hessian rises": [rank_correlation(counts, result.hessian) for result in results],
    }
    shown = [10, 100, 200, 300]
    if not set(shown) <= set(counts):
        shown = [int(counts[0]), int(counts[-1])]
    covariance = _at(
        shown, "N_eff of the covariance", counts, [result.covariance for result in results]
    )
    hessian = _at(shown, "N_eff of the Hessian", counts, [result.hessian for result in results])
    return Claim.judged(
        f"Posterior contraction: {model}",
        "With more data the effective dimensionality of the posterior's covariance falls while "
        "that of the Hessian rises.",
        "Rank correlations with the number of data, each in the direction of the claim: "
        f"{listed(trends)}; N_eff at n = {', '.join(map(str, shown))}: covariance "
        f"{_means(covariance)}, Hessian {_means(hessian)}{remark}.",
        trends | covariance | hessian | (further or {}),
        dict.fromkeys(trends, POSITIVE),
    )


def _at(shown: Iterable[float], title: str, counts: Floats, curves: Sequence[Floats]) -> Estimates:
    """Estimates of a quantity at some numbers of data, from the curve of each seed."""
    rows = {f"{title}, n = {count:g}": int(np.argmax(counts == count)) for count in shown}
    return {name: [float(curve[row]) for curve in curves] for name, row in rows.items()}


def _means(estimates: Estimates) -> str:
    return ", ".join(f"{interval(values)[0]:.3g}" for values in estimates.values())


def _random_features(runs: Sequence[RandomFeaturesRun]) -> list[Claim]:
    estimates: Estimates = {"N_eff with test error": [], "min(n, d) - N_eff with test error": []}
    for run in runs:
        result = run.result
        wide = result.features >= run.settings.samples
        quantities = (result.effective_dimensionality, result.published)
        for correlations, values in zip(estimates.values(), quantities, strict=True):
            correlations.append(rank_correlation(values[wide], result.test_error[wide]))
    return [
        Claim.judged(
            "Random features: N_eff follows the test error in the overparametrised regime",
            "In a linear model on weakly informative features the effective dimensionality falls "
            "with the test error beyond d = n; the figure shows min(n, d) - N_eff.",
            f"Spearman's correlation over d from n on: {listed(estimates)}; "
            f"{'; '.join(_followed(name, values) for name, values in estimates.items())}.",
            estimates,
            {"N_eff with test error": POSITIVE},
        )
    ]


def _followed(name: str, correlations: Sequence[float]) -> str:
    """How a quantity moves with the test error, by the interval of its correlations."""
    moves = {True: "follows the test error", False: "moves against it", None: "is undecided"}
    return f"{name.removesuffix(' with test error')} {moves[exceeds(correlations)]}"


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
        estimates[ahead] = (values - top).mean(axis=1).tolist()
        estimates[same] = values[:, place].tolist()
        bounds |= {ahead: POSITIVE, same: Bound(SAME)}
    estimates[f"top, at {length}"] = top[:, place].tolist()
    return Claim.judged(
        f"Degenerate directions: {data}",
        "Moves along directions of low curvature leave the predictions as they are, at lengths at "
        "which moves along the leading eigenvectors of the Hessian change them.",
        f"Fraction of the training inputs with the same prediction: {listed(estimates)} ({length} "
        f"is the first length at which the leading directions change more than {1 - SAME:.0%}).",
        estimates,
        bounds,
    )


_CLAIMS_OF: Mapping[str, Callable[[Sequence[Any]], list[Claim]]] = {
    "double_descent": _double_descent,
    "width_depth": _width_depth,
    "posterior_contraction": _posterior_contraction,
    "bayesian_network": _bayesian_network,
    "random_features": _random_features,
}
