"""The paper's claims, judged by intervals over seeds.

Each estimate is one number per seed. A claim holds if the 95% t intervals of its estimates lie on
its side, does not if one lies on the other side, and is undecided where an interval has both:

- sign: flips at the boundary above 0.9, flips elsewhere below 0.1, and the jump of the top
  eigenvectors' alignment above that of random vectors;
- outliers: the rank correlation with the length above 0, over all solutions and within datasets;
  undecided where a seed has none, as all its numbers of outliers are equal;
- G_theta: the difference above 0; on images also the share of the alignments' variance that lies
  between classes, top eigenvectors less random vectors;
- sharpness misleads: log10 of the ratio adversarial / normal below 0 for trace and lambda_1;
- reparameterisation: log10 of the ratio of lambda_1 above 0.3 (a factor of two), both rank
  correlations of alignments above 0.9, and the difference of G_theta still above 0;
- margin: the difference of the estimated margins above 0, as that of the direct ones is; seeds in
  which a best |A_1| is less than ``gengap.curvature.margin.REACHED`` have no such point and are
  left out;
- selection: the share of all seeds in which G_theta orders the two solutions by the length of their
  boundary, and the estimated margin by the mean distance to the boundary, above 1/2 (chance is
  1/4), by the exact 95% interval of a binomial share (Clopper and Pearson), which is in the text;
  it takes six seeds or more to decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import binomtest, rankdata

from gengap.curvature.margin import REACHED
from gengap.studies import Claim, Run, all_hold, exceeds, format_interval, rank_correlation
from gengap.studies.sabanayagam2023.complexity import COMPARED
from gengap.studies.sabanayagam2023.simplicity import best_alignment

Estimates = dict[str, Sequence[float]]

FLIPS_AT_BOUNDARY = 0.9
FLIPS_ELSEWHERE = 0.1
FACTOR_OF_TWO = 0.3
SAME_RANKING = 0.9
CHOSEN_RIGHTLY = 0.5


def claims(runs: Mapping[str, Sequence[Run]]) -> list[Claim]:
    """The claims that the given experiments bear on."""
    found: list[Claim] = []
    if "boundary" in runs:
        found.append(_signs(runs["boundary"]))
    if "complexity" in runs:
        matched, published = (_of(runs["complexity"], p) for p in ("matched", "published"))
        found += [_outliers(matched)] if matched else []
        found += [_g_theta(matched, "at matched cross-entropy")] if matched else []
        found += [_g_theta(published, "as trained")] if published else []
        found += [_sharpness(published, "as trained")] if published else []
        found += [_sharpness(matched, "at matched cross-entropy")] if matched else []
        found += [_reparameterised(matched)] if matched else []
    if "images" in runs:
        levels = dict.fromkeys(each.settings.get("matched_loss") for each in runs["images"])
        found += [_images(runs["images"], level) for level in levels]
    if "simplicity" in runs:
        least = min(each.settings.get("loss", 0.0) for each in runs["simplicity"])
        chosen = [r for r in runs["simplicity"] if r.settings.get("loss", 0.0) == least]
        found += [_margin(chosen, least), _selection(chosen, least)]
    return found


def _signs(runs: Sequence[Run]) -> Claim:
    names = {
        "flips_at_boundary": "share of active crossings with a change of sign",
        "flips_elsewhere": "the same between neighbours of one prediction",
        "flips_random": "share of crossings with a change of sign, random vectors",
        "jump": "mean jump of the alignment at a crossing, top eigenvectors",
        "jump_random": "the same, random vectors",
    }
    estimates = {text: _by_seed(runs, _value(name)) for name, text in names.items()}
    at, elsewhere, random, jump, other = estimates.values()
    difference = [a - b for a, b in zip(jump, other, strict=True)]
    return Claim(
        title="Alignment with top eigenvectors changes its sign across sections of the boundary",
        paper="The alignment of the predicted class's gradient with a top eigenvector is large and "
        "of opposite sign on the two sides of a section of the decision boundary, so top "
        "eigenvectors encode the boundary.",
        measured=f"The sign changes at {format_interval(at)} of the crossings where a top eigenvector is "
        f"active and at {format_interval(elsewhere)} of the pairs of neighbours elsewhere. With two classes "
        "the change is an identity of any vector (the two gradients are opposite at the boundary): "
        f"random vectors change sign at {format_interval(random)} of the crossings too. What marks top "
        f"eigenvectors is the jump, {format_interval(jump)} against {format_interval(other)}.",
        holds=all_hold(
            exceeds(at, FLIPS_AT_BOUNDARY), _below(elsewhere, FLIPS_ELSEWHERE), exceeds(difference)
        ),
        estimates=estimates,
    )


def _outliers(runs: Sequence[Run]) -> Claim:
    length = "boundary_length"
    estimates: Estimates = {
        "rank correlation of outliers with the length of the boundary": _correlation(
            runs, length, "outliers"
        ),
        "rank correlation of eigenvalues above the mirrored bulk with it": _correlation(
            runs, length, "outliers_above_bulk"
        ),
        "rank correlation of G_theta (count) with it": _correlation(runs, length, "g_theta_count"),
        "rank correlation of the trace with it": _correlation(runs, length, "trace"),
        "outliers, ranks within each dataset": _correlation_within(runs, length, "outliers"),
        "eigenvalues above the mirrored bulk, ranks within each dataset": _correlation_within(
            runs, length, "outliers_above_bulk"
        ),
        "G_theta (count), ranks within each dataset": _correlation_within(
            runs, length, "g_theta_count"
        ),
        "trace, ranks within each dataset": _correlation_within(runs, length, "trace"),
        "outliers, adversarial less normal": _difference(runs, "outliers"),
        "length, adversarial less normal": _difference(runs, length),
    }
    outliers, mirrored, g, trace, *within = list(estimates.values())[:8]
    complete = len(outliers) == len(within[0]) == len({each.seed for each in runs})
    solutions = len({str(each.settings.get("dataset")) for each in runs}) * len(COMPARED)
    return Claim(
        title="The number of outliers grows with the complexity of the boundary",
        paper="The number of outliers of the Hessian's spectrum is proportional to the complexity "
        "of the decision boundary.",
        measured=f"Over the {solutions} solutions of a seed, at one cross-entropy, the rank "
        f"correlation of the boundary's length with the number of outliers (largest logarithmic "
        f"gap) is {format_interval(outliers)}, with the number of eigenvalues above -lambda_min "
        f"{format_interval(mirrored)}, with G_theta {format_interval(g)}, with the trace {format_interval(trace)}. With ranks "
        "within each dataset, which differences between datasets cannot make, they are "
        + ", ".join(format_interval(values) for values in within)
        + "."
        + ("" if complete else " Seeds in which the number of outliers is constant are left out."),
        holds=all_hold(exceeds(outliers), exceeds(within[0])) if complete else None,
        estimates=estimates,
    )


def _g_theta(runs: Sequence[Run], how: str) -> Claim:
    estimates: Estimates = {
        "G_theta (count), normal": _by_seed(runs, _value("normal_g_theta_count")),
        "G_theta (count), adversarial": _by_seed(runs, _value("adversarial_g_theta_count")),
        "G_theta (count), large norm": _by_seed(runs, _value("large_norm_g_theta_count")),
        "adversarial less normal": _difference(runs, "g_theta_count"),
        "large norm less normal": _difference(runs, "g_theta_count", "large_norm"),
        "test accuracy, adversarial less normal": _difference(runs, "test_accuracy"),
    }
    normal, adversarial, large, difference, _, accuracy = estimates.values()
    by_dataset = {
        name: _difference([r for r in runs if _dataset(r) == name], "g_theta_count")
        for name in dict.fromkeys(_dataset(each) for each in runs)
    }
    estimates |= {f"adversarial less normal, {name}": v for name, v in by_dataset.items()}
    return Claim(
        title=f"G_theta ranks the normal below the adversarial solution, {how}",
        paper="G_theta is smaller for the simple boundary of normal training than for the complex "
        "one from the adversarial start, and so ranks them by how they generalise.",
        measured=f"G_theta counts {format_interval(normal)} eigenvectors after normal training, "
        f"{format_interval(adversarial)} from the adversarial start and {format_interval(large)} from the large norm "
        f"(mean over datasets); the difference adversarial less normal is {format_interval(difference)} ("
        + "; ".join(f"{name}: {format_interval(values)}" for name, values in by_dataset.items())
        + f"), that of the test accuracies {format_interval(accuracy)}. {_memorised(runs)}{_levels(runs)}",
        holds=exceeds(difference),
        estimates=estimates,
    )


def _memorised(runs: Sequence[Run]) -> str:
    """How far the random labels of the adversarial start were fitted."""
    values = [each.outcome.values for each in runs]
    reached = sum(each["random_labels_reached"] > 0 for each in values)
    accuracies = [each["random_labels_accuracy"] for each in values]
    losses = [each["random_labels_loss"] for each in values]
    return (
        f"Training on random labels ended at accuracies from {min(accuracies):.3g} to "
        f"{max(accuracies):.3g} and losses from {min(losses):.3g} to {max(losses):.3g}; it reached "
        f"its target in {reached} of {len(runs)} runs."
    )


def _levels(runs: Sequence[Run]) -> str:
    """The cross-entropies of matched solutions; nothing where they are compared as trained."""
    levels = [v["matched_loss"] for v in (r.outcome.values for r in runs) if "matched_loss" in v]
    if not levels:
        return ""
    least = levels.count(min(levels))
    rest = f", at up to {max(levels):.3g} in the others" if least < len(levels) else ""
    return f" The cross-entropy is {min(levels):.3g} in {least} of {len(levels)} runs{rest}."


def _sharpness(runs: Sequence[Run], how: str) -> Claim:
    estimates: Estimates = {
        "log10 of trace, adversarial / normal": _log_ratio(runs, "trace"),
        "log10 of lambda_1, adversarial / normal": _log_ratio(runs, "lambda_1"),
        "log10 of lambda_1, large norm / normal": _log_ratio(runs, "lambda_1", "large_norm"),
        "test accuracy, large norm less normal": _difference(runs, "test_accuracy", "large_norm"),
    }
    trace, top, large, _ = estimates.values()
    as_trained = how == "as trained"
    loss = _log_ratio(runs, "train_loss")
    if as_trained:
        estimates["log10 of training loss, adversarial / normal"] = loss
    return Claim(
        title=f"Trace and lambda_1 mislead, {how}",
        paper="Trace and largest eigenvalue are smaller for the adversarial solution, which "
        "generalises worse, so flatness ranks the two the wrong way round."
        + ("" if as_trained else " (The paper does not match the cross-entropy.)"),
        measured=f"log10 of the ratio adversarial / normal is {format_interval(trace)} for the trace and "
        f"{format_interval(top)} for lambda_1"
        + (
            f", while that of the training losses reached is {format_interval(loss)}"
            if as_trained
            else ""
        )
        + f"; for lambda_1 of the large norm against the normal solution it is {format_interval(large)}.",
        holds=all_hold(_below(trace, 0.0), _below(top, 0.0)),
        estimates=estimates,
    )


def _reparameterised(runs: Sequence[Run]) -> Claim:
    estimates: Estimates = {
        "log10 of lambda_1, rescaled / as it was": _by_seed(
            runs,
            lambda run: float(
                np.log10(
                    run.outcome.values["normal_rescaled_lambda_1"]
                    / run.outcome.values["normal_lambda_1"]
                )
            ),
        ),
        "rank correlation of the samples' |A_1|": _by_seed(
            runs, _value("normal_ranking_of_samples")
        ),
        "rank correlation of the eigenvectors' mean |A_i|": _by_seed(
            runs, _value("normal_ranking_of_vectors")
        ),
        "G_theta (count), adversarial less normal, both rescaled": _by_seed(
            runs,
            lambda run: (
                run.outcome.values["adversarial_rescaled_g_theta_count"]
                - run.outcome.values["normal_rescaled_g_theta_count"]
            ),
        ),
        "G_theta (count), adversarial less normal, as they were": _difference(
            runs, "g_theta_count"
        ),
    }
    top, samples, vectors, difference, before = estimates.values()
    return Claim(
        title="Scaling layers changes lambda_1 but not the ranking by alignment",
        paper="Scaling the layers of a ReLU network leaves its function and changes the sharpness "
        "at will; the alignment with top eigenvectors tells the same.",
        measured="With the first layer times five and the second divided by five, log10 of "
        f"lambda_1 changes by {format_interval(top)}; the rank correlation with what it was is "
        f"{format_interval(samples)} for the samples' |A_1| and {format_interval(vectors)} for the eigenvectors' mean "
        f"|A_i|; the difference of G_theta (count), adversarial less normal, was {format_interval(before)} "
        f"and is {format_interval(difference)} once both are rescaled.",
        holds=all_hold(
            exceeds(top, FACTOR_OF_TWO),
            exceeds(samples, SAME_RANKING),
            exceeds(vectors, SAME_RANKING),
            exceeds(difference),
        ),
        estimates=estimates,
    )


def _images(found: Sequence[Run], level: float | None) -> Claim:
    runs = [each for each in found if each.settings.get("matched_loss") == level]
    how = "as trained" if level is None else f"at cross-entropy {level:g}"
    estimates: Estimates = {
        "G_theta (count), adversarial less normal": _difference(runs, "g_theta_count"),
        "log10 of lambda_1, adversarial / normal": _log_ratio(runs, "lambda_1"),
        "test accuracy, adversarial less normal": _difference(runs, "test_accuracy"),
        "variance of alignments between classes, top eigenvectors": _by_seed(
            runs, _value("normal_split")
        ),
        "the same, random vectors": _by_seed(runs, _value("normal_split_random")),
    }
    difference, top, accuracy, split, random = estimates.values()
    apart = [a - b for a, b in zip(split, random, strict=True)]
    return Claim(
        title=f"On images, too, G_theta ranks the normal below the adversarial solution, {how}",
        paper="On MNIST-017 G_theta is smaller after normal training than from the adversarial "
        "start, and the top eigenvectors tell the classes apart.",
        measured=f"The difference of G_theta (count) is {format_interval(difference)}, log10 of the ratio of "
        f"lambda_1 {format_interval(top)}, the difference of test accuracies {format_interval(accuracy)}; "
        f"{format_interval(split)} of the variance of the top eigenvectors' alignments lies between classes, "
        f"of random vectors' {format_interval(random)}. {_memorised(runs)}",
        holds=all_hold(exceeds(difference), exceeds(apart)),
        estimates=estimates,
    )


def _margin(found: Sequence[Run], loss: float) -> Claim:
    runs = [each for each in found if best_alignment(each) >= REACHED]
    estimates: Estimates = {
        "estimated margin, noisy start less normal": _difference(
            runs, "margin_estimate", "noisy_init"
        ),
        "direct margin of the same inputs, noisy start less normal": _difference(
            runs, "margin_extremes", "noisy_init"
        ),
        "mean distance to the boundary, noisy start less normal": _difference(
            runs, "margin_mean", "noisy_init"
        ),
        "estimated over direct margin, normal": _by_seed(runs, _margin_ratio("normal")),
        "estimated over direct margin, noisy start": _by_seed(runs, _margin_ratio("noisy_init")),
        "distance of the points of alignment 1 to the boundary, normal": _by_seed(
            runs, _value("normal_aligned_to_boundary")
        ),
        "distance of the points of alignment 1 to the boundary, noisy start": _by_seed(
            runs, _value("noisy_init_aligned_to_boundary")
        ),
        "best abs(A_1), normal, all seeds": _by_seed(found, _value("normal_best_alignment")),
        "best abs(A_1), noisy start, all seeds": _by_seed(
            found, _value("noisy_init_best_alignment")
        ),
        "estimated margin, noisy start less normal, all seeds": _difference(
            found, "margin_estimate", "noisy_init"
        ),
    }
    estimated, direct, _, normal, noisy, off, noisy_off, best, other, all_seeds = estimates.values()
    return Claim(
        title="Points of alignment 1 give the margin",
        paper="The distance of a point whose gradient aligns perfectly with the top eigenvector to "
        "the training inputs of extreme alignment estimates the margin, and tells the wide-margin "
        "solution (noisy start) from the other.",
        measured=f"At cross-entropy {loss:g} a point with |A_1| of at least {REACHED:g} was found "
        f"for both solutions in {len(runs)} of {len(found)} seeds (the best |A_1| is {format_interval(best)} "
        f"and {format_interval(other)}). In these the estimate differs by {format_interval(estimated)} where the "
        f"direct search finds {format_interval(direct)}; estimate over direct margin is {format_interval(normal)} "
        f"(normal) and {format_interval(noisy)} (noisy start); the points lie {format_interval(off)} and "
        f"{format_interval(noisy_off)} from the boundary. In all seeds the estimate differs by "
        f"{format_interval(all_seeds)}.",
        holds=all_hold(exceeds(estimated), exceeds(direct)),
        estimates=estimates,
    )


def _selection(runs: Sequence[Run], loss: float) -> Claim:
    estimates: Estimates = {
        "G_theta (count), noisy start less normal": _difference(
            runs, "g_theta_count", "noisy_init"
        ),
        "length of the boundary, noisy start less normal": _difference(
            runs, "boundary_length", "noisy_init"
        ),
        "estimated margin, noisy start less normal": _difference(
            runs, "margin_estimate", "noisy_init"
        ),
        "mean distance to the boundary, noisy start less normal": _difference(
            runs, "margin_mean", "noisy_init"
        ),
    }
    g, length, *_ = estimates.values()
    right = sum(_ordered_rightly(each) for each in runs)
    low, high = binomtest(right, len(runs)).proportion_ci()
    return Claim(
        title="G_theta and the margin together pick the simple wide-margin solution",
        paper="G_theta says how simple a boundary is and the estimated margin how wide, which "
        "together identify minima with simple wide-margin boundaries.",
        measured=f"On the linear checkerboard at cross-entropy {loss:g}, G_theta differs by "
        f"{format_interval(g)} between the winding wide-margin and the straight narrow boundary, whose "
        f"lengths differ by {format_interval(length)} sides; both quantities order the two solutions rightly "
        f"in {right} of {len(runs)} seeds (exact 95% interval of the share: {low:.3g} to "
        f"{high:.3g}).",
        holds=True if low > CHOSEN_RIGHTLY else False if high < CHOSEN_RIGHTLY else None,
        estimates=estimates,
    )


def _ordered_rightly(run: Run) -> bool:
    values = run.outcome.values

    def sign(name: str) -> float:
        return float(np.sign(values[f"noisy_init_{name}"] - values[f"normal_{name}"]))

    simple = sign("g_theta_count") == sign("boundary_length")
    return simple and sign("margin_estimate") == sign("margin_mean")


def _margin_ratio(setup: str) -> Callable[[Run], float]:
    def ratio(run: Run) -> float:
        values = run.outcome.values
        return values[f"{setup}_margin_estimate"] / values[f"{setup}_margin_extremes"]

    return ratio


def _dataset(run: Run) -> str:
    return str(run.settings["dataset"]["name"])


def _of(runs: Sequence[Run], protocol: str) -> list[Run]:
    return [each for each in runs if each.settings.get("protocol", "matched") == protocol]


def _value(name: str) -> Callable[[Run], float]:
    return lambda run: run.outcome.values[name]


def _by_seed(runs: Sequence[Run], quantity: Callable[[Run], float]) -> list[float]:
    """Mean over the grid points of each seed, in the order of the seeds."""
    collected: dict[int, list[float]] = defaultdict(list)
    for each in runs:
        collected[each.seed].append(quantity(each))
    return [float(np.mean(collected[seed])) for seed in sorted(collected)]


def _difference(runs: Sequence[Run], name: str, setup: str = "adversarial") -> list[float]:
    return _by_seed(
        runs,
        lambda run: run.outcome.values[f"{setup}_{name}"] - run.outcome.values[f"normal_{name}"],
    )


def _log_ratio(runs: Sequence[Run], name: str, setup: str = "adversarial") -> list[float]:
    tiny = float(np.finfo(float).tiny)
    return _by_seed(
        runs,
        lambda run: float(
            np.log10(
                max(run.outcome.values[f"{setup}_{name}"], tiny)
                / max(run.outcome.values[f"normal_{name}"], tiny)
            )
        ),
    )


def _correlation(runs: Sequence[Run], first: str, second: str) -> list[float]:
    """Spearman's correlation over all solutions of each seed; none where one is constant."""
    pairs: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for each in runs:
        values = each.outcome.values
        pairs[each.seed] += [(values[f"{s}_{first}"], values[f"{s}_{second}"]) for s in COMPARED]
    found = []
    for seed in sorted(pairs):
        left, right = np.array(pairs[seed]).T
        found.append(rank_correlation(left, right))
    return [value for value in found if np.isfinite(value)]


def _correlation_within(runs: Sequence[Run], first: str, second: str) -> list[float]:
    """The same of their ranks within their dataset."""
    ranks: dict[int, list[np.ndarray]] = defaultdict(list)
    for each in runs:
        values = each.outcome.values
        pair = [[values[f"{setup}_{name}"] for setup in COMPARED] for name in (first, second)]
        ranks[each.seed].append(rankdata(pair, axis=1))
    tables = [np.hstack(ranks[seed]) for seed in sorted(ranks)]
    return [float(np.corrcoef(table)[0, 1]) for table in tables if np.ptp(table, axis=1).all()]


def _below(values: Sequence[float], limit: float) -> bool | None:
    verdict = exceeds(values, limit)
    return None if verdict is None else not verdict
