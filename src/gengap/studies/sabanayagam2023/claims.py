"""The paper's claims, judged by intervals over seeds.

Each estimate is one number per seed. The parts of the claims are:

- sign: at crossings, top eigenvectors change the sign more often than random vectors, and their
  alignment jumps further. (With two classes any vector changes its sign there.) Elsewhere the sign
  changes in less than 0.1 of the pairs;
- outliers: the rank correlation with the length above 0, over all solutions and within datasets;
  undecided where a seed has none because all its numbers of outliers are equal; the same of the
  number of eigenvalues above -lambda_min;
- G_theta: the difference above 0; on images also the fraction of the alignments' variance that lies
  between classes, top eigenvectors less random vectors. The premise is that the adversarial
  solution has the lower test accuracy;
- sharpness misleads: log10 of the ratio adversarial / normal below 0 for trace and lambda_1, with
  the same premise;
- reparameterisation: log10 of the ratio of lambda_1 above 0.3 (a factor of two), both rank
  correlations of alignments above 0.9, and the difference of G_theta still above 0;
- margin: the difference of the estimated margins above 0, and that of the direct ones. Seeds in
  which a best |A_1| is less than :data:`gengap.curvature.margin.REACHED` have no such point and are
  left out;
- selection: the fraction of seeds in which G_theta orders the two solutions by the length of their
  boundary, and the estimated margin by the mean distance to the boundary. It must be above 1/2
  (chance is 1/4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from scipy.stats import rankdata

from gengap.curvature.margin import REACHED
from gengap.studies.claims import NEGATIVE, POSITIVE, Bound, Claim, Published
from gengap.studies.estimates import (
    Estimate,
    Estimates,
    Kind,
    by_seed,
    difference,
    log_ratio,
    rank_correlation,
)
from gengap.studies.outcomes import AnyRun, Floats, Run, group_runs
from gengap.studies.sabanayagam2023.claims_in_training import across_losses, while_training
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

FLIPS_ELSEWHERE = 0.1
FACTOR_OF_TWO = 0.3
SAME_RANKING = 0.9
SELECTED_RIGHTLY = 0.5
NOISY = "noisy_start"
ABOVE_BULK = "eigenvalues above the mirrored bulk"
ACCURACY = "test accuracy, adversarial less normal"
WORSE: Mapping[str, Bound] = {ACCURACY: NEGATIVE}
"""The premise of claims on how the two solutions generalise."""

AS_TRAINED = "as trained"
LAMBDAS = Published(
    "lambda_1 0.154 (normal), 0.003 (adversarial), 0.016 (large norm) on the Gaussian mixture",
    "figure 3 as in the authors' repository",
    comparable=False,
)
LAMBDAS_OF_IMAGES = Published(
    "lambda_1 5.09 (normal) and 15.0 (adversarial) on MNIST-017",
    "figure 6 as in the authors' repository",
    comparable=False,
)

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
    if "losses" in runs:
        judged.append(across_losses(runs["losses"]))
    if "complexity" in runs:
        protocols = group_runs(runs["complexity"], lambda run: run.settings.protocol)
        matched, published = protocols.get("matched"), protocols.get("published")
        level = "at matched cross-entropy"
        judged += [*_outliers(matched), _g_theta_ranks(matched, level)] if matched else []
        judged += [_g_theta_ranks(published, AS_TRAINED)] if published else []
        judged += [_sharpness(published, AS_TRAINED)] if published else []
        judged += [_sharpness(matched, level), _reparameterised(matched)] if matched else []
    if "images" in runs:
        levels = group_runs(runs["images"], lambda run: run.settings.matched_loss)
        judged += [_images(own) for own in levels.values()]
    if "simplicity" in runs:
        least = min(run.settings.loss for run in runs["simplicity"])
        selected = [run for run in runs["simplicity"] if run.settings.loss == least]
        judged += [_margin(selected), _selection(selected)]
    if "dynamics" in runs:
        judged += while_training(runs["dynamics"])
    return judged


def _signs(runs: Sequence[BoundaryRun]) -> Claim:
    contrasts: Estimates = {
        "share of crossings with a change of sign, top less random": difference(
            runs,
            lambda run: run.result.top.flips,
            lambda run: run.result.random.flips,
            Kind.DIFFERENCE,
        ),
        "mean jump of the alignment at a crossing, top less random": difference(
            runs, lambda run: run.result.top.jump, lambda run: run.result.random.jump
        ),
    }
    elsewhere: Estimates = {
        "share of neighbours of one prediction with a change of sign": by_seed(
            runs, lambda run: run.result.top.flips_elsewhere, Kind.SHARE
        )
    }
    estimates: Estimates = {
        "share of active crossings with a change of sign": by_seed(
            runs, lambda run: run.result.top.flips, Kind.SHARE
        ),
        "the same, random vectors": by_seed(runs, lambda run: run.result.random.flips, Kind.SHARE),
        "mean jump, top eigenvectors": by_seed(runs, lambda run: run.result.top.jump),
        "mean jump, random vectors": by_seed(runs, lambda run: run.result.random.jump),
    }
    return Claim(
        title="Alignment with top eigenvectors changes its sign across sections of the boundary",
        paper="The alignment of the predicted class's gradient with a top eigenvector is large. It "
        "has opposite signs on the two sides of a section of the decision boundary.",
        measured="Crossings count where a top eigenvector is active. With two classes any vector's "
        "alignment changes its sign, because the two gradients are opposite at the boundary. So "
        "top eigenvectors are judged against random vectors.",
        estimates=contrasts | elsewhere | estimates,
        bounds=dict.fromkeys(contrasts, POSITIVE)
        | dict.fromkeys(elsewhere, Bound(FLIPS_ELSEWHERE, "below")),
    )


def _outliers(runs: Sequence[ComplexityRun]) -> list[Claim]:
    quantities: dict[str, Callable[[ComplexitySolution], float]] = {
        "outliers": lambda solution: solution.measures.outliers,
        ABOVE_BULK: lambda solution: solution.measures.outliers_above_bulk,
        "G_theta (count)": _g_theta,
        "trace": _trace,
    }
    overall: Estimates = {
        f"rank correlation of {name} with the length of the boundary": _correlations(runs, quantity)
        for name, quantity in quantities.items()
    }
    within: Estimates = {
        f"{name}, ranks within each dataset": _correlations_within(runs, quantity)
        for name, quantity in quantities.items()
    }
    names = list(zip(overall, within, strict=True))
    solutions = len({str(run.settings.dataset) for run in runs}) * len(COMPARED)
    paper = (
        "The number of outliers of the Hessian's spectrum is proportional to the complexity of the "
        "decision boundary."
    )
    measured = (
        f"Rank correlation with the length of the boundary over the {solutions} solutions of a "
        "seed, at one cross-entropy. Ranks within each dataset leave out what differs between "
        "datasets."
    )
    by_gap = Claim(
        title="The number of outliers grows with the complexity of the boundary",
        paper=paper,
        measured=f"{measured} Outliers are those above the largest logarithmic gap.",
        estimates={
            **overall,
            **within,
            "outliers, adversarial less normal": _difference(runs, quantities["outliers"]),
            "length, adversarial less normal": _difference(runs, _length),
        },
        bounds=dict.fromkeys(names[0], POSITIVE),
        published=Published(
            "2 outliers (normal), 3 (adversarial), 1 (large norm) on the Gaussian mixture",
            "figure 3 as in the authors' repository, marks counted",
            comparable=False,
        ),
    )
    both = overall | within
    by_bulk = Claim(
        title="The number of eigenvalues above the bulk grows with the complexity of the boundary",
        paper=paper,
        measured=f"{measured} Here an outlier is an eigenvalue above -lambda_min. Rounding changes "
        "this count less than that above the largest logarithmic gap.",
        estimates={
            **{name: both[name] for name in names[1]},
            f"{ABOVE_BULK}, adversarial less normal": _difference(runs, quantities[ABOVE_BULK]),
        },
        bounds=dict.fromkeys(names[1], POSITIVE),
    )
    return [by_gap, by_bulk]


def _g_theta_ranks(runs: Sequence[ComplexityRun], how: str) -> Claim:
    datasets = group_runs(runs, lambda run: str(run.settings.dataset["name"]))
    apart = "G_theta (count), adversarial less normal"
    estimates: Estimates = {
        apart: _difference(runs, _g_theta),
        ACCURACY: _difference(runs, _test_accuracy, kind=Kind.DIFFERENCE),
        "G_theta (count), large norm less normal": _difference(runs, _g_theta, "large_norm"),
        "G_theta (count), normal": _values(runs, _g_theta, "normal"),
        "G_theta (count), adversarial": _values(runs, _g_theta, "adversarial"),
        "G_theta (count), large norm": _values(runs, _g_theta, "large_norm"),
    }
    estimates |= {f"{apart}, {name}": _difference(own, _g_theta) for name, own in datasets.items()}
    return Claim(
        f"G_theta ranks the normal below the adversarial solution, {how}",
        "G_theta is smaller for the simple boundary of normal training than for the complex one "
        "from the adversarial start. So it ranks them by how they generalise.",
        "Differences of G_theta, which counts eigenvectors, and of test accuracies, means over "
        f"datasets. {_memorised([run.result.random_labels for run in runs])}{_levels(runs)}",
        estimates,
        {apart: POSITIVE},
        WORSE,
    )


def _memorised(fits: Sequence[RandomLabels | None]) -> str:
    """How well the random labels of the adversarial start were fitted."""
    labels = [fit for fit in fits if fit is not None]
    accuracies, losses = [fit.accuracy for fit in labels], [fit.loss for fit in labels]
    return (
        f"Training on random labels ended at accuracies from {min(accuracies):.3g} to "
        f"{max(accuracies):.3g} and losses from {min(losses):.3g} to {max(losses):.3g}. It reached "
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
    parts: Estimates = {
        "log10 of trace, adversarial / normal": _log_ratio(runs, _trace),
        "log10 of lambda_1, adversarial / normal": _log_ratio(runs, _lambda_1),
    }
    estimates: Estimates = {
        **parts,
        ACCURACY: _difference(runs, _test_accuracy, kind=Kind.DIFFERENCE),
        "log10 of lambda_1, large norm / normal": _log_ratio(runs, _lambda_1, "large_norm"),
        "test accuracy, large norm less normal": _difference(
            runs, _test_accuracy, "large_norm", Kind.DIFFERENCE
        ),
    }
    if how == AS_TRAINED:
        estimates["log10 of training loss, adversarial / normal"] = _log_ratio(
            runs, lambda solution: solution.fit.train_loss
        )
    return Claim(
        f"Trace and lambda_1 mislead, {how}",
        "Trace and largest eigenvalue are smaller for the adversarial solution, which generalises "
        "worse. So flatness ranks the two the wrong way round. The paper does not match the "
        "cross-entropy.",
        "Ratios of the adversarial to the normal solution, and of the one of large norm to it.",
        estimates,
        dict.fromkeys(parts, NEGATIVE),
        WORSE,
        published=LAMBDAS if how == AS_TRAINED else None,
    )


def _reparameterised(runs: Sequence[ComplexityRun]) -> Claim:
    estimates: Estimates = {
        "log10 of lambda_1, rescaled / as it was": log_ratio(
            runs,
            lambda run: run.result.solutions["normal"].rescaled.lambda_1,
            lambda run: run.result.solutions["normal"].measures.lambda_1,
        ),
        "rank correlation of the samples' |A_1|": _values(
            runs, lambda solution: solution.ranking_of_samples, "normal", Kind.CORRELATION
        ),
        "rank correlation of the eigenvectors' mean |A_i|": _values(
            runs, lambda solution: solution.ranking_of_vectors, "normal", Kind.CORRELATION
        ),
        "G_theta (count), adversarial less normal, both rescaled": _difference(
            runs, lambda solution: solution.rescaled.g_theta_count
        ),
        "G_theta (count), adversarial less normal, as they were": _difference(runs, _g_theta),
    }
    limits = (FACTOR_OF_TWO, SAME_RANKING, SAME_RANKING, 0.0)
    return Claim(
        "Scaling layers changes lambda_1 but not the ranking by alignment",
        "Scaling the layers of a ReLU network leaves its function and changes the sharpness at "
        "will. The alignment with top eigenvectors tells the same.",
        "The first layer is multiplied by five and the second divided by five. Rank correlations "
        "are those with what was there before.",
        estimates,
        {name: Bound(limit) for name, limit in zip(estimates, limits, strict=False)},
    )


def _images(runs: Sequence[ImagesRun]) -> Claim:
    levels = [run.result.matched_loss for run in runs if run.result.matched_loss is not None]
    how = f"at cross-entropy {_used(levels)}" if levels else AS_TRAINED
    parts: Estimates = {
        "G_theta (count), adversarial less normal": _difference(runs, _g_theta),
        "variance of alignments between classes, top less random vectors": difference(
            runs,
            lambda run: run.result.solutions["normal"].between_classes,
            lambda run: run.result.solutions["normal"].between_classes_random,
            Kind.DIFFERENCE,
        ),
    }
    estimates: Estimates = {
        **parts,
        ACCURACY: _difference(runs, _test_accuracy, kind=Kind.DIFFERENCE),
        "log10 of lambda_1, adversarial / normal": _log_ratio(runs, _lambda_1),
        "variance of alignments between classes, top eigenvectors": _values(
            runs, lambda solution: solution.between_classes, "normal", Kind.SHARE
        ),
        "the same, random vectors": _values(
            runs, lambda solution: solution.between_classes_random, "normal", Kind.SHARE
        ),
    }
    return Claim(
        f"On images, too, G_theta ranks the normal below the adversarial solution, {how}",
        "On MNIST-017 G_theta is smaller after normal training than from the adversarial start, "
        "and the top eigenvectors tell the classes apart.",
        "Differences of G_theta, which counts eigenvectors, and the share of the variance of "
        "alignments that lies between classes. "
        f"{_memorised([run.result.random_labels for run in runs])}",
        estimates,
        dict.fromkeys(parts, POSITIVE),
        WORSE,
        published=None if levels else LAMBDAS_OF_IMAGES,
    )


def _margin(every_run: Sequence[SimplicityRun]) -> Claim:
    loss = _used([run.result.matched_loss for run in every_run])
    runs = [run for run in every_run if run.result.aligned]
    parts: Estimates = {
        "estimated margin, noisy start less normal": _difference(runs, _estimate, NOISY),
        "direct margin of the same inputs, noisy start less normal": _difference(
            runs, lambda solution: solution.margins.extremes, NOISY
        ),
    }
    estimates: Estimates = {
        **parts,
        "mean distance to the boundary, noisy start less normal": _difference(
            runs, _mean_distance, NOISY
        ),
    }
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
            every_run, lambda solution: solution.margins.best_alignment, setup, Kind.SHARE
        )
    estimates["estimated margin, noisy start less normal, all seeds"] = _difference(
        every_run, _estimate, NOISY
    )
    return Claim(
        "Points of alignment 1 give the margin",
        "Take a point whose gradient aligns perfectly with the top eigenvector. Its distance to "
        "the training inputs of extreme alignment estimates the margin. It tells the wide-margin "
        "solution (noisy start) from the other.",
        f"At cross-entropy {loss} a point with |A_1| of at least {REACHED:g} was found for both "
        f"solutions in {len(runs)} of {len(every_run)} seeds. These count unless all seeds are "
        "named. The direct margin is that of a search for the boundary.",
        estimates,
        dict.fromkeys(parts, POSITIVE),
    )


def _selection(runs: Sequence[SimplicityRun]) -> Claim:
    loss = _used([run.result.matched_loss for run in runs])
    right = "share of seeds that both quantities order rightly"
    estimates: Estimates = {
        right: by_seed(runs, lambda run: float(_ordered_rightly(run)), Kind.SEEDS),
        "G_theta (count), noisy start less normal": _difference(runs, _g_theta, NOISY),
        "length of the boundary, noisy start less normal": _difference(
            runs, lambda solution: solution.boundary_length, NOISY
        ),
        "estimated margin, noisy start less normal": _difference(runs, _estimate, NOISY),
        "mean distance to the boundary, noisy start less normal": _difference(
            runs, _mean_distance, NOISY
        ),
    }
    return Claim(
        title="G_theta and the margin together pick the simple wide-margin solution",
        paper="G_theta says how simple a boundary is, and the estimated margin how wide. Together "
        "they identify minima with simple wide-margin boundaries.",
        measured=f"On the linear checkerboard at cross-entropy {loss} there are a winding "
        "wide-margin and a straight narrow boundary. G_theta is to order them as their lengths "
        "are, and the estimated margin as the mean distances.",
        estimates=estimates,
        bounds={right: Bound(SELECTED_RIGHTLY)},
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
    kind: Kind = Kind.MEAN,
) -> Estimate:
    return by_seed(runs, lambda run: quantity(run.result.solutions[setup]), kind)


def _difference(
    runs: Sequence[Run[object, HasSolutions[SolutionT]]],
    quantity: Callable[[SolutionT], float],
    setup: str = "adversarial",
    kind: Kind = Kind.MEAN,
) -> Estimate:
    """Of a setup less the normal one."""
    return difference(
        runs,
        lambda run: quantity(run.result.solutions[setup]),
        lambda run: quantity(run.result.solutions["normal"]),
        kind,
    )


def _log_ratio(
    runs: Sequence[Run[object, HasSolutions[SolutionT]]],
    quantity: Callable[[SolutionT], float],
    setup: str = "adversarial",
) -> Estimate:
    """Of a setup over the normal one."""
    return log_ratio(
        runs,
        lambda run: quantity(run.result.solutions[setup]),
        lambda run: quantity(run.result.solutions["normal"]),
    )


def _correlations(
    runs: Sequence[ComplexityRun], quantity: Callable[[ComplexitySolution], float]
) -> Estimate:
    """Rank correlation with the length over all solutions of a seed; NaN where one is constant."""
    tables = [np.hstack(pairs) for pairs in _pairs_by_seed(runs, quantity)]
    return Estimate([rank_correlation(*table) for table in tables], Kind.CORRELATION)


def _correlations_within(
    runs: Sequence[ComplexityRun], quantity: Callable[[ComplexitySolution], float]
) -> Estimate:
    """The same of the ranks among the solutions of one dataset."""
    tables = [
        np.hstack([rankdata(pair, axis=1) for pair in pairs])
        for pairs in _pairs_by_seed(runs, quantity)
    ]
    correlations = [
        float(np.asarray(np.corrcoef(table))[0, 1]) if np.ptp(table, axis=1).all() else np.nan
        for table in tables
    ]
    return Estimate(correlations, Kind.CORRELATION)


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
