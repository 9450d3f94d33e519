"""The paper's claims, judged by the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gengap.studies import (
    Claim,
    Run,
    all_hold,
    exceeds,
    format_interval,
    interval,
    rank_correlation,
)
from gengap.studies.maddox2020.degenerate_directions import known
from gengap.studies.maddox2020.double_descent import HEADLINE_ALPHA, INTERPOLATION, Sweep
from gengap.studies.maddox2020.width_depth import EXPLANATIONS, LOW_TRAIN_LOSS, Grid

DEGENERATE = "degenerate_"
"""Names of the experiments on directions begin so."""
SAME = 0.95
"""Predictions count as the same where so large a part of them is."""

_BELOW = {"negatives": "eigenvalues below zero", "negative_mass": "mass below zero"}

Estimates = dict[str, list[float]]


def claims(runs: Mapping[str, Sequence[Run]]) -> list[Claim]:
    """Every claim that the experiments with runs decide.

    A claim states that one number or several are above a bound (0, unless it says otherwise). It
    holds if the 95% intervals of all of them are, does not hold if that of one is below, and is
    undecided otherwise.
    """
    found = []
    for name, evaluate_claims in _JUDGES.items():
        if runs.get(name):
            found += evaluate_claims(runs[name])
    for name, some in runs.items():
        if name.startswith(DEGENERATE):
            found.append(_degenerate(name.removeprefix(DEGENERATE).replace("_", " "), some))
    return found


def _holds(bounds: Mapping[str, float], estimates: Mapping[str, Sequence[float]]) -> bool | None:
    """Whether the interval of each named estimate is above its bound; see :func:`claims`."""
    return all_hold(*(exceeds(estimates[name], bound) for name, bound in bounds.items()))


def _listed(estimates: Mapping[str, Sequence[float]], names: Sequence[str]) -> str:
    """``"name 0.52 (0.41 to 0.63), ..."``."""
    return ", ".join(f"{name} {format_interval(estimates[name])}" for name in names)


def _rank_correlations(
    first: NDArray[np.float64], second: NDArray[np.float64], columns: NDArray[np.bool_]
) -> list[float]:
    """Spearman's, of each seed's row, over the chosen columns."""
    pairs = zip(first[:, columns], second[:, columns], strict=True)
    return [rank_correlation(one, other) for one, other in pairs]


def _double_descent(runs: Sequence[Run]) -> list[Claim]:
    sweep = Sweep.of(runs)
    test_loss, test_error = sweep.quantities["test_loss"], sweep.quantities["test_error"]
    fits = sweep.interpolating
    if fits.sum() < 3:
        return []
    first = int(np.argmax(fits))
    descent: Estimates = {
        "test loss, first fitting minus widest": (test_loss[:, first] - test_loss[:, -1]).tolist(),
        "test error, first fitting minus widest": (
            test_error[:, first] - test_error[:, -1]
        ).tolist(),
    }
    if first and len(test_loss) > 1:
        best = _best_of_others(test_loss[:, :first])
        descent["test loss, narrowest minus best narrower"] = (test_loss[:, 0] - best).tolist()
        descent["test loss, first fitting minus best narrower"] = (
            test_loss[:, first] - best
        ).tolist()
    losses = [name for name in descent if name.startswith("test loss")]
    dimension = sweep.dimension()
    outcomes = {"test loss": test_loss, "test error": test_error}
    rivals = {
        "N_eff": dimension,
        "largest eigenvalue": sweep.quantities["lambda_max"],
        "parameters": sweep.quantities["parameters"],
    }
    tracking: Estimates = {
        f"{quantity} with {name}": _rank_correlations(numbers, values, fits)
        for quantity, numbers in rivals.items()
        for name, values in outcomes.items()
    }
    size = _rank_correlations(dimension, sweep.quantities["parameters"], fits)
    widths = f"widths {sweep.widths[fits][0]} to {sweep.widths[-1]}"
    return [
        Claim(
            "The test loss descends twice",
            "As the width grows, the test loss falls, rises up to where the network just fits its "
            "training labels, and falls again.",
            f"{_listed(descent, list(descent))} (the best narrower width of each seed is that of "
            f"the least mean over the other seeds); the first width at which training errors are "
            f"at most {INTERPOLATION:g} with every seed is {sweep.widths[first]}.",
            _holds(dict.fromkeys(losses, 0.0), descent),
            descent,
        ),
        Claim(
            "N_eff falls with width among networks that fit",
            "In the overparametrised regime wider networks have a lower effective dimensionality.",
            f"Spearman's correlation of N_eff with the number of parameters, {widths}: "
            f"{format_interval(size)}.",
            exceeds([-value for value in size]),
            {"N_eff with parameters": size},
        ),
        Claim(
            "N_eff follows the test loss among networks that fit",
            "In the overparametrised regime the effective dimensionality tracks the test loss.",
            f"Spearman's correlation, {widths}, α = {HEADLINE_ALPHA:g}: "
            f"{_listed(tracking, list(tracking))}; N_eff with the number of parameters "
            f"{format_interval(size)}. {_left_out(sweep.quantities, np.broadcast_to(fits, dimension.shape))}",
            _holds({"N_eff with test loss": 0.0}, tracking),
            {**tracking, "N_eff with parameters": size},
        ),
    ]


def _left_out(quantities: Mapping[str, NDArray[np.float64]], chosen: NDArray[np.bool_]) -> str:
    """What N_eff of the chosen networks does not see."""
    least, number, mass = (
        quantities[name][chosen] for name in ("lambda_min", "negatives", "negative_mass")
    )
    return (
        f"N_eff leaves out the eigenvalues below zero: of these networks the most negative one is "
        f"{least.min():.2g}, {number.max():.0f} at most are below -0.01 times the largest, and all "
        f"have a mass of {np.median(mass):.2g} (median; {mass.max():.2g} at most), as estimated."
    )


def _best_of_others(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each seed's loss (seeds,) at the width that is best for the other seeds.

    A width chosen by the seed's own noise would have too small a loss.
    """
    chosen = [np.delete(losses, seed, axis=0).mean(axis=0).argmin() for seed in range(len(losses))]
    return losses[np.arange(len(losses)), chosen]


