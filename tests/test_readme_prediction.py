"""The README's section on predictions: its file and its commands, on a small reference."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.prediction.measured_tasks import measures_of, write_measures
from torch import nn

from gengap.cli import main
from gengap.datasets import Dataset, Split, load, write_split
from gengap.networks import Network, build, dense, write_weights
from gengap.tasks.folder import Metrics, write_task
from gengap.tasks.outcomes import outcomes

FAMILIES = ("baseline", "norms")
DRAW = 100


@pytest.fixture(scope="module")
def section(root: Path) -> str:
    text = (root / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## Predict a gap\n(.*?)^## ", text, re.M | re.S)
    assert found is not None
    return found[1]


def block(section: str, language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", section, re.M | re.S)
    return str(text)


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
        tables.append(
            measures_of(network, None, data, FAMILIES, task="digits", name=str(number), seed=0)
        )
    write_task(folder / "task.json", "digits", grid, metrics)
    write_measures(folder, tables, FAMILIES, task="digits", seed=0)


def test_three_commands_predict_a_network(
    section: str,
    tmp_path: Path,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = block(section, "python")
    assert source.startswith("# mydigits.py\n")
    (tmp_path / "mydigits.py").write_text(source)
    make_reference_task(
        tmp_path / "results" / "digits",
        load("digits", train_size=3 * DRAW, test_size=500, balanced=True),
    )
    lines = block(section, "sh").replace("\\\n", " ").splitlines()
    first, second, third = [shlex.split(line, comments=True) for line in lines]
    monkeypatch.chdir(tmp_path)
    assert main(first[1:]) == 0
    printed = capsys.readouterr().out
    assert "24 networks of digits, on 3 draw(s)" in printed
    assert second == ["python", "mydigits.py"]
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
