"""Claims on what does not depend on the loss, and on what happens while a network trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from gengap.studies.claims import NEGATIVE, POSITIVE, Bound, Claim
from gengap.studies.estimates import Estimates, Kind, by_seed, difference
from gengap.studies.outcomes import Floats, group_runs
from gengap.studies.sabanayagam2023.experiments.boundary import BoundaryRun
from gengap.studies.sabanayagam2023.experiments.dynamics import DynamicsRun

LEARNT = 0.9
"""Training accuracy from which a network has a boundary between its classes."""

COLLAPSE = {
    "nc1": "variability within classes (NC1)",
    "nc2_angles": "distance of angles from the simplex (NC2)",
    "nc3": "distance of weights from class means (NC3)",
}
"""Quantities of Papyan et al. (2020) that fall to 0, by the names of their curves."""

ACCURACY = "test accuracy while training, adversarial less normal"
G_THETA = "G_theta (count) while training, adversarial less normal"
TINY = float(np.finfo(float).tiny)


def across_losses(runs: Sequence[BoundaryRun]) -> Claim:
    """Return the claim that top eigenvectors encode the boundary whatever the training loss.

    For two classes every vector's alignment changes its sign at the boundary. So the jump there is
    compared with that of random vectors.
    """
    jumps, learnt, shown = {}, {}, {}
    for loss, own in group_runs(runs, lambda run: run.settings.loss).items():
        jumps[f"jump at the boundary, top less random vectors, {loss}"] = difference(
            own, lambda run: run.result.top.jump, lambda run: run.result.random.jump
        )
        learnt[f"training accuracy, {loss}"] = by_seed(
            own, lambda run: run.result.solution.fit.train_accuracy, Kind.SHARE
        )
        shown[f"share of active crossings with a change of sign, {loss}"] = by_seed(
            own, lambda run: run.result.top.flips, Kind.SHARE
        )
    optimisers = {str((run.settings.optimiser or {}).get("optimiser")) for run in runs}
    return Claim(
        "Top eigenvectors encode the boundary whatever the training loss",
        "Supplement: what figure 2 shows for cross-entropy holds for networks trained on other "
        "losses (negative log-likelihood, squared error, hinge) and with other optimisers.",
        "Mean jump of the alignment where the prediction changes, with the top eigenvectors of the "
        f"training loss's Hessian less with random vectors. Optimisers: {_named(optimisers)}, the "
        "mean over them. The claim presupposes that the networks learnt their classes.",
        jumps | learnt | shown,
        dict.fromkeys(jumps, POSITIVE),
        dict.fromkeys(learnt, Bound(LEARNT)),
    )


def _named(optimisers: set[str]) -> str:
    return ", ".join(sorted(optimisers - {"None"})) or "one"


def while_training(runs: Sequence[DynamicsRun]) -> list[Claim]:
    """Judge the claims on dynamics whose starts were run.

    Returns:
        The claims.
    """
    judged = [_collapse(runs)]
    if {"normal", "adversarial"} <= set(runs[0].settings.setups):
        judged.append(_told_apart(runs))
    return judged


def _collapse(runs: Sequence[DynamicsRun]) -> Claim:
    """The claim that the last features collapse."""

    def fall(run: DynamicsRun, start: str, name: str) -> float:
        curve = np.maximum(run.result.curves[start][name], TINY)
        return float(np.log10(curve[0] / curve[-1]))

    def falls(start: str) -> Estimates:
        return {
            f"{words}, {start}": by_seed(runs, partial(fall, start=start, name=name))
            for name, words in COLLAPSE.items()
        }

    first, *others = runs[0].settings.setups
    decides = falls(first)
    shown = {name: estimate for start in others for name, estimate in falls(start).items()}
    epochs = runs[0].settings.checkpoints
    return Claim(
        "The last features collapse while a network trains",
        "The published code follows neural collapse beside the Hessian: within-class variability "
        "vanishes, and means and weights become a simplex (Papyan et al. 2020).",
        f"log10 of each quantity at epoch {epochs[0]} over that at epoch {epochs[-1]}, from the "
        f"{first} start. Positive where it falls.",
        decides | shown,
        dict.fromkeys(decides, POSITIVE),
    )


def _told_apart(runs: Sequence[DynamicsRun]) -> Claim:
    """The claim that G_theta tells the solutions apart all along training."""

    def apart(of: Callable[[Mapping[str, Floats]], Floats]) -> Callable[[DynamicsRun], float]:
        # At epoch 0 neither network has learnt: the adversarial one still knows its random labels.
        def value(run: DynamicsRun) -> float:
            normal, adversarial = (
                of(run.result.curves[start])[1:] for start in ("normal", "adversarial")
            )
            return float((adversarial - normal).mean())

        return value

    def logarithm(name: str) -> Callable[[Mapping[str, Floats]], Floats]:
        return lambda curves: np.log10(np.maximum(curves[name], TINY))

    estimates: Estimates = {
        G_THETA: by_seed(runs, apart(lambda curves: curves["g_theta_count"])),
        ACCURACY: by_seed(runs, apart(lambda curves: curves["test_accuracy"]), Kind.DIFFERENCE),
        "log10 of lambda_1, adversarial less normal": by_seed(runs, apart(logarithm("lambda_1"))),
        "log10 of the trace, adversarial less normal": by_seed(runs, apart(logarithm("trace"))),
        "log10 of NC1, adversarial less normal": by_seed(runs, apart(logarithm("nc1"))),
        "outliers, adversarial less normal": by_seed(
            runs, apart(lambda curves: curves["outliers"])
        ),
    }
    epochs = ", ".join(map(str, runs[0].settings.checkpoints[1:]))
    return Claim(
        "G_theta ranks the normal below the adversarial solution all along training",
        "G_theta is smaller for the simple boundary of normal training than from the adversarial "
        "start, and ranks them by how they generalise. Implied is: at each stage of training.",
        f"Mean difference over the epochs {epochs}. Sharpness and neural collapse stand beside it. "
        "The claim presupposes that the adversarial solution generalises worse.",
        estimates,
        {G_THETA: POSITIVE},
        {ACCURACY: NEGATIVE},
    )
