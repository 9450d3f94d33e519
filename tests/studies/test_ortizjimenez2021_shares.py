"""The share that the kernel's evolution explains, and the lead by training-set size, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gengap.studies.claims import Claim
from gengap.studies.ortizjimenez2021.experiments import pretrained, training_sizes
from gengap.studies.ortizjimenez2021.models_compared import COLUMNS, NetworkSettings
from gengap.studies.outcomes import AnyRun, Floats, Run
from gengap.studies.running import evaluate_claims

STUDY = "ortizjimenez2021"
SEEDS = 8
ACCURACY = COLUMNS.index("test_accuracy")


def with_accuracies(accuracies: Floats) -> Floats:
    """Curves of one epoch (..., 1, 4) with these final test accuracies (...)."""
    curves = np.zeros((*accuracies.shape, 1, len(COLUMNS)))
    curves[..., 0, ACCURACY] = accuracies
    return curves


def pretrained_runs(**network_trained_rescaled: tuple[float, float, float]) -> list[AnyRun]:
    """Runs by architecture, where the initial kernel reaches 0.9."""
    rng = np.random.default_rng(0)
    return [
        Run(
            seed,
            pretrained.Settings({}, NetworkSettings(architecture)),  # type: ignore[arg-type]
            SimpleNamespace(
                curves=with_accuracies(
                    np.array([others[0], 0.9, *others[1:]]) + 0.002 * rng.normal(size=4)
                ),
                trace_growth=2.0,
            ),
        )
        for seed in range(SEEDS)
        for architecture, others in network_trained_rescaled.items()
    ]


def shares(runs: list[AnyRun]) -> list[Claim]:
    judged = evaluate_claims(STUDY, {"pretrained": runs})
    return [claim for claim in judged if claim.title.startswith("The evolution of the kernel")]


def test_most_is_more_than_half() -> None:
    """The network loses 0.2. The trained kernel explains 0.15 of it, rescaled 0.05."""
    trained, rescaled = shares(pretrained_runs(mlp=(0.7, 0.75, 0.85)))
    assert trained.verdict.word == "agrees"
    assert rescaled.verdict.word == "disagrees"
    beyond = trained.estimates["MLP: explained less half the loss"]
    assert beyond.interval().mean == pytest.approx(0.05, abs=0.005)
    assert "Its share is 0.75 for MLP" in trained.measured
    assert rescaled.estimates["MLP: explained"].interval().mean == pytest.approx(0.05, abs=0.005)


def test_architectures_that_differ_are_mixed_and_named() -> None:
    trained, _ = shares(pretrained_runs(mlp=(0.7, 0.72, 0.7), lenet=(0.7, 0.88, 0.7)))
    assert trained.verdict.word == "mixed"
    assert "for: MLP: explained less half the loss" in trained.verdict.explained
    assert "against: LeNet: explained less half the loss" in trained.verdict.explained


def test_a_network_that_loses_nothing_has_no_share() -> None:
    trained, _ = shares(pretrained_runs(mlp=(0.95, 0.7, 0.7)))
    assert trained.verdict.word == "premise fails"
    assert "MLP: loss of the network" in trained.verdict.explained


@pytest.mark.parametrize(
    ("leads", "word"),
    [([-0.1, 0.0, 0.1], "agrees"), ([0.1, 0.0, -0.1], "disagrees"), ([0.1] * 3, "undecided")],
)
def test_the_lead_grows_with_the_training_set(leads: list[float], word: str) -> None:
    rng = np.random.default_rng(1)
    runs: list[AnyRun] = []
    for seed in range(SEEDS):
        accuracies = 0.6 + np.stack([np.array(leads), np.zeros(3)], axis=1)
        curves = with_accuracies(accuracies + 0.005 * rng.normal(size=(3, 2)))
        settings = training_sizes.Settings({}, NetworkSettings("mlp"), [50, 100, 200])
        runs.append(Run(seed, settings, training_sizes.Result(curves)))
    (claim,) = evaluate_claims(STUDY, {"training_sizes": runs})
    assert claim.verdict.word == word
    assert list(claim.parts) == ["MLP"]
    first = claim.estimates["MLP: lead at 50"].interval().mean
    assert first == pytest.approx(leads[0], abs=0.01)
    if word != "undecided":
        order = claim.estimates["MLP: rank correlation of lead and size"].values
        assert order == pytest.approx([1.0 if word == "agrees" else -1.0] * SEEDS)
