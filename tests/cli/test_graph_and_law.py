"""``gengap graph`` and ``gengap law``, on the files of reduced runs of corneanu2020."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gengap.cli.entry import main
from gengap.studies.context import Context
from gengap.studies.corneanu2020.gap_law import Law
from gengap.studies.outcomes import write_outcome
from gengap.studies.result_files import ResultFiles
from gengap.studies.running import run_experiment
from gengap.topology.dipha import read_dipha_diagrams, read_distance_matrix

ADAM: dict[str, Any] = {"optimiser": "adam", "learning_rate": 0.005, "batch_size": 20}


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A run of ``training_curves`` with its weights, graphs and diagrams as files."""
    folder = tmp_path_factory.mktemp("curves")
    files = ResultFiles(folder, ("weights", "graphs", "diagrams"))
    settings = {
        "dataset": {"name": "digits", "train_size": 60, "test_size": 60},
        "network": {"template": "dense", "width": 16, "depth": 2},
        "training": {**ADAM, "epochs": 2},
        "checkpoints": [0, 2],
        "inputs": 60,
        "max_dim": 1,
        "largest_epsilon": 0.4,
        "shortest_bar": 0.01,
    }
    context = Context(0, None, torch.device("cpu"), files=files)
    return run_experiment("corneanu2020", "training_curves", context, settings), folder / "training"


def test_curves_are_made_of_saved_graphs_without_training(
    curves: tuple[Any, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, folder = curves
    scale = ["--largest-epsilon", "0.4", "--shortest-bar", "0.01"]
    for place, epoch in enumerate((0, 2)):
        output = tmp_path / str(epoch)
        graph = str(folder / f"graph_{epoch}.npy")
        assert main(["graph", graph, *scale, "--max-dim", "2", "--output", str(output)]) == 0
        assert "42 nodes" in capsys.readouterr().out
        table = pd.read_csv(output / "curves.csv")
        for dimension in range(2):
            of_run = result.scales["epsilon"].curves[place, dimension] * result.nodes
            np.testing.assert_allclose(table[f"H{dimension}"], of_run)
        assert "H2" in table
        # DIPHA's files hold the same numbers.
        np.testing.assert_array_equal(
            read_distance_matrix(output / "graph.dipha"), np.load(graph).astype(float)
        )
        of_run = np.load(folder / f"diagrams_{epoch}.npz")["epsilon_H0"]
        np.testing.assert_allclose(read_dipha_diagrams(output / "diagrams.dipha")[0], of_run)
    assert result.scales["epsilon"].grid[-1] == 0.4


def test_life_and_midlife_per_epoch_are_a_table(curves: tuple[Any, Path]) -> None:
    result, folder = curves
    table = pd.read_csv(folder / "summaries.csv")
    assert list(table["epoch"]) == [0, 0, 2, 2]
    for place, epoch in enumerate((0, 2)):
        bars = np.load(folder / f"diagrams_{epoch}.npz")["epsilon_H1"]
        row = table[(table["epoch"] == epoch) & (table["dimension"] == 1)].iloc[0]
        assert row["life"] == pytest.approx((bars[:, 1] - bars[:, 0]).mean() if len(bars) else 0)
        assert row["midlife"] == pytest.approx(bars.mean() if len(bars) else 0)
        assert row["test_accuracy"] == result.test_accuracy[place]
    assert list(pd.read_csv(folder / "history.csv")["epoch"]) == [1, 2]


def test_a_saved_network_has_the_graph_of_its_run(
    curves: tuple[Any, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With all inputs their order does not matter, so the correlations are those of the run."""
    _, folder = curves
    words = ["graph", str(folder / "config.json"), str(folder / "weights.safetensors")]
    words += ["--data", str(folder / "train.safetensors"), "--threshold", "0.5"]
    assert main([*words, "--max-dim", "1", "--output", str(tmp_path)]) == 0
    capsys.readouterr()
    graph = np.load(tmp_path / "graph.npy")
    np.testing.assert_allclose(graph, np.load(folder / "graph_2.npy"), atol=1e-5)
    adjacency = np.load(tmp_path / "adjacency_0.5.npy")
    expected = (1 - graph > 0.5) & ~np.eye(len(graph), dtype=bool)
    np.testing.assert_array_equal(adjacency, expected)
    assert main(["graph", str(tmp_path / "none.npy")]) == 1
    assert "no readable graph" in capsys.readouterr().err


def test_the_law_predicts_the_accuracy_of_a_network_in_hand(
    curves: tuple[Any, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {
        "dataset": {"name": "moons", "test_size": 100},
        "networks": [{"template": "dense", "width": width, "depth": 2} for width in (16, 24, 32)],
        "training": {**ADAM, "epochs": 3},
        "train_sizes": [40, 60],
        "label_corruptions": [0.0],
        "inputs": 40,
        "shortest_bar": 0.0,
    }
    result: Any = run_experiment(
        "corneanu2020", "law", Context(0, None, torch.device("cpu")), settings
    )
    write_outcome(tmp_path / "0.npz", result.to_outcome())
    runs = ["--runs", str(tmp_path / "0.npz")]
    assert main(["law", *runs]) == 0
    law = Law.fitted([result])
    assert law.equation() in capsys.readouterr().out
    _, folder = curves
    words = [str(folder / "config.json"), str(folder / "weights.safetensors")]
    assert main(["law", *words, "--data", str(folder / "train.safetensors"), *runs]) == 0
    lines = capsys.readouterr().out.splitlines()
    numbers = {line.split()[0]: line.split() for line in lines}
    life, midlife = (float(numbers["life"][place].strip(",")) for place in (1, 3))
    gap = 100 * (law.constant + law.life * life + law.midlife * midlife)
    predicted = [line for line in lines if line.startswith("predicted")]
    assert float(predicted[0].split()[2]) == pytest.approx(gap, abs=0.2)
    accuracy = float(numbers["training"][2]) - float(predicted[0].split()[2])
    assert float(predicted[1].split()[3]) == pytest.approx(accuracy, abs=0.11)
    other = tmp_path / "1.npz"
    write_outcome(other, replace(result, inputs=39).to_outcome())
    assert main(["law", *runs, str(other)]) == 1
    assert "of another kind" in capsys.readouterr().err
