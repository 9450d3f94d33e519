"""Seven kinds of networks of a user's own, from checkpoints to a leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy import stats
from tests.foreign.kinds import KINDS, factory, write_checkpoints
from tests.workflow.runs import Run

from gengap import tasks
from gengap.figures.from_tables import plot_correlations, plot_leaderboard
from gengap.figures.style import save
from gengap.networks import batched_outputs, observed_layers

pytestmark = pytest.mark.slow

SETTINGS: dict[str, Any] = {
    "seed": 0,
    "activations": {"inputs": 60, "neurons": 80, "draws": 2},
    "families": ["topology", "baseline", "competition", "curvature", "tangent"],
    "evaluation": {"bootstrap_resamples": 50, "permutations": 50},
}

DRAWN = "resnet"
"""The task whose figures a job draws; those of the others are drawn by the test."""

WITHOUT = {"regressor": {"tangent"}}
"""Families without any measure: the regressor's targets are numbers."""

LEFT_OUT = {
    "bag": ("always_generalize", "no sense for tokens"),
    "lstm": ("always_generalize", "no sense for tokens"),
    "regressor": ("always_generalize", "needs classes"),
}
"""A measure that a task has not, and words of the reason."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, snakemake: Run) -> Path:
    """The results of one run of seven tasks, each of eight networks that were trained before."""
    folder = tmp_path_factory.mktemp("foreign")
    entries = [write_checkpoints(name, folder / "mine") for name in KINDS]
    config = folder / "mine" / "mine.yaml"
    config.write_text(yaml.safe_dump({**SETTINGS, "tasks": entries}))
    # What else is looked at comes before or with them.
    wanted = [f"results/{name}/dashboard.html" for name in KINDS]
    run = snakemake(folder, *wanted, f"results/{DRAWN}/figures/leaderboard.png", config=config)
    assert run.returncode == 0, run.stderr[-4000:]
    return folder / "results"


@pytest.fixture(params=list(KINDS))
def task(request: pytest.FixtureRequest, results: Path) -> tasks.Task:
    """One of the seven tasks."""
    return tasks.load(results / request.param)


def test_every_network_is_in_the_task_with_its_gap(task: tasks.Task, results: Path) -> None:
    table = pd.read_csv(results.parent / "mine" / f"{task.name}.csv")
    assert list(task.networks) == [str(row) for row in range(len(table))]
    hyper_parameters = task.hyper_parameters()
    assert hyper_parameters["width"].tolist() == table["width"].tolist()
    kind = KINDS[task.name]
    if kind.is_regression:
        errors = []
        for network in task.networks.values():
            sides = []
            for split in (task.train, task.test):
                outputs = batched_outputs(network.network(), split).numpy()[:, 0]
                sides.append(np.sqrt(np.mean((outputs - split.labels) ** 2)))
            errors.append(sides[1] - sides[0])
        np.testing.assert_allclose(task.gaps(), errors, rtol=1e-5)
    else:
        stated = table["train_accuracy"] - table["test_accuracy"]
        np.testing.assert_allclose(task.gaps(), stated, atol=1e-6)
        assert (results / task.name / "disagreements.txt").read_text() == ""


def test_a_rebuilt_network_computes_what_the_users_does(task: tasks.Task, results: Path) -> None:
    kind = KINDS[task.name]
    arrays = kind.data()
    module = factory(kind)(width=task.networks["7"].metrics.hyper_parameters["width"])
    weights = results.parent / "mine" / task.name / "7.pt"
    module.load_state_dict(torch.load(weights, weights_only=True))
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(arrays["test_inputs"][:20]))
    expected = expected if isinstance(expected, torch.Tensor) else expected[0]
    network = task.networks["7"].network()
    outputs = batched_outputs(network, task.test.take(slice(0, 20)))
    torch.testing.assert_close(outputs, expected)
    assert len(observed_layers(network)) >= 2


def test_every_family_has_measures_and_the_rest_is_explained(
    task: tasks.Task, results: Path
) -> None:
    folder = results / task.name
    measures = pd.read_csv(folder / "measures.csv")
    left_out = pd.read_csv(folder / "left_out_measures.csv")
    families = set(SETTINGS["families"]) - WITHOUT.get(task.name, set())
    assert families == set(measures["family"])
    assert measures.groupby("family")["network"].nunique().eq(8).all()
    assert pd.read_csv(folder / "failed.csv").empty
    assert left_out["reason"].str.len().gt(20).all()
    assert not left_out["reason"].str.contains("Error|Traceback").any()
    measure, words = LEFT_OUT.get(task.name, ("", ""))
    assert (measure in set(left_out["measure"])) == bool(measure)
    assert left_out.loc[left_out["measure"] == measure, "reason"].str.contains(words).all()
    assert measure not in set(measures["measure"])


def test_what_norms_do_not_see_is_told(task: tasks.Task, results: Path) -> None:
    """The table of positions of the transformer is in no layer that norms know."""
    coverage = pd.read_csv(results / task.name / "coverage.csv", dtype={"network": str})
    if task.name != "vit":
        assert coverage.empty
        return
    for name, network in task.networks.items():
        sizes = {key: value.numel() for key, value in network.network().named_parameters()}
        unknown = sum(size for key, size in sizes.items() if key.endswith("places"))
        shares = coverage.loc[coverage["network"] == name, "coverage"]
        np.testing.assert_allclose(shares, 1 - unknown / sum(sizes.values()))


def test_the_leaderboard_ranks_the_measures(
    task: tasks.Task, results: Path, tmp_path: Path
) -> None:
    folder = results / task.name
    leaderboard = pd.read_csv(folder / "evaluation" / "leaderboard.csv")
    scalars = pd.read_csv(folder / "measures.csv", dtype={"network": str})
    values = scalars.query("measure == 'sum_of_squared_weights'").set_index("network")["value"]
    correlations = pd.read_csv(folder / "evaluation" / "correlations.csv")
    row = correlations.query(
        "measure == 'sum_of_squared_weights' and statistic == 'kendall' and stratum == 'all'"
    ).iloc[0]
    expected = stats.kendalltau(values.loc[list(task.networks)], task.gaps()).statistic
    assert row["estimate"] == pytest.approx(expected)
    assert len(leaderboard) > 20
    drawn = folder / "figures"
    if task.name != DRAWN:
        drawn = tmp_path
        table = str(folder / "evaluation" / "{}.csv").format
        board = plot_leaderboard(leaderboard=table("leaderboard"), top=10)
        save(board, drawn / "leaderboard.png")
        correlated = plot_correlations(correlations=table("correlations"), top=10)
        save(correlated, drawn / "correlations.png")
    for name in ("leaderboard.png", "correlations.png"):
        assert (drawn / name).stat().st_size > 5000
    assert (folder / "dashboard.html").stat().st_size > 50_000
