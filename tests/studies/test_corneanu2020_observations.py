"""What the papers observed: modes against accuracy, cavities on small graphs, errors by family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gengap.studies.claims import Claim
from gengap.studies.corneanu2020 import gap_law
from gengap.studies.corneanu2020.claims import claims
from gengap.studies.corneanu2020.experiments import law, training_curves
from gengap.studies.corneanu2020.experiments.training_curves import (
    Checkpoint,
    CurvesRun,
    Scale,
    density_bars,
)
from gengap.studies.outcomes import Run
from gengap.topology.betti import SUMMARIES

SEEDS = 8
ACCURACY = (0.1, 0.5, 0.8, 0.7, 0.6)


def curves(
    seed: int,
    corruption: float,
    modes: Sequence[float],
    counts: tuple[float, float] = (0.0, 0.0),
) -> CurvesRun:
    """Five checkpoints, the third the best; H2 and H3 have these numbers per node at the end."""
    jitter = 1e-3 * np.random.default_rng(seed).normal(size=5)
    bars = np.zeros((5, 4))
    bars[-1, 2:] = np.array(counts) * (1 + 0.01 * seed)
    grid = np.linspace(0, 1, 3)
    scale = Scale(grid, np.zeros((5, 4, 3)), np.array(modes) + jitter, np.zeros(5), {})
    settings = training_curves.Settings({}, {}, {}, [0, 1, 2, 3, 4], label_corruption=corruption)
    result = training_curves.Result(
        epochs=np.arange(5),
        train_accuracy=np.ones(5),
        test_accuracy=np.array(ACCURACY),
        nodes=90,
        summaries={name: np.zeros((5, 4)) for name in SUMMARIES} | {"count": bars},
        scales={"epsilon": scale, "density": scale},
        best=Checkpoint(2, 0.8),
        last=Checkpoint(4, 0.6),
    )
    return Run(seed, settings, result)


def verdicts(judged: Sequence[Claim], part: str) -> list[str]:
    return [claim.verdict.word for claim in judged if part in claim.title]


@pytest.mark.parametrize(
    ("modes", "word"),
    [
        # Low where the accuracy is high; the random start does not count.
        ((0.1, 0.4, 0.1, 0.2, 0.3), "agrees"),
        ((0.9, 0.1, 0.4, 0.3, 0.2), "disagrees"),
        ((0.1, np.nan, 0.1, 0.2, 0.3), "agrees"),
    ],
)
def test_the_mode_against_the_test_accuracy(modes: Sequence[float], word: str) -> None:
    runs = [curves(seed, 0.5, modes) for seed in range(SEEDS)]
    judged = claims({"training_curves": runs})
    assert verdicts(judged, "lowest where the test accuracy is highest") == [word] * 2
    assert not any(
        "Stopping" in claim.title or "epoch with the lowest" in claim.title for claim in judged
    )


@pytest.mark.parametrize(
    ("true_rise", "word"), [(0.0, "agrees"), (0.2, "undecided"), (0.4, "disagrees")]
)
def test_a_rise_without_anything_to_memorise_is_no_memorising(true_rise: float, word: str) -> None:
    corrupted = [curves(seed, 0.5, (0.5, 0.4, 0.1, 0.2, 0.3)) for seed in range(SEEDS)]
    true = [curves(seed + 100, 0.0, (0.5, 0.4, 0.1, 0.1, 0.1 + true_rise)) for seed in range(SEEDS)]
    # Same places among the seeds, other noise.
    true = [Run(seed, run.settings, run.result) for seed, run in enumerate(true)]
    judged = claims({"training_curves": [*corrupted, *true]})
    assert verdicts(judged, "rises more where there is something") == [word] * 2
    alone = claims({"training_curves": corrupted})
    assert verdicts(alone, "rises more where there is something") == []


def test_cavities_of_small_graphs_are_judged_apart_and_beside_corrupted_labels() -> None:
    flat = [0.1] * 5
    true = [curves(seed, 0.0, flat, (0.5, 0.0)) for seed in range(SEEDS)]
    corrupted = [curves(seed, 0.5, flat, (0.2, 0.0)) for seed in range(SEEDS)]
    judged = claims({"cavities": [*true, *corrupted]})
    assert verdicts(judged, "Learning creates cavities of dimension 2") == ["agrees"]
    assert verdicts(judged, "Learning creates cavities of dimension 3") == ["none seen"]
    assert verdicts(judged, "Cavities of dimension 2 come with") == ["agrees"]
    (apart,) = [claim for claim in judged if claim.title.startswith("Cavities of dimension 2")]
    name = "growth in H2, true less corrupted labels"
    expected = [0.3 * (1 + 0.01 * seed) for seed in range(SEEDS)]
    assert apart.estimates[name].values == pytest.approx(expected)
    assert set(apart.parts) == {name}
    reverse = claims(
        {"cavities": [*(curves(seed, 0.0, flat, (0.1, 0.0)) for seed in range(SEEDS)), *corrupted]}
    )
    assert verdicts(reverse, "Cavities of dimension 2 come with") == ["disagrees"]


def test_density_bars_reach_as_far_as_they_are_asked_to() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(24, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    graph = np.linalg.norm(points[:, None] - points[None], axis=2)
    few, most = density_bars(graph, 2), density_bars(graph, 2, largest=0.9)
    assert len(most[2]) >= 1  # the sphere
    assert len(few[2]) < len(most[2])
    assert few[2].size == 0 or few[2][:, 0].max() <= 0.1
    np.testing.assert_array_equal(few[1], most[1])


def law_run(seed: int, off: str | None) -> Run[law.Settings, law.Result]:
    """Five families whose gap is life - midlife, but for one whose gap has the other sign."""
    rng = np.random.default_rng(seed)
    life, midlife, noise = rng.random((3, 20))
    architecture = np.array(list("abcde") * 4)
    sign = np.where(architecture == off, -0.5, 1.0)
    settings = law.Settings({"name": "digits"}, [], {}, [60], [0.0])
    result = law.Result(
        gap=sign * (life - midlife) + 1e-3 * noise,
        train_accuracy=rng.random(20),
        test_accuracy=np.zeros(20),
        log_parameters=rng.random(20),
        margin=rng.random(20),
        summaries={"life.H1": life, "midlife.H1": midlife, "count.H1": np.ones(20)},
        size=np.full(20, 60),
        corruption=np.zeros(20),
        architecture=architecture,
        inputs=30,
        nodes_at_most=None,
        largest_epsilon=0.3,
        shortest_bar=0.02,
    )
    return Run(seed, settings, result)


def test_errors_by_family_are_those_of_a_fit_to_the_others() -> None:
    table = gap_law.networks_table([law_run(0, "a")])
    off = gap_law.errors_by_architecture(table)
    others = table[table["architecture"] != "b"]
    columns = np.column_stack([np.ones(len(others)), others["life.H1"], others["midlife.H1"]])
    weights = np.linalg.lstsq(columns, others["gap"].to_numpy(), rcond=None)[0]
    own = table[table["architecture"] == "b"]
    predicted = weights[0] + weights[1] * own["life.H1"] + weights[2] * own["midlife.H1"]
    assert off["b"][gap_law.LAW] == pytest.approx(100 * (predicted - own["gap"]).abs().mean())
    constant = 100 * (others["gap"].mean() - own["gap"]).abs().mean()
    assert off["b"]["constant gap"] == pytest.approx(constant)


@pytest.mark.slow
@pytest.mark.parametrize(("off", "word"), [(None, "agrees"), ("e", "mixed")])
def test_each_family_is_judged(off: str | None, word: str) -> None:
    judged = claims({"law": [law_run(seed, off) for seed in range(8)]})
    (claim,) = [claim for claim in judged if claim.title.startswith("In each family")]
    assert set(claim.parts) == {f"{family}: constant less law" for family in "abcde"}
    assert claim.verdict.word == word
    if off:
        assert "against: e: constant less law" in claim.verdict.explained
