"""Networks of a user's own, from a table of checkpoints to the dashboard."""

from __future__ import annotations

import csv
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tests.workflow.runs import Run
from torch import nn

from gengap import tasks

pytestmark = pytest.mark.slow

MYNETS = """
from torch import nn


class Net(nn.Module):
    def __init__(self, width=8, *, outputs=3):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 60), nn.ReLU()
        )
        self.head = nn.Linear(60, outputs)

    def forward(self, inputs):
        return self.head(self.body(inputs))
"""
SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "activations": {"inputs": 40, "neurons": 16, "draws": 2},
    "evaluation": {"bootstrap_resamples": 20, "permutations": 20},
    "families": ["topology", "baseline", "mine.py"],
}
# A measure that cannot do without initial weights, and one that is nothing but chance.
FAMILY = """
from gengap.measures import measure


@measure(needs={"initial"})
def change_of_the_head(subject):
    pairs = zip(subject.network.parameters(), subject.initial.parameters())
    return float(max((a - b).abs().max() for a, b in pairs))


@measure(draws=3)
def drawn_number(subject):
    return subject.rng.random()
"""
ROWS = 60


def arrays(*, numbers: bool) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    inputs = rng.normal(size=(2 * ROWS, 4)).astype(np.float32)
    noisy = inputs + 0.5 * rng.normal(size=inputs.shape)
    targets = noisy.sum(1).astype(np.float32) if numbers else noisy[:, :3].argmax(1)
    return {
        "inputs": inputs[:ROWS],
        "labels": targets[:ROWS],
        "test_inputs": inputs[ROWS:],
        "test_labels": targets[ROWS:],
    }


def trained(
    make: Callable[..., nn.Module], data: dict[str, np.ndarray], width: int, epochs: int, seed: int
) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    """Train a network as a user does; return it and its initial state."""
    numbers = data["labels"].dtype == np.float32
    torch.manual_seed(seed)
    network = make(width, outputs=1 if numbers else 3)
    initial = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    inputs, labels = torch.from_numpy(data["inputs"]), torch.from_numpy(data["labels"])
    for _ in range(epochs):
        outputs = network(inputs)
        loss = (
            nn.functional.mse_loss(outputs[:, 0], labels)
            if numbers
            else nn.functional.cross_entropy(outputs, labels)
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval(), initial


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: code, data, weights, two tables and a config."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mynets.py").write_text(MYNETS)
    (folder / "mine.py").write_text(FAMILY)
    namespace: dict[str, Any] = {}
    exec(MYNETS, namespace)
    entries = []
    for name, numbers in (("classes", False), ("numbers", True)):
        data = arrays(numbers=numbers)
        np.savez(folder / f"{name}.npz", **data)  # type: ignore[arg-type]
        rows: list[dict[str, Any]] = []
        points = itertools.product((8, 40), (10, 60), (0, 1))
        for width, epochs, seed in points:
            network, initial = trained(namespace["Net"], data, width, epochs, seed)
            stem = f"{name}-{width}-{epochs}-{seed}"
            torch.save({"state_dict": network.state_dict()}, folder / f"{stem}.pt")
            torch.save(initial, folder / f"{stem}.start.pt")
            row: dict[str, Any] = {"network": stem, "weights": f"{stem}.pt", "seed": seed}
            if not numbers:
                row |= {"width": width, "epochs": epochs, "initial": f"{stem}.start.pt"}
                row["test_accuracy"] = accuracy(network, data)
            rows.append(row)
        checkpoints: dict[str, Any] = {
            "table": f"{name}.csv",
            "network": {"factory": "mynets.py:Net"},
            "dataset": {"from": f"{name}.npz"},
        }
        if numbers:
            # All of one width, so that a task without hyper-parameters is left.
            rows = [row for row in rows if row["network"].startswith("numbers-40")] * 2
            rows = [{**row, "network": f"run {k}"} for k, row in enumerate(rows)]
            for k, row in enumerate(rows[4:]):
                row["weights"] = f"numbers-40-{k}.pt"
                network, _ = trained(namespace["Net"], data, 40, 5 * (k + 1), k)
                torch.save(network.state_dict(), folder / str(row["weights"]))
            checkpoints["network"]["keywords"] = {"width": 40, "outputs": 1}
            checkpoints["dataset"]["target"] = "number"
            checkpoints["gap"] = "error"
        else:
            rows[3]["initial"] = ""
            rows[5]["test_accuracy"] = 0.0
            rows[6]["test_accuracy"] = ""
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        entries.append({"name": name, "checkpoints": checkpoints, "networks_per_job": 8})
    (folder / "config.yaml").write_text(yaml.safe_dump({**SETTINGS, "tasks": entries}))
    return folder


def accuracy(network: nn.Module, data: dict[str, np.ndarray]) -> float:
    with torch.inference_mode():
        outputs = network(torch.from_numpy(data["test_inputs"]))
    return float((outputs.argmax(1).numpy() == data["test_labels"]).mean())


