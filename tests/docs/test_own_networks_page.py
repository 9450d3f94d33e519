"""The page on networks of one's own: each block runs as it stands there."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.docs.blocks import Block, blocks_of, commands_of
from tests.workflow.runs import Run
from torch import nn

from gengap.cli import main
from gengap.datasets import load
from gengap.measures import MeasureResults

GRID = [(width, decay) for width in (8, 16) for decay in (0.0, 1e-3, 1e-2, 1e-1)]
EPOCHS = 30


@pytest.fixture(scope="module")
def blocks(root: Path) -> list[Block]:
    return blocks_of(root / "docs" / "how-to" / "own-networks.md")


def of_language(blocks: list[Block], language: str) -> list[str]:
    return [block.text for block in blocks if block.language == language]


def train(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, decay: float) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=decay)
    for _ in range(EPOCHS):
        loss = nn.functional.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    network.eval()


@pytest.fixture(scope="module")
def folder(blocks: list[Block], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: the network's file, its data, eight trained networks and their table."""
    folder = tmp_path_factory.mktemp("own")
    source = of_language(blocks, "python")[0]
    assert source.startswith("# mynets.py\n")
    (folder / "mynets.py").write_text(source)
    (config,) = of_language(blocks, "yaml")
    (folder / "mine.yaml").write_text(config)
    digits = load("digits", train_size=100, test_size=200)
    train_images, test_images = (
        np.moveaxis(split.inputs, -1, 1) for split in (digits.train, digits.test)
    )
    np.savez(
        folder / "digits.npz",
        inputs=train_images,
        labels=digits.train.labels,
        test_inputs=test_images,
        test_labels=digits.test.labels,
    )
    namespace: dict[str, Any] = {}
    exec(compile(source, "mynets.py", "exec"), namespace)
    images, targets = torch.tensor(train_images), torch.tensor(digits.train.labels)
    (folder / "runs").mkdir()
    rows = []
    for position, (width, decay) in enumerate(GRID):
        torch.manual_seed(position)
        network = namespace["SmallNet"](width=width)
        files = [f"runs/{position}.pt", f"runs/{position}_initial.pt"]
        torch.save(network.state_dict(), folder / files[1])
        train(network, images, targets, decay)
        torch.save(network.state_dict(), folder / files[0])
        rows.append([*files, width, decay])
    (header,) = (block.splitlines()[0] for block in of_language(blocks, "csv"))
    with (folder / "runs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return folder


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def commands(blocks: list[Block], program: str) -> list[list[str]]:
    """The command lines of a program, as words."""
    return [words[1:] for words in commands_of(blocks) if words[0] == program]


def test_every_block_is_run_here(blocks: list[Block]) -> None:
    assert [block.language for block in blocks].count("python") == 2
    assert {block.language for block in blocks} == {"python", "sh", "csv", "yaml"}
    programs = {words[0] for words in commands_of(blocks)}
    assert programs == {"gengap", "snakemake"}


def test_the_rows_of_the_table_are_those_of_the_text(blocks: list[Block], folder: Path) -> None:
    (shown,) = of_language(blocks, "csv")
    table = pd.read_csv(folder / "runs.csv")
    assert list(table.columns) == shown.splitlines()[0].split(",")
    assert all((folder / name).is_file() for name in table["weights"])


def test_the_commands_describe_and_measure(
    blocks: list[Block], inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = commands(blocks, "gengap")
    assert main(first) == 0
    assert "All measures need training data" in capsys.readouterr().out
    assert main(second) == 0
    text = capsys.readouterr().out
    assert "training data" not in text
    assert "kernel_drift: needs the initial weights" in " ".join(text.split())
    assert main(third) == 0
    table = pd.read_csv(inside / "measures.csv")
    assert set(table["family"]) == {"baseline", "tangent"}
    assert {"distance_from_initialisation", "kernel_drift"} <= set(table["measure"])
    assert table["value"].notna().all()


def test_python_gives_the_same_values(
    blocks: list[Block], inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(inside))
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    namespace: dict[str, Any] = {}
    exec(compile(of_language(blocks, "python")[1], "own-networks.md", "exec"), namespace)
    values = namespace["values"]
    assert isinstance(values, MeasureResults)
    weights = torch.load("runs/0.pt", weights_only=True)
    trained = [name for name in weights if "running" not in name and "num_" not in name]
    assert values["parameter_count"] == sum(weights[name].numel() for name in trained)
    assert "needs the initial weights" in values.left_out["distance_from_initialisation"]


@pytest.mark.slow
def test_the_config_makes_a_task(
    blocks: list[Block], folder: Path, snakemake: Run, tmp_path: Path
) -> None:
    (words,) = commands(blocks, "snakemake")
    assert words == ["--cores", "all", "--configfile", "mine.yaml"]
    board = "results/mine/evaluation/leaderboard.csv"
    ran = snakemake(tmp_path, board, config=folder / "mine.yaml")
    assert ran.returncode == 0, ran.stderr
    task = tmp_path / "results" / "mine"
    leaderboard = pd.read_csv(tmp_path / board)
    assert {"distance_from_initialisation", "kernel_drift"} <= set(leaderboard["measure"])
    measures = pd.read_csv(task / "measures.csv")
    assert measures["network"].nunique() == len(GRID)