def _width_depth(runs: Sequence[Run]) -> list[Claim]:
    grid = Grid.of(runs)
    estimates: Estimates = {}
    for title, name in EXPLANATIONS.items():
        for against in ("test_loss", "test_error"):
            key = f"{title} with {against.replace('_', ' ')}"
            estimates[key] = grid.correlations(name, against).tolist()
    leader = "effective dimensionality with test loss"
    ahead: Estimates = {
        f"ahead of {title}": (
            np.abs(estimates[leader]) - np.abs(estimates[f"{title} with test loss"])
        ).tolist()
        for title in list(EXPLANATIONS)[1:]
    }
    chosen = grid.fitting
    fitting = int(chosen.all(axis=0).sum())
    estimated = ""
    if chosen.any():
        values, computed, least = (
            grid.quantities[name][chosen]
            for name in ("effective_dimensionality", "computed", "least_computed")
        )
        share = 1 - computed / values
        estimated = (
            f" Of N_eff {np.median(share):.0%} (median; {share.max():.0%} at most) is of "
            f"eigenvalues beyond those computed, of which the smallest is {least.max():.2g} at "
            f"most, and is estimated. {_left_out(grid.quantities, chosen)}"
        )
    with_loss = [name for name in estimates if name.endswith("test loss")]
    return [
        Claim(
            "N_eff explains the test loss over width and depth",
            "Among networks of low training loss, over width and depth, the effective "
            "dimensionality is positively correlated with the test loss.",
            f"Spearman's correlation among networks with training loss up to {LOW_TRAIN_LOSS:g} "
            f"({fitting} of {grid.fitting[0].size} with every seed): "
            f"{_listed(estimates, with_loss)}.{estimated}",
            _holds({leader: 0.0}, estimates),
            estimates,
        ),
        Claim(
            "N_eff explains more than counting parameters, norms and sharpness do",
            "The effective dimensionality is a better guide than the number of parameters and than "
            "norms or flatness.",
            f"|correlation| of N_eff minus that of the other: {_listed(ahead, list(ahead))}.",
            _holds(dict.fromkeys(ahead, 0.0), ahead),
            ahead,
        ),
    ]