@pytest.fixture(scope="module")
def results(folder: Path, snakemake: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run in another folder than the config's."""
    run = tmp_path_factory.mktemp("run")
    result = snakemake(run, config=folder / "config.yaml")
    assert result.returncode == 0, result.stderr[-3000:]
    return run / "results"


def test_the_networks_are_the_users_under_their_names(folder: Path, results: Path) -> None:
    task = tasks.load(results / "classes")
    table = pd.read_csv(folder / "classes.csv")
    assert [network.metrics.source_id for network in task.networks.values()] == list(
        table["network"]
    )
    assert task.grid == {"width": [8, 40], "epochs": [10, 60]}
    assert list(task.hyper_parameters()["epochs"]) == list(table["epochs"])
    data = arrays(numbers=False)
    for network in task.networks.values():
        module = network.network()
        measured = accuracy(module, data)
        assert network.metrics.test_accuracy == pytest.approx(measured)
        with torch.inference_mode():
            outputs = module(torch.from_numpy(data["inputs"])).argmax(1).numpy()
        train = float((outputs == data["labels"]).mean())
        assert network.gap == pytest.approx(train - measured)
    (code,) = (results / "classes" / "code").iterdir()
    assert (code / "mynets.py").read_text() == MYNETS


def test_what_is_not_as_stated_is_listed(results: Path) -> None:
    (line,) = (results / "classes" / "disagreements.txt").read_text().splitlines()
    assert line.startswith("Network classes-40-10-1 has test accuracy 0.")
    assert (results / "numbers" / "disagreements.txt").read_text() == ""


def test_all_networks_of_a_task_have_the_same_draws(results: Path) -> None:
    """Whatever their shards; and what all draws add alike is no error between networks."""
    folders = [folder.parent for folder in results.glob("*/standard_errors.csv")]
    assert folders
    for folder in folders:
        measures = pd.read_csv(folder / "measures.csv").query("measure == 'drawn_number'")
        errors = pd.read_csv(folder / "standard_errors.csv").query("measure == 'drawn_number'")
        assert len(measures) == len(errors) > 1
        assert measures["value"].nunique() == 1
        assert (errors["standard_error"] == 0).all()


@pytest.mark.parametrize("name", ["classes", "numbers"])
def test_a_missing_value_costs_measures_but_no_network(name: str, results: Path) -> None:
    assert (results / name / "failed.csv").read_text() == "network,stage,reason\n"
    left_out = pd.read_csv(results / name / "left_out_measures.csv").set_index("measure")
    for measure in ("distance_from_initialisation", "change_of_the_head"):
        assert left_out.loc[measure, "network"] == "all"
        assert "needs the initial weights" in str(left_out.loc[measure, "reason"])
    measures = pd.read_csv(results / name / "measures.csv")
    assert set(measures["family"]) == {"topology", "baseline", "mine"}
    assert measures.groupby("measure")["network"].nunique().eq(8).all()
    board = pd.read_csv(results / name / "evaluation" / "leaderboard.csv").set_index("measure")
    assert (board["networks"] == 8).all()
    assert "sum_of_squared_weights" in board.index


def test_gaps_of_numbers_are_differences_of_root_mean_square_errors(
    folder: Path, results: Path
) -> None:
    task = tasks.load(results / "numbers")
    data = arrays(numbers=True)
    gaps = []
    for row in pd.read_csv(folder / "numbers.csv").itertuples():
        namespace: dict[str, Any] = {}
        exec(MYNETS, namespace)
        network = namespace["Net"](40, outputs=1).eval()
        content = torch.load(folder / str(row.weights), weights_only=True)
        network.load_state_dict(content.get("state_dict", content))
        errors = []
        for part in ("", "test_"):
            with torch.inference_mode():
                outputs = network(torch.from_numpy(data[f"{part}inputs"]))[:, 0].numpy()
            errors.append(np.sqrt(np.mean((outputs - data[f"{part}labels"]) ** 2)))
        gaps.append(errors[1] - errors[0])
    assert (task.gap_of, task.grid) == ("error", {})
    np.testing.assert_allclose(task.gaps(), gaps, rtol=1e-4)
    board = pd.read_csv(results / "numbers" / "evaluation" / "leaderboard.csv")
    references = board.loc[board["kind"] == "reference", "measure"]
    assert sorted(references) == [
        "reference.mean", "reference.random", "reference.training_error",
    ]  # fmt: skip
    figure = (results / "numbers" / "figures" / "scatter.svg").read_text()
    assert "gap in root-mean-square error" in figure
    assert not (results / "numbers" / "figures" / "gaps.png").exists()
    assert "gap in root-mean-square error" in (results / "numbers" / "dashboard.html").read_text()


def test_a_changed_network_alone_is_made_again(folder: Path, results: Path, snakemake: Run) -> None:
    run, config = results.parent, folder / "config.yaml"
    quiet = snakemake(run, "-n", config=config)
    assert "Nothing to be done" in quiet.stdout + quiet.stderr
    path = folder / "classes-8-10-0.pt"
    weights = torch.load(path, weights_only=True)
    weights["state_dict"]["head.bias"] += 0.5
    before = {
        receipt.parent.name: receipt.stat().st_mtime_ns
        for receipt in (results / "classes" / "networks").glob("*/receipt.json")
    }
    torch.save(weights, path)
    os.utime(path)
    result = snakemake(run, "results/classes/task.json", config=config)
    assert result.returncode == 0, result.stderr[-3000:]
    changed = {
        name
        for name, modified in before.items()
        if (results / "classes" / "networks" / name / "receipt.json").stat().st_mtime_ns != modified
    }
    assert changed == {"0"}
    assert (
        "network 1 is kept"
        in (results / "classes" / "logs" / "adopt_networks" / "0.log").read_text()
    )


def test_a_user_may_rebuild_a_network_from_its_folder(results: Path, tmp_path: Path) -> None:
    program = (
        "from gengap import tasks; "
        f"network = tasks.load({str(results / 'numbers')!r}).networks['2'].network(); "
        "print(type(network).__name__, network.outputs)"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[1] == "1"
