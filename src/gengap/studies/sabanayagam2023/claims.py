"""The paper's claims, judged by intervals over seeds.

Each estimate is one number per seed. A claim holds if the 95% t intervals of its estimates lie on
the expected side of their bounds. It does not hold if one lies on the other side, and is undecided
where an interval contains the bound:

- sign: flips at the boundary above 0.9, flips elsewhere below 0.1, and the jump of the top
  eigenvectors' alignment above that of random vectors;
- outliers: the rank correlation with the length above 0, over all solutions and within datasets;
  undecided where a seed has none because all its numbers of outliers are equal; the same of the
  number of eigenvalues above -lambda_min;
- G_theta: the difference above 0; on images also the fraction of the alignments' variance that lies
  between classes, top eigenvectors less random vectors;
- sharpness misleads: log10 of the ratio adversarial / normal below 0 for trace and lambda_1;
- reparameterisation: log10 of the ratio of lambda_1 above 0.3 (a factor of two), both rank
  correlations of alignments above 0.9, and the difference of G_theta still above 0;
- margin: the difference of the estimated margins above 0, and that of the direct ones. Seeds in
  which a best |A_1| is less than :data:`gengap.curvature.margin.REACHED` have no such point and are
  left out;
- selection: the fraction of seeds in which G_theta orders the two solutions by the length of their
  boundary, and the estimated margin by the mean distance to the boundary. It must be above 1/2
  (chance is 1/4) by the exact 95% interval of a binomial proportion (Clopper and Pearson), which
  takes six seeds or more to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from scipy.stats import binomtest, rankdata

from gengap.curvature.margin import REACHED
from gengap.studies.claims import (
    POSITIVE,
    Bound,
    Claim,
    Estimates,
    all_hold,
    by_seed,
    difference,
    exceeds,
    format_interval,
    listed,
    log_ratio,
    rank_correlation,
)
from gengap.studies.outcomes import AnyRun, Floats, Run, group_runs
from gengap.studies.sabanayagam2023.experiments.boundary import BoundaryRun
from gengap.studies.sabanayagam2023.experiments.complexity import (
    COMPARED,
    ComplexityRun,
    ComplexitySolution,
)
from gengap.studies.sabanayagam2023.experiments.images import ImagesRun
from gengap.studies.sabanayagam2023.experiments.simplicity import SimplicityRun, SimplicitySolution
from gengap.studies.sabanayagam2023.quantities import Compared
from gengap.studies.sabanayagam2023.starts import RandomLabels

FLIPS_AT_BOUNDARY = 0.9
FLIPS_ELSEWHERE = 0.1
FACTOR_OF_TWO = 0.3
SAME_RANKING = 0.9
SELECTED_RIGHTLY = 0.5
NEGATIVE = Bound(above=False)
NOISY = "noisy_start"
ABOVE_BULK = "eigenvalues above the mirrored bulk"

SolutionT = TypeVar("SolutionT", bound=Compared)
SolutionT_co = TypeVar("SolutionT_co", bound=Compared, covariant=True)


class HasSolutions(Protocol[SolutionT_co]):
    """A result with solutions by start."""

    @property
    def solutions(self) -> Mapping[str, SolutionT_co]:
        """The solutions."""


def claims(runs: Mapping[str, Sequence[AnyRun]]) -> list[Claim]:
    """Judge the claims whose experiments were run."""
    judged: list[Claim] = []
    if "boundary" in runs:
        judged.append(_signs(runs["boundary"]))
    if "complexity" in runs:
        protocols = group_runs(runs["complexity"], lambda run: run.settings.protocol)
        matched, published = protocols.get("matched"), protocols.get("published")
        level = "at matched cross-entropy"
        judged += [*_outliers(matched), _g_theta_ranks(matched, level)] if matched else []
        judged += [_g_theta_ranks(published, "as trained")] if published else []
        judged += [_sharpness(published, "as trained")] if published else []
        judged += [_sharpness(matched, level), _reparameterised(matched)] if matched else []
    if "images" in runs:
        levels = group_runs(runs["images"], lambda run: run.settings.matched_loss)
        judged += [_images(own) for own in levels.values()]
    if "simplicity" in runs:
        least = min(run.settings.loss for run in runs["simplicity"])
        selected = [run for run in runs["simplicity"] if run.settings.loss == least]
        judged += [_margin(selected), _selection(selected)]
    return judged


def _signs(runs: Sequence[BoundaryRun]) -> Claim:
    estimates: Estimates = {
        "share of active crossings with a change of sign": by_seed(
            runs, lambda run: run.result.top.flips
        ),
        "the same between neighbours of one prediction": by_seed(
            runs, lambda run: run.result.top.flips_elsewhere
        ),
        "share of crossings with a change of sign, random vectors": by_seed(
            runs, lambda run: run.result.random.flips
        ),
        "mean jump of the alignment at a crossing, top eigenvectors": by_seed(
            runs, lambda run: run.result.top.jump
        ),
        "the same, random vectors": by_seed(runs, lambda run: run.result.random.jump),
    }
    at, elsewhere, random, jump, random_jump = map(format_interval, estimates.values())
    flips, flips_elsewhere, *_ = estimates.values()
    apart = difference(runs, lambda run: run.result.top.jump, lambda run: run.result.random.jump)
    return Claim(
        title="Alignment with top eigenvectors changes its sign across sections of the boundary",
        paper="The alignment of the predicted class's gradient with a top eigenvector is large and "
        "of opposite sign on the two sides of a section of the decision boundary, so top "
        "eigenvectors encode the boundary.",
        measured=f"The sign changes at {at} of the crossings where a top eigenvector is active and "
        f"at {elsewhere} of the pairs of neighbours elsewhere. With two classes any vector's "
        "alignment changes its sign, because the two gradients are opposite at the boundary: "
        f"random vectors do so at {random} of the crossings. What distinguishes top eigenvectors "
        f"is the jump, {jump} against {random_jump}.",
        holds=all_hold(
            Bound(FLIPS_AT_BOUNDARY).holds(flips),
            Bound(FLIPS_ELSEWHERE, above=False).holds(flips_elsewhere),
            exceeds(apart),
        ),
        estimates=estimates,
    )


def _outliers(runs: Sequence[ComplexityRun]) -> list[Claim]:
    quantities: dict[str, Callable[[ComplexitySolution], float]] = {
        "outliers": lambda solution: solution.measures.outliers,
        ABOVE_BULK: lambda solution: solution.measures.outliers_above_bulk,
        "G_theta (count)": _g_theta,
        "trace": _trace,
    }
    overall = [_correlations(runs, quantity) for quantity in quantities.values()]
    within = [_correlations_within(runs, quantity) for quantity in quantities.values()]
    names = [f"rank correlation of {name} with the length of the boundary" for name in quantities]
    names += [f"{name}, ranks within each dataset" for name in quantities]
    estimates: Estimates = {
        **dict(zip(names, overall + within, strict=True)),
        "outliers, adversarial less normal": _difference(runs, quantities["outliers"]),
        "length, adversarial less normal": _difference(runs, _length),
    }
    outliers, mirrored, g, trace = map(format_interval, overall)
    seeds = len({run.seed for run in runs})
    complete = [
        len(own) == len(own_within) == seeds
        for own, own_within in zip(overall, within, strict=True)
    ]
    solutions = len({str(run.settings.dataset) for run in runs}) * len(COMPARED)
    paper = (
        "The number of outliers of the Hessian's spectrum is proportional to the complexity of the "
        "decision boundary."
    )
    by_gap = Claim(
        title="The number of outliers grows with the complexity of the boundary",
        paper=paper,
        measured=f"Over the {solutions} solutions of a seed, at one cross-entropy, the length of "
        f"the boundary has a rank correlation of {outliers} with the number of outliers (largest "
        f"logarithmic gap). It is {mirrored} with the number of eigenvalues above -lambda_min, {g} "
        f"with G_theta and {trace} with the trace. Ranks within each dataset, to which differences "
        f"between datasets do not contribute, give {', '.join(map(format_interval, within))}."
        + ("" if complete[0] else " Seeds in which the number is constant are left out."),
        holds=all_hold(exceeds(overall[0]), exceeds(within[0])) if complete[0] else None,
        estimates=estimates,
    )
    above_bulk = _difference(runs, quantities[ABOVE_BULK])
    beside: Estimates = {
        names[1]: overall[1],
        names[1 + len(quantities)]: within[1],
        f"{ABOVE_BULK}, adversarial less normal": above_bulk,
    }
    by_bulk = Claim(
        title="The number of eigenvalues above the bulk grows with the complexity of the boundary",
        paper=f"{paper} (Here an outlier is an eigenvalue above -lambda_min, a count that rounding "
        "changes less than that above the largest logarithmic gap.)",
        measured=f"The rank correlation of the length with the number is {mirrored} over all "
        f"solutions of a seed and {format_interval(within[1])} for ranks within each dataset. The "
        f"adversarial solution has {format_interval(above_bulk)} more than the normal one."
        + ("" if complete[1] else " Seeds in which the number is constant are left out."),
        holds=all_hold(exceeds(overall[1]), exceeds(within[1])) if complete[1] else None,
        estimates=beside,
    )
    return [by_gap, by_bulk]


def _g_theta_ranks(runs: Sequence[ComplexityRun], how: str) -> Claim:
    datasets = group_runs(runs, lambda run: str(run.settings.dataset["name"]))
    by_dataset = {name: _difference(own, _g_theta) for name, own in datasets.items()}
    estimates: Estimates = {
        "G_theta (count), normal": _values(runs, _g_theta, "normal"),
        "G_theta (count), adversarial": _values(runs, _g_theta, "adversarial"),
        "G_theta (count), large norm": _values(runs, _g_theta, "large_norm"),
        "adversarial less normal": _difference(runs, _g_theta),
        "large norm less normal": _difference(runs, _g_theta, "large_norm"),
        "test accuracy, adversarial less normal": _difference(runs, _test_accuracy),
    }
    normal, adversarial, large, apart, _, accuracy = map(format_interval, estimates.values())
    estimates |= {f"adversarial less normal, {name}": v for name, v in by_dataset.items()}
    of_datasets = listed(by_dataset, form="{name}: {interval}", separator="; ")
    return Claim.judged(
        f"G_theta ranks the normal below the adversarial solution, {how}",
        "G_theta is smaller for the simple boundary of normal training than for the complex "
        "one from the adversarial start, and so ranks them by how they generalise.",
        f"G_theta counts {normal} eigenvectors after normal training, {adversarial} from the "
        f"adversarial start and {large} from the large norm (mean over datasets). The difference "
        f"adversarial less normal is {apart} ({of_datasets}). That of the test accuracies is "
        f"{accuracy}. {_memorised([run.result.random_labels for run in runs])}{_levels(runs)}",
        estimates,
        {"adversarial less normal": POSITIVE},
    )


def _memorised(fits: Sequence[RandomLabels | None]) -> str:
    """How well the random labels of the adversarial start were fitted."""
    labels = [fit for fit in fits if fit is not None]
    accuracies, losses = [fit.accuracy for fit in labels], [fit.loss for fit in labels]
    return (
        f"Training on random labels ended at accuracies from {min(accuracies):.3g} to "
        f"{max(accuracies):.3g} and losses from {min(losses):.3g} to {max(losses):.3g}; it reached "
        f"its target in {sum(fit.reached for fit in labels)} of {len(labels)} runs."
    )


def _used(levels: Sequence[float]) -> str:
    """The cross-entropy at which solutions were compared, or the range of several."""
    low, high = f"{min(levels):.3g}", f"{max(levels):.3g}"
    return low if low == high else f"{low} to {high}"


def _levels(runs: Sequence[ComplexityRun]) -> str:
    """The cross-entropies of matched solutions; nothing where they are compared as trained."""
    levels = [run.result.matched_loss for run in runs if run.result.matched_loss is not None]
    if not levels:
        return ""
    least = levels.count(min(levels))
    rest = f", at up to {max(levels):.3g} in the others" if least < len(levels) else ""
    return f" The cross-entropy is {min(levels):.3g} in {least} of {len(levels)} runs{rest}."


def _sharpness(runs: Sequence[ComplexityRun], how: str) -> Claim:
    estimates: Estimates = {
        "log10 of trace, adversarial / normal": _log_ratio(runs, _trace),
        "log10 of lambda_1, adversarial / normal": _log_ratio(runs, _lambda_1),
        "log10 of lambda_1, large norm / normal": _log_ratio(runs, _lambda_1, "large_norm"),
        "test accuracy, large norm less normal": _difference(runs, _test_accuracy, "large_norm"),
    }
    bounds = dict.fromkeys(list(estimates)[:2], NEGATIVE)
    trace, top, large, _ = map(format_interval, estimates.values())
    paper = (
        "Trace and largest eigenvalue are smaller for the adversarial solution, which generalises "
        "worse, so flatness ranks the two the wrong way round."
    )
    losses = ""
    if how == "as trained":
        ratios = _log_ratio(runs, lambda solution: solution.fit.train_loss)
        estimates["log10 of training loss, adversarial / normal"] = ratios
        losses = f" That of the training losses reached is {format_interval(ratios)}."
    else:
        paper += " (The paper does not match the cross-entropy.)"
    return Claim.judged(
        f"Trace and lambda_1 mislead, {how}",
        paper,
        f"log10 of the ratio adversarial / normal is {trace} for the trace and {top} for lambda_1."
        f"{losses} For lambda_1 of the large norm against the normal solution it is {large}.",
        estimates,
        bounds,
    )


def _reparameterised(runs: Sequence[ComplexityRun]) -> Claim:
    estimates: Estimates = {
        "log10 of lambda_1, rescaled / as it was": log_ratio(
            runs,
            lambda run: run.result.solutions["normal"].rescaled.lambda_1,
            lambda run: run.result.solutions["normal"].measures.lambda_1,
        ),
        "rank correlation of the samples' |A_1|": _values(
            runs, lambda solution: solution.ranking_of_samples, "normal"
        ),
        "rank correlation of the eigenvectors' mean |A_i|": _values(
            runs, lambda solution: solution.ranking_of_vectors, "normal"
        ),
        "G_theta (count), adversarial less normal, both rescaled": _difference(
            runs, lambda solution: solution.rescaled.g_theta_count
        ),
        "G_theta (count), adversarial less normal, as they were": _difference(runs, _g_theta),
    }
    limits = (FACTOR_OF_TWO, SAME_RANKING, SAME_RANKING, 0.0)
    top, samples, vectors, apart, before = map(format_interval, estimates.values())
    return Claim.judged(
        "Scaling layers changes lambda_1 but not the ranking by alignment",
        "Scaling the layers of a ReLU network leaves its function and changes the sharpness "
        "at will; the alignment with top eigenvectors tells the same.",
        "With the first layer times five and the second divided by five, log10 of lambda_1 changes "
        f"by {top}. The rank correlation with what it was is {samples} for the samples' |A_1| and "
        f"{vectors} for the eigenvectors' mean |A_i|. The difference of G_theta (count), "
        f"adversarial less normal, was {before} and is {apart} once both are rescaled.",
        estimates,
        {name: Bound(limit) for name, limit in zip(estimates, limits, strict=False)},
    )


def _images(runs: Sequence[ImagesRun]) -> Claim:
    levels = [run.result.matched_loss for run in runs if run.result.matched_loss is not None]
    how = f"at cross-entropy {_used(levels)}" if levels else "as trained"
    apart = difference(
        runs,
        lambda run: run.result.solutions["normal"].between_classes,
        lambda run: run.result.solutions["normal"].between_classes_random,
    )
    estimates: Estimates = {
        "G_theta (count), adversarial less normal": _difference(runs, _g_theta),
        "log10 of lambda_1, adversarial / normal": _log_ratio(runs, _lambda_1),
        "test accuracy, adversarial less normal": _difference(runs, _test_accuracy),
        "variance of alignments between classes, top eigenvectors": _values(
            runs, lambda solution: solution.between_classes, "normal"
        ),
        "the same, random vectors": _values(
            runs, lambda solution: solution.between_classes_random, "normal"
        ),
    }
    g, top, accuracy, split, random = map(format_interval, estimates.values())
    return Claim(
        title=f"On images, too, G_theta ranks the normal below the adversarial solution, {how}",
        paper="On MNIST-017 G_theta is smaller after normal training than from the adversarial "
        "start, and the top eigenvectors tell the classes apart.",
        measured=f"The difference of G_theta (count) is {g}, log10 of the ratio of lambda_1 {top}, "
        f"the difference of test accuracies {accuracy}. Of the variance of the top eigenvectors' "
        f"alignments, {split} lies between classes; of that of random vectors, {random}. "
        f"{_memorised([run.result.random_labels for run in runs])}",
        holds=all_hold(exceeds(_difference(runs, _g_theta)), exceeds(apart)),
        estimates=estimates,
    )


def _margin(every_run: Sequence[SimplicityRun]) -> Claim:
    loss = _used([run.result.matched_loss for run in every_run])
    runs = [run for run in every_run if run.result.aligned]
    estimates: Estimates = {
        "estimated margin, noisy start less normal": _difference(runs, _estimate, NOISY),
        "direct margin of the same inputs, noisy start less normal": _difference(
            runs, lambda solution: solution.margins.extremes, NOISY
        ),
        "mean distance to the boundary, noisy start less normal": _difference(
            runs, _mean_distance, NOISY
        ),
    }
    bounds = dict.fromkeys(list(estimates)[:2], POSITIVE)
    for setup, name in ("normal", "normal"), (NOISY, "noisy start"):
        estimates[f"estimated over direct margin, {name}"] = _values(
            runs, lambda solution: solution.margins.estimate / solution.margins.extremes, setup
        )
    for setup, name in ("normal", "normal"), (NOISY, "noisy start"):
        estimates[f"distance of the points of alignment 1 to the boundary, {name}"] = _values(
            runs, lambda solution: solution.margins.aligned_to_boundary, setup
        )
    for setup, name in ("normal", "normal"), (NOISY, "noisy start"):
        estimates[f"best abs(A_1), {name}, all seeds"] = _values(
            every_run, lambda solution: solution.margins.best_alignment, setup
        )
    estimates["estimated margin, noisy start less normal, all seeds"] = _difference(
        every_run, _estimate, NOISY
    )
    texts = map(format_interval, estimates.values())
    estimated, direct, _, normal, noisy, off, noisy_off, best, noisy_best, all_seeds = texts
    return Claim.judged(
        "Points of alignment 1 give the margin",
        "The distance of a point whose gradient aligns perfectly with the top eigenvector to "
        "the training inputs of extreme alignment estimates the margin, and tells the wide-margin "
        "solution (noisy start) from the other.",
        f"At cross-entropy {loss} a point with |A_1| of at least {REACHED:g} was found for both "
        f"solutions in {len(runs)} of {len(every_run)} seeds (the best |A_1| is {best} and "
        f"{noisy_best}). In these the estimate differs by {estimated} where the direct search "
        f"finds {direct}. The estimate over the direct margin is {normal} (normal) and {noisy} "
        f"(noisy start). The points lie {off} and {noisy_off} from the boundary. In all seeds the "
        f"estimate differs by {all_seeds}.",
        estimates,
        bounds,
    )


def _selection(runs: Sequence[SimplicityRun]) -> Claim:
    loss = _used([run.result.matched_loss for run in runs])
    estimates: Estimates = {
        "G_theta (count), noisy start less normal": _difference(runs, _g_theta, NOISY),
        "length of the boundary, noisy start less normal": _difference(
            runs, lambda solution: solution.boundary_length, NOISY
        ),
        "estimated margin, noisy start less normal": _difference(runs, _estimate, NOISY),
        "mean distance to the boundary, noisy start less normal": _difference(
            runs, _mean_distance, NOISY
        ),
    }
    g, length, *_ = map(format_interval, estimates.values())
    right = sum(_ordered_rightly(run) for run in runs)
    low, high = binomtest(right, len(runs)).proportion_ci()
    return Claim(
        title="G_theta and the margin together pick the simple wide-margin solution",
        paper="G_theta says how simple a boundary is and the estimated margin how wide, which "
        "together identify minima with simple wide-margin boundaries.",
        measured=f"On the linear checkerboard at cross-entropy {loss}, G_theta differs by {g} "
        "between the winding wide-margin and the straight narrow boundary. Their lengths differ "
        f"by {length} sides. Both quantities order the two solutions rightly in {right} of "
        f"{len(runs)} seeds (exact 95% interval of the share: {low:.3g} to {high:.3g}).",
        holds=True if low > SELECTED_RIGHTLY else False if high < SELECTED_RIGHTLY else None,
        estimates=estimates,
    )


def _ordered_rightly(run: SimplicityRun) -> bool:
    normal, noisy = run.result.solutions["normal"], run.result.solutions[NOISY]

    def same_order(*quantities: Callable[[SimplicitySolution], float]) -> bool:
        first, second = (np.sign(quantity(noisy) - quantity(normal)) for quantity in quantities)
        return bool(first == second)

    return same_order(_g_theta, lambda solution: solution.boundary_length) and same_order(
        _estimate, _mean_distance
    )


def _g_theta(solution: Compared) -> float:
    return solution.measures.g_theta_count


def _trace(solution: Compared) -> float:
    return solution.measures.trace


def _lambda_1(solution: Compared) -> float:
    return solution.measures.lambda_1


def _test_accuracy(solution: Compared) -> float:
    return solution.fit.test_accuracy


def _estimate(solution: SimplicitySolution) -> float:
    return solution.margins.estimate


def _mean_distance(solution: SimplicitySolution) -> float:
    return solution.margins.mean


def _values(
    runs: Sequence[Run[object, HasSolutions[SolutionT]]],
    quantity: Callable[[SolutionT], float],
    setup: str,
) -> list[float]:
    return by_seed(runs, lambda run: quantity(run.result.solutions[setup]))


def _difference(
    runs: Sequence[Run[object, HasSolutions[SolutionT]]],
    quantity: Callable[[SolutionT], float],
    setup: str = "adversarial",
) -> list[float]:
    """Of a setup less the normal one."""
    return difference(
        runs,
        lambda run: quantity(run.result.solutions[setup]),
        lambda run: quantity(run.result.solutions["normal"]),
    )


def _log_ratio(
    runs: Sequence[Run[object, HasSolutions[SolutionT]]],
    quantity: Callable[[SolutionT], float],
    setup: str = "adversarial",
) -> list[float]:
    """Of a setup over the normal one."""
    return log_ratio(
        runs,
        lambda run: quantity(run.result.solutions[setup]),
        lambda run: quantity(run.result.solutions["normal"]),
    )


def _correlations(
    runs: Sequence[ComplexityRun], quantity: Callable[[ComplexitySolution], float]
) -> list[float]:
    """Rank correlation with the length over all solutions of a seed; none where one is constant."""
    tables = [np.hstack(pairs) for pairs in _pairs_by_seed(runs, quantity)]
    correlations = [rank_correlation(*table) for table in tables]
    return [value for value in correlations if np.isfinite(value)]


def _correlations_within(
    runs: Sequence[ComplexityRun], quantity: Callable[[ComplexitySolution], float]
) -> list[float]:
    """The same of the ranks among the solutions of one dataset."""
    tables = [
        np.hstack([rankdata(pair, axis=1) for pair in pairs])
        for pairs in _pairs_by_seed(runs, quantity)
    ]
    return [
        float(np.asarray(np.corrcoef(table))[0, 1])
        for table in tables
        if np.ptp(table, axis=1).all()
    ]


def _pairs_by_seed(
    runs: Sequence[ComplexityRun], quantity: Callable[[ComplexitySolution], float]
) -> list[list[Floats]]:
    """Length and quantity of the solutions, (2, solutions), of each run of each seed."""
    seeds = group_runs(runs, lambda run: run.seed)
    quantities = (_length, quantity)
    return [
        [
            np.array([[of(run.result.solutions[setup]) for setup in COMPARED] for of in quantities])
            for run in seeds[seed]
        ]
        for seed in sorted(seeds)
    ]


def _length(solution: ComplexitySolution) -> float:
    return solution.boundary_length
