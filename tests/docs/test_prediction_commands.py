"""The commands of the README and of the first page, on a stand-in for the default run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.docs.blocks import blocks_of, commands_of
from tests.prediction.measured_tasks import measures_of, write_measures
from tests.workflow.runs import Run
from torch import nn

from gengap.cli import main
from gengap.datasets import Dataset, Split, load, write_split
from gengap.networks import Network, build, dense, write_weights
from gengap.tasks.folder import Metrics, write_task
from gengap.tasks.outcomes import outcomes

FAMILIES = ("baseline", "norms")
DRAW = 100


def trained(spec: dict[str, object], data: Split, rate: float, seed: int) -> Network:
    torch.manual_seed(seed)
    network = build(spec)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    inputs, labels = torch.tensor(data.inputs), torch.tensor(data.labels)
    loss = torch.tensor(1.0)
    while loss > 0.02:
        loss = nn.functional.cross_entropy(network(inputs), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval()


def make_reference_task(folder: Path, digits: Dataset) -> None:
    """Train 24 networks on three draws of the digits, and measure them."""
    write_split(digits.train, folder / "dataset" / "train.safetensors")
    write_split(digits.test, folder / "dataset" / "test.safetensors")
    widths, rates = [16, 32, 64, 128], [0.005, 0.02]
    points = [(width, rate) for width in widths for rate in rates]
    grid: dict[str, list[int] | list[float]] = {"width": widths, "learning_rate": rates}
    metrics, tables = {}, []
    for number in range(3 * len(points)):
        (width, rate), draw = points[number // 3], number % 3
        own = folder / "networks" / str(number)
        own.mkdir(parents=True)
        rows = np.arange(DRAW) + DRAW * draw
        data, spec = digits.train.take(rows), dense((8, 8, 1), 10, width=width, depth=1)
        network = trained(spec, data, rate, number)
        np.save(own / "rows.npy", rows)
        np.save(own / "labels.npy", data.labels)
        (own / "config.json").write_text(json.dumps(spec))
        write_weights(network, own / "weights.safetensors")
        reached = outcomes(network, data, digits.test, "cross_entropy")
        given = {"width": width, "learning_rate": rate}
        metrics[str(number)] = Metrics(
            given,
            reached["train_accuracy"],
            reached["test_accuracy"],
            train_loss=reached["train_loss"],
            test_loss=reached["test_loss"],
            replicate=draw,
        )
        metrics[str(number)].write(own / "metrics.json")
        tables.append(
            measures_of(network, None, data, FAMILIES, task="digits", name=str(number), seed=0)
        )
    write_task(folder / "task.json", "digits", grid, metrics)
    write_measures(folder, tables, FAMILIES, task="digits", seed=0)


@pytest.fixture(scope="module")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of a small default run, and the file of the user's network."""
    folder = tmp_path_factory.mktemp("checkout")
    digits = load("digits", train_size=3 * DRAW, test_size=500, balanced=True)
    make_reference_task(folder / "results" / "digits", digits)
    (folder / "docs").mkdir()
    shutil.copy(root / "docs" / "mydigits.py", folder / "docs")
    return folder


def three_commands(page: Path) -> list[list[str]]:
    lines = [words for words in commands_of(blocks_of(page)) if words[0] in ("gengap", "python")]
    start = lines.index(["gengap", "reference", "results/digits"])
    return lines[start : start + 3]


def test_all_pages_give_the_same_three_commands(root: Path) -> None:
    readme = three_commands(root / "README.md")
    assert [words[:2] for words in readme] == [
        ["gengap", "reference"],
        ["python", "docs/mydigits.py"],
        ["gengap", "predict"],
    ]
    assert three_commands(root / "docs" / "getting-started.md") == readme
    assert three_commands(root / "docs" / "how-to" / "predict.md") == readme


@pytest.mark.slow
def test_three_commands_predict_a_network(
    folder: Path,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second, third = three_commands(root / "README.md")
    monkeypatch.chdir(folder)
    assert main(first[1:]) == 0
    printed = capsys.readouterr().out
    assert "24 networks of digits, on 3 draw(s)" in printed
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))
    subprocess.run([sys.executable, *second[1:]], check=True)
    status = main([*third[1:], "--json"])
    printed_json = capsys.readouterr()
    assert printed_json.out, printed_json.err
    row = json.loads(printed_json.out)
    # Whether so small a reference beats the mean gap is a matter of its networks.
    assert status == (3 if row["gap"] is None else 0)
    for word in ("training data", "training loss", "too far", "inputs"):
        assert word not in row["reason"]
    assert main([*third[1:], "--force"]) == 0
    found = re.search(
        r"interval (-?[.\d]+) to ([.\d]+); predicted test accuracy: ([.\d]+)",
        capsys.readouterr().out,
    )
    assert found is not None
    low, high, accuracy = map(float, found.groups())
    assert low < 1 - accuracy < high


@pytest.mark.slow
def test_the_first_page_looks_at_a_network(
    folder: Path,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = commands_of(blocks_of(root / "docs" / "getting-started.md"))
    described, measured = [words for words in lines if words[1] in ("describe", "measure")]
    monkeypatch.chdir(folder)
    assert main(described[1:]) == 0
    assert "measures that can be computed" in capsys.readouterr().out
    assert main(measured[1:]) == 0
    table = capsys.readouterr().out
    assert {line.split(",")[0] for line in table.splitlines()} == {"family", "baseline", "margins"}


def test_every_command_of_the_first_page_is_known(root: Path) -> None:
    lines = commands_of(blocks_of(root / "docs" / "getting-started.md"))
    programs = [words[0] for words in lines]
    assert programs == [
        "git", "make", "source", "gengap", "gengap", "gengap", "python", "gengap", "snakemake",
        "snakemake",
    ]  # fmt: skip
    (target,) = (words[1] for words in lines if words[0] == "make")
    assert re.search(rf"^{target}:", (root / "Makefile").read_text(), re.M)


@pytest.mark.slow
def test_the_config_of_the_first_page_runs(root: Path, tmp_path: Path, snakemake: Run) -> None:
    page = blocks_of(root / "docs" / "getting-started.md")
    (config,) = (block.text for block in page if block.language == "yaml")
    (tmp_path / "my.yaml").write_text(config)
    dry, real = [words[1:] for words in commands_of(page) if words[0] == "snakemake"]
    assert dry == ["-n", "--configfile", "my.yaml"]
    assert real == ["--cores", "all", "--configfile", "my.yaml"]
    for arguments in (["-n"], []):
        ran = snakemake(tmp_path, *arguments, config=tmp_path / "my.yaml")
        assert ran.returncode == 0, ran.stderr
    assert (
        "Compared: 8 networks"
        in (tmp_path / "results" / "small" / "evaluation" / "summary.txt").read_text()
    )
