"""A reference around a user's own network, and networks without test data that it predicts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.datasets import load_digits
from tests.workflow.runs import Run
from torch import nn

from gengap import tasks
from gengap.names import PREDICTION_COLUMNS
from gengap.prediction import Reference
from gengap.tasks.folder import Metrics

pytestmark = pytest.mark.slow

MYNETS = """
from torch import nn


class SmallNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, inputs):
        return self.layers(inputs)
"""
INPUTS, EPOCHS, RATE, BATCH = 400, 30, 0.01, 20
WIDTHS = (8, 32, 16)
BROKEN = 2
"""The network whose weights are scaled until it is like no other."""


def trained(width: int, inputs: np.ndarray, labels: np.ndarray) -> nn.Module:
    """A network that is trained by the user's own loop."""
    torch.manual_seed(width)
    namespace: dict[str, Any] = {}
    exec(MYNETS, namespace)
    network: nn.Module = namespace["SmallNet"](width)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(labels)), BATCH):
            loss = nn.functional.cross_entropy(
                network(torch.from_numpy(inputs)[batch]), torch.from_numpy(labels)[batch]
            )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: code, noisy digits, three networks and a config."""
    folder = tmp_path_factory.mktemp("mine")
    images, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(digits))[:INPUTS]
    noisy = images[chosen] / 16 + 0.4 * rng.normal(size=(INPUTS, 64))
    inputs, labels = noisy.astype(np.float32), digits[chosen].astype(np.int64)
    np.savez(folder / "mine.npz", inputs=inputs, labels=labels)
    (folder / "mynets.py").write_text(MYNETS)
    lines = ["network,weights,width,epochs,learning_rate"]
    for position, width in enumerate(WIDTHS):
        weights = trained(width, inputs, labels).state_dict()
        if position == BROKEN:
            weights = {name: 40 * tensor for name, tensor in weights.items()}
        torch.save(weights, folder / f"{position}.pt")
        lines.append(f"net-{width},{position}.pt,{width},{EPOCHS},{RATE}")
    (folder / "runs.csv").write_text("\n".join(lines))
    network, data = {"factory": "mynets.py:SmallNet"}, {"from": "mine.npz"}
    config = {
        "device": "cpu",
        "families": ["baseline", "norms"],
        "evaluation": {"bootstrap_resamples": 20, "permutations": 20},
        "reference": {
            "network": network,
            "dataset": data,
            "training": {"optimiser": "adam"},
            "grid": {
                "width": [8, 32], "epochs": [2, EPOCHS], "learning_rate": [RATE / 2, RATE],
                "batch_size": [BATCH], "weight_decay": [0.0],
            },
            "draws": 4,
            "networks_per_job": 32,
        },
        "tasks": [
            {
                "name": "mine",
                "checkpoints": {
                    "table": "runs.csv", "network": network, "dataset": {**data, "test_size": 0},
                },
                "networks_per_job": 8,
            }
        ],
        "predictions": [{"task": "mine", "reference": "reference"}],
    }  # fmt: skip
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="module")
def planned(folder: Path, snakemake: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a dry run of the target says."""
    empty = tmp_path_factory.mktemp("empty")
    result = snakemake(empty, "reference", "--dry-run", config=folder / "mine.yaml")
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def run(folder: Path, snakemake: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The results of a run up to the predictions, in another folder; and what it prints."""
    place = tmp_path_factory.mktemp("run")
    names = ("predictions.csv", "figures/predictions.png", "dashboard.html")
    wanted = [f"results/mine/{name}" for name in names]
    result = snakemake(place, *wanted, config=folder / "mine.yaml")
    assert result.returncode == 0, result.stderr[-3000:]
    return place / "results", result.stdout + result.stderr


def test_a_dry_run_says_how_many_networks_and_hours_it_takes(planned: str) -> None:
    (line,) = (line for line in planned.splitlines() if "networks (" in line)
    assert "32 networks (8 settings x 4 draws of the data); training takes at most 0." in line
    for rule in ("freeze", "predict", "evaluate", "figures_prediction"):
        assert f"\n{rule} " in planned
    # The three networks are predicted, not evaluated.
    assert planned.count("results/mine/evaluation") == 0


def test_the_zoo_is_the_users_network_on_draws_of_the_users_data(run: tuple[Path, str]) -> None:
    task = tasks.load(run[0] / "reference")
    assert len(task.networks) == 32
    draws = [network.rows() for network in task.networks.values()]
    # A fifth is held out, and each draw has .95 of the others.
    assert {len(rows) for rows in draws if rows is not None} == {304}
    assert len({rows.tobytes() for rows in draws if rows is not None}) == 4
    modules = [network.network().state_dict() for network in list(task.networks.values())[::6]]
    assert all("layers.0.weight" in module for module in modules)
    assert {len(module["layers.0.weight"]) for module in modules} == {8, 32}
    reference = Reference.load(run[0] / "reference" / "reference.safetensors")
    assert len(reference.gaps) > 20
    assert len(reference.draw_digests) == 4


def test_networks_without_test_data_are_predicted_or_declined(run: tuple[Path, str]) -> None:
    table = pd.read_csv(run[0] / "mine" / "predictions.csv").set_index("network")
    assert ["network", *table.columns] == list(PREDICTION_COLUMNS)
    assert len(table) == len(WIDTHS)
    declined = table[table["gap"].isna()]
    assert list(declined["verdict"]) == ["declined"]
    assert str(declined["reason"].iloc[0]).startswith(("Its training loss", "It is too far"))
    predicted = table[table["verdict"] == "predicted"]
    assert len(predicted) == 2
    assert (predicted["low"] <= predicted["gap"]).all()
    assert (predicted["gap"] <= predicted["high"]).all()
    task = tasks.load(run[0] / "mine")
    assert all(math.isnan(network.gap) for network in task.networks.values())
    assert not (run[0] / "mine" / "evaluation").exists()


def test_the_run_ends_with_what_is_predicted(run: tuple[Path, str]) -> None:
    results, printed = run
    assert "mine: 2 of 3 networks are predicted; gaps " in printed
    assert "  1 declined: t" in printed
    assert (results / "mine" / "figures" / "predictions.svg").is_file()
    page = (results / "mine" / "dashboard.html").read_text()
    assert "2 of 3 networks are predicted; bars are 90 % intervals." in page


def test_predictions_are_exported_as_the_competition_takes_them(
    folder: Path, snakemake: Run, tmp_path: Path
) -> None:
    results = tmp_path / "results" / "mine"
    results.mkdir(parents=True)
    metrics = {name: Metrics({}, 0.9, None, source_id=f"model_{name}") for name in "01"}
    tasks.write_task(results / "task.json", "mine", {}, metrics)
    ranks = pd.DataFrame({"network": ["0", "1"], "rank": [2, 1]})
    ranks.reindex(columns=list(PREDICTION_COLUMNS)).to_csv(results / "predictions.csv", index=False)
    wanted = ("results/mine/mine.predict", "--allowed-rules", "export_predictions")
    result = snakemake(tmp_path, *wanted, config=folder / "mine.yaml")
    assert result.returncode == 0, result.stderr[-3000:]
    assert json.loads((results / "mine.predict").read_text()) == {"model_0": 2, "model_1": 1}