def _contraction(runs: Sequence[Run], model: str) -> Claim:
    counts = runs[0].outcome.arrays["counts"]
    series = {
        name: np.stack([run.outcome.arrays[name] for run in runs])
        for name in ("covariance", "hessian")
    }
    falls = [-rank_correlation(counts, row) for row in series["covariance"]]
    rises = [rank_correlation(counts, row) for row in series["hessian"]]
    shown = [10, 100, 200, 300]
    if not set(shown) <= set(counts):
        shown = [int(counts[0]), int(counts[-1])]
    estimates: Estimates = {"covariance falls": falls, "Hessian rises": rises}
    for name, values in series.items():
        for count in shown:
            column = values[:, int(np.argmax(counts == count))]
            estimates[f"N_eff of the {name}, n = {count}"] = column.tolist()
    indefinite = ""
    if "negatives" in runs[0].outcome.arrays:
        below = {
            f"{title}, n = {count:g}": [float(run.outcome.arrays[name][row]) for run in runs]
            for name, title in _BELOW.items()
            for row, count in enumerate(counts)
        }
        estimates |= below
        means = [f"{interval(values)[0]:.3g}" for values in below.values()]
        number, mass = ", ".join(means[: len(counts)]), ", ".join(means[len(counts) :])
        indefinite = (
            f"; the Hessian's N_eff leaves out its eigenvalues below zero, on average {number} of "
            f"them at n = {', '.join(f'{count:g}' for count in counts)}, of mass {mass}"
        )
    return Claim(
        f"Posterior contraction: {model}",
        "With more data the effective dimensionality of the posterior's covariance falls while "
        "that of the Hessian rises.",
        "Rank correlations with the number of data, each in the direction of the claim: "
        f"{_listed(estimates, ['covariance falls', 'Hessian rises'])}; N_eff at n = "
        f"{', '.join(map(str, shown))}: covariance "
        f"{_means(estimates, 'covariance', shown)}, Hessian {_means(estimates, 'hessian', shown)}"
        f"{indefinite}.",
        _holds({"covariance falls": 0.0, "Hessian rises": 0.0}, estimates),
        estimates,
    )


def _means(estimates: Estimates, name: str, counts: Sequence[int]) -> str:
    values = [interval(estimates[f"N_eff of the {name}, n = {count}"])[0] for count in counts]
    return ", ".join(f"{value:.3g}" for value in values)


def _posterior_contraction(runs: Sequence[Run]) -> list[Claim]:
    return [_contraction(runs, "Bayesian linear regression")]


def _bayesian_network(runs: Sequence[Run]) -> list[Claim]:
    return [_contraction(runs, "a small Bayesian network")]


def _random_features(runs: Sequence[Run]) -> list[Claim]:
    estimates: Estimates = {"N_eff with test error": [], "min(n, d) - N_eff with test error": []}
    for run in runs:
        arrays = run.outcome.arrays
        wide = arrays["features"] >= run.outcome.values["samples"]
        for name, key in zip(estimates, ("effective_dimensionality", "published"), strict=True):
            estimates[name].append(rank_correlation(arrays[key][wide], arrays["test_error"][wide]))
    return [
        Claim(
            "Random features: N_eff follows the test error in the overparametrised regime",
            "In a linear model on weakly informative features the effective dimensionality falls "
            "with the test error beyond d = n; the figure shows min(n, d) - N_eff.",
            f"Spearman's correlation over d from n on: {_listed(estimates, list(estimates))}; "
            f"{'; '.join(_followed(name, values) for name, values in estimates.items())}.",
            _holds({"N_eff with test error": 0.0}, estimates),
            estimates,
        )
    ]


def _followed(name: str, correlations: Sequence[float]) -> str:
    """How a quantity moves with the test error, by the interval of its correlations."""
    found = exceeds(correlations)
    moves = {True: "follows the test error", False: "moves against it", None: "is undecided"}
    return f"{name.removesuffix(' with test error')} {moves[found]}"


def _degenerate(data: str, runs: Sequence[Run]) -> Claim:
    others = [name for name in known(runs) if name != "top"]
    agreement = {
        name: np.stack([run.outcome.arrays[f"train_agreement_{name}"] for run in runs])
        for name in ("top", *others)
    }
    scales = runs[0].outcome.arrays["scales"]
    moved = agreement["top"].mean(axis=0) < SAME
    place = int(np.argmax(moved)) if moved.any() else len(scales) - 1
    estimates: Estimates = {}
    bounds: dict[str, float] = {}
    for name in others:
        ahead = f"{name} minus top, over all lengths"
        estimates[ahead] = (agreement[name] - agreement["top"]).mean(axis=1).tolist()
        same = f"{name}, at {scales[place]:g} ‖w‖"
        estimates[same] = agreement[name][:, place].tolist()
        bounds |= {ahead: 0.0, same: SAME}
    estimates[f"top, at {scales[place]:g} ‖w‖"] = agreement["top"][:, place].tolist()
    return Claim(
        f"Degenerate directions: {data}",
        "Moves along directions of low curvature leave the predictions as they are, at lengths at "
        "which moves along the leading eigenvectors of the Hessian change them.",
        "Part of the training inputs with the same prediction: "
        f"{_listed(estimates, list(estimates))} ({scales[place]:g} ‖w‖ is the first length at "
        f"which the leading directions change more than {1 - SAME:.0%}).",
        _holds(bounds, estimates),
        estimates,
    )


_JUDGES = {
    "double_descent": _double_descent,
    "width_depth": _width_depth,
    "posterior_contraction": _posterior_contraction,
    "bayesian_network": _bayesian_network,
    "random_features": _random_features,
}
