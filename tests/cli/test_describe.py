"""``gengap describe``: layers, neurons and measures, as text and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Saved

from gengap.cli import main
from gengap.cli.describe import SEEN_BY
from gengap.measures import FAMILIES
from gengap.measures.registry import members


def described(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["describe", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_layers_neurons_and_parameters(saved: Saved, capsys: pytest.CaptureFixture[str]) -> None:
    """A convolution of 4 kernels (3, 3) on 6 x 6 inputs, pooled to 3 x 3; a dense layer of 3."""
    found = described([saved.spec], capsys)
    assert found["input_shape"] == [6, 6, 1]
    assert found["outputs"] == 3
    with_weights = {layer["kind"]: layer for layer in found["layers"] if layer["parameters"]}
    convolution, dense = with_weights["Conv2d"], with_weights["Linear"]
    assert convolution["kernels"] == [[4, 1, 3, 3]]
    assert convolution["output"] == [4, 6, 6]
    assert convolution["parameters"] == 4 * 9 + 4
    assert dense["kernels"] == [[3, 4 * 3 * 3]]
    assert dense["output"] == [3]
    assert found["parameters"] == found["trainable"] == 40 + 3 * 36 + 3
    assert [layer["neurons"] for layer in found["observed"]] == [4 * 6 * 6, 3]


def test_every_measure_of_every_family_is_listed(
    saved: Saved, capsys: pytest.CaptureFixture[str]
) -> None:
    found = described([saved.spec], capsys)["measures"]
    assert list(found) == list(FAMILIES)
    assert all(set(found[family]) == set(members(family)) for family in FAMILIES)


def test_initial_weights_let_more_be_computed(
    saved: Saved, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [saved.spec, saved.weights, "--data", saved.data]
    without = described(command, capsys)["measures"]
    assert "needs the initial weights" in without["tangent"]["kernel_drift"]
    assert without["baseline"]["training_accuracy"] is None
    given = described([*command, "--initial", saved.first], capsys)["measures"]
    assert set(given["tangent"].values()) == {None}
    assert described([saved.folder], capsys)["measures"] == given


def test_a_recorded_training_lets_its_history_be_measured(
    saved: Saved, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(saved.folder) / "history.csv").write_text("epoch,train_loss\n1,0.5\n2,0.1\n")
    measures = described([saved.folder], capsys)["measures"]["history"]
    assert measures["epochs_to_loss"] is None
    assert "needs snapshots" in measures["trajectory_dimension"]
    assert main(["measure", saved.folder, "--families", "history"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert any(row.startswith("history,epochs_to_loss,0,2.0") for row in rows)


def test_the_text_says_the_same(saved: Saved, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", saved.spec]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^parameters +151$", text, re.M)
    assert re.search(r"^147 neurons$", text, re.M)
    assert re.search(r"4 x 1 x 3 x 3 +4 x 6 x 6 +40$", text, re.M)
    applicable, left_out = text.split("measures that cannot be computed\n")
    assert "baseline: parameter_count" in applicable
    assert "peak.H0/H1/H2" in applicable
    assert "  tangent: " not in applicable
    flowed = " ".join(left_out.split())
    assert "kernel_drift: needs the initial weights of the network" in flowed
    assert "All measures need training data." in flowed
    assert all(len(line) <= 100 for line in text.splitlines())
    assert main(["describe", saved.folder]) == 0
    applicable, left_out = capsys.readouterr().out.split("measures that cannot be computed\n")
    assert "training data" not in applicable
    # One network alone has no siblings, no unlabelled inputs, and here no record of its training.
    assert set(re.findall(r"^  (\w+): ", left_out, re.M)) == {"history", "response", "unlabelled"}


TEXT = """
import torch
from torch import nn


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(30, 16)
        self.table.weight.requires_grad_(False)
        self.places = nn.Parameter(torch.zeros(12, 16))
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.lstm = nn.LSTM(16, 20, batch_first=True)
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(20, 3)

    def forward(self, tokens):
        values = self.table(tokens) + self.places
        values = values + self.attention(values, values, values)[0]
        return self.head(self.lstm(values)[0][:, -1])
"""


def test_a_network_of_ones_own_with_every_kind_of_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers of parameters by hand: 30 x 16, 12 x 16, 4 x 16 x 17, 80 x (16 + 20 + 2), ..."""
    (tmp_path / "text.py").write_text(TEXT)
    spec = {"factory": f"{tmp_path}/text.py:Text", "input_shape": [12], "input_type": "int64"}
    found = described([json.dumps(spec)], capsys)
    layers = {layer["name"]: layer for layer in found["layers"]}
    counts = {"": 192, "table": 480, "attention": 1088, "lstm": 3040, "unused": 12, "head": 63}
    assert {name: layer["parameters"] for name, layer in layers.items()} == counts
    total = sum(counts.values())
    assert (found["parameters"], found["trainable"]) == (total, total - 480)
    assert layers["lstm"]["kernels"] == [[80, 16], [80, 20]]
    assert layers["attention"]["kernels"] == 4 * [[16, 16]]
    assert layers["attention"]["output"] == [12, 16]
    assert layers["unused"]["output"] is None
    neurons = {layer["name"]: layer["neurons"] for layer in found["observed"]}
    assert neurons == {"table": 192, "attention": 192, "lstm": 240, "head": 3}
    shares = found["shares"]
    assert list(shares) == list(FAMILIES)
    assert shares["baseline"] == pytest.approx(1 - 192 / total)
    assert shares["topology"] == shares["functional_graph"] == pytest.approx(1 - 204 / total)
    assert shares["competition"] == pytest.approx(1 - 12 / total)
    assert shares["curvature"] == shares["tangent"] == pytest.approx(1 - 480 / total)
    assert found["unknown"] == ["places"]
    assert main(["describe", json.dumps(spec)]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^parameters +4,875, 480 frozen$", text, re.M)
    assert re.search(r"^ +unused +Linear +3 x 3 +not used +12$", text, re.M)
    assert re.search(r"^ +\(itself\) +Text +3 +192$", text, re.M)


def test_a_shape_is_needed_where_nothing_states_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(
        "from torch import nn\n\ndef line():\n    return nn.Linear(4, 3)\n"
    )
    factory = f"{tmp_path}/own.py:line"
    assert main(["describe", factory]) == 1
    assert "input_shape" in capsys.readouterr().err
    assert described([factory, "--input-shape", "4"], capsys)["outputs"] == 3
    for shape in ("4,x", "0", ""):
        with pytest.raises(SystemExit) as stopped:
            main(["describe", factory, "--input-shape", shape])
        assert stopped.value.code == 2
        assert "is no shape such as 32,32,3" in capsys.readouterr().err


def test_each_family_has_something_that_it_looks_at() -> None:
    assert set(SEEN_BY) == set(FAMILIES)
