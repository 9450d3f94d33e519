"""Claims of Sabanayagam et al. on four losses and on what happens in training, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gengap.studies.outcomes import AnyRun, Run
from gengap.studies.running import evaluate_claims
from gengap.studies.sabanayagam2023.claims_in_training import ACCURACY, G_THETA

STUDY = "sabanayagam2023"
SEEDS = 8
LOSSES = ("cross_entropy", "nll", "mse", "hinge")


def loss_runs(jumps: dict[str, float], accuracies: dict[str, float] | None = None) -> list[AnyRun]:
    """Runs of each loss and two optimisers; random vectors jump by 0.1."""
    rng = np.random.default_rng(0)
    return [
        Run(
            seed,
            SimpleNamespace(loss=loss, optimiser={"optimiser": optimiser}),
            SimpleNamespace(
                top=SimpleNamespace(jump=jumps[loss] + 0.01 * rng.normal(), flips=1.0),
                random=SimpleNamespace(jump=0.1 + 0.01 * rng.normal()),
                solution=SimpleNamespace(
                    fit=SimpleNamespace(
                        train_accuracy=(accuracies or {}).get(loss, 1.0 - 0.001 * seed)
                    )
                ),
            ),
        )
        for seed in range(SEEDS)
        for loss in LOSSES
        for optimiser in ("sgd", "adam")
    ]


@pytest.mark.parametrize(
    ("jumps", "accuracies", "word"),
    [
        (dict.fromkeys(LOSSES, 0.8), None, "agrees"),
        # Top eigenvectors that do what random ones do are no evidence.
        (dict.fromkeys(LOSSES, 0.1), None, "undecided"),
        (dict.fromkeys(LOSSES, 0.0), None, "disagrees"),
        (dict.fromkeys(LOSSES, 0.8) | {"hinge": 0.0}, None, "mixed"),
        (dict.fromkeys(LOSSES, 0.8), {"mse": 0.5}, "premise fails"),
    ],
)
def test_every_loss_is_a_part(
    jumps: dict[str, float], accuracies: dict[str, float] | None, word: str
) -> None:
    (claim,) = evaluate_claims(STUDY, {"losses": loss_runs(jumps, accuracies)})
    assert claim.verdict.word == word
    assert len(claim.parts) == len(claim.premises) == len(LOSSES)
    assert all(len(estimate.values) == SEEDS for estimate in claim.estimates.values())
    assert "Optimisers: adam, sgd, the mean over them" in claim.measured
    if word == "mixed":
        assert "against: jump at the boundary, top less random vectors, hinge" in (
            claim.verdict.explained
        )
    if word == "premise fails":
        assert "training accuracy, mse" in claim.verdict.explained


def dynamics_runs(
    g_theta: float = 10.0, accuracy: float = -0.1, collapse: float = -1.0
) -> list[AnyRun]:
    """Four checkpoints; after the start the adversarial solution differs by these numbers."""
    rng = np.random.default_rng(0)
    runs: list[AnyRun] = []
    for seed in range(SEEDS):

        def curves(adversarial: bool, noise: np.random.Generator = rng) -> dict[str, np.ndarray]:
            after = np.array([0.0, 1.0, 1.0, 1.0]) * adversarial
            decades = collapse * np.arange(4) + 0.1 * noise.normal(size=4)
            return {
                # At the start it is the other way round: that is no part of the claim.
                "g_theta_count": 50
                + g_theta * after
                - 500 * adversarial * (after == 0)
                + noise.normal(size=4),
                "test_accuracy": 0.8 + accuracy * after + 0.01 * noise.normal(size=4),
                "lambda_1": np.ones(4),
                "trace": np.ones(4),
                "outliers": np.ones(4),
                "nc1": 10.0**decades,
                "nc2_angles": 10.0**decades,
                "nc3": 10.0**decades,
            }

        settings = SimpleNamespace(setups=("normal", "adversarial"), checkpoints=[0, 1, 10, 100])
        result = SimpleNamespace(curves={"normal": curves(False), "adversarial": curves(True)})
        runs.append(Run(seed, settings, result))
    return runs


@pytest.mark.parametrize(
    ("g_theta", "accuracy", "word"),
    [
        (10.0, -0.1, "agrees"),
        (-10.0, -0.1, "disagrees"),
        (0.0, -0.1, "undecided"),
        (10.0, 0.0, "premise fails"),
        (10.0, 0.1, "premise fails"),
    ],
)
def test_g_theta_along_training(g_theta: float, accuracy: float, word: str) -> None:
    collapse, apart = evaluate_claims(STUDY, {"dynamics": dynamics_runs(g_theta, accuracy)})
    assert apart.verdict.word == word
    assert apart.estimates[G_THETA].interval().mean == pytest.approx(g_theta, abs=2)
    assert apart.estimates[ACCURACY].interval().mean == pytest.approx(accuracy, abs=0.02)
    assert collapse.verdict.word == "agrees"


def test_features_that_do_not_collapse_disagree_and_one_start_has_one_claim() -> None:
    runs = dynamics_runs(collapse=1.0)
    collapse, _ = evaluate_claims(STUDY, {"dynamics": runs})
    assert collapse.verdict.word == "disagrees"
    name = "variability within classes (NC1), normal"
    assert collapse.estimates[name].interval().mean == pytest.approx(-3, abs=0.2)
    assert set(collapse.parts) == {part for part in collapse.estimates if part.endswith("normal")}
    for run in runs:
        run.settings.setups = ("normal",)
    assert len(evaluate_claims(STUDY, {"dynamics": runs})) == 1
