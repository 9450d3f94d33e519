"""``gengap measure``: the values, what is left out, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.cli.conftest import Saved

from gengap.cli import main
from gengap.measures import FAMILIES, Subject, compute
from gengap.measures.registry import declaration, members
from gengap.seeding import generator


def table_of(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), dtype={"component": str})


def test_a_network_of_files_has_the_values_of_the_library(
    saved: Saved, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["measure", saved.spec, saved.weights, "--data", saved.data, "--initial", saved.first]
    assert main([*command, "--families", "baseline,competition", "--seed", "5"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    table = table_of(printed.out)
    assert list(table.columns) == ["family", "measure", "component", "value", "standard_error"]
    assert list(table["family"].unique()) == ["baseline", "competition"]
    for family, rows in table.groupby("family"):
        rng = generator(5, "measure", str(family))
        expected = compute(str(family), Subject(saved.network, saved.initial, saved.train, rng))
        assert dict(zip(rows["measure"], rows["value"], strict=True)) == pytest.approx(expected)
        errors = rows.dropna(subset="standard_error").set_index("measure")["standard_error"]
        assert errors.to_dict() == pytest.approx(dict(expected.standard_errors))


def test_a_network_of_a_task_has_the_values_of_the_workflow(
    saved: Saved, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the streams, the initial weights and the labels that the workflow gives it."""
    assert main(["measure", saved.folder, "--families", "tangent", "--seed", "7"]) == 0
    table = table_of(capsys.readouterr().out)
    rng = generator(7, "small", "tangent")
    expected = compute("tangent", Subject(saved.network, saved.initial, saved.train, rng))
    assert dict(zip(table["measure"], table["value"], strict=True)) == pytest.approx(expected)


def test_what_is_left_out_is_listed_with_its_reason(
    saved: Saved, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["measure", saved.spec, saved.weights, "--data", saved.data]
    assert main([*command, "--families", "baseline,tangent"]) == 0
    printed = capsys.readouterr()
    table = table_of(printed.out)
    missing = table[table["reason"].notna()]
    assert set(missing["family"]) == {"baseline", "tangent"}
    assert len(missing) == 8
    assert missing["value"].isna().all()
    assert table["value"].notna().sum() == len(table) - 8
    said = " ".join(printed.err.split())
    assert said.startswith("left out: baseline: distance_from_initialisation: needs the initial ")
    # The seven measures of one family share one sentence.
    assert said.count("needs the initial weights") == 2
    for name in missing["measure"]:
        assert name in said


def test_all_families_are_computed_without_slow_measures(
    saved: Saved, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", saved.folder]) == 0
    printed = capsys.readouterr()
    table = table_of(printed.out)
    assert set(table.loc[table["need"] == "slow", "family"]) == {
        family
        for family in FAMILIES
        if any(declaration(function).slow for function in members(family).values())
    }
    assert "loss_sharpness" in set(table.loc[table["value"].notna(), "measure"])
    assert "curvature: lambda_max" in printed.err
    assert "takes over a quarter of a CPU second" in printed.err


def test_a_family_without_any_value_ends_with_a_sentence(
    saved: Saved, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    command = ["measure", saved.spec, saved.weights, "--data", saved.data, "--families", "tangent"]
    assert main([*command, "--output", str(output)]) == 1
    printed = capsys.readouterr()
    assert printed.err.endswith(
        "error: No measure can be computed: the reasons are listed above.\n"
    )
    assert "kernel_drift" in printed.err
    assert not output.exists()


def test_a_file_holds_what_the_terminal_shows(
    saved: Saved, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["measure", saved.folder, "--families", "baseline"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert main([*command, "--output", str(tmp_path / "made" / "out.csv")]) == 0
    assert (tmp_path / "made" / "out.csv").read_text() == shown
    assert capsys.readouterr().out == ""


def test_a_family_of_ones_own_and_other_labels(
    saved: Saved, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own = tmp_path / "mine.py"
    own.write_text(
        "from gengap.measures import measure\n\n"
        "@measure()\ndef first_label(subject):\n    return float(subject.train.labels[0])\n"
    )
    labels = (saved.train.labels + 1) % 3
    np.save(tmp_path / "labels.npy", labels)
    command = ["measure", saved.spec, saved.weights, "--data", saved.data, "--families", str(own)]
    assert main([*command, "--labels", str(tmp_path / "labels.npy")]) == 0
    table = table_of(capsys.readouterr().out)
    assert list(table["family"]) == ["mine"]
    assert list(table["measure"]) == ["first_label"]
    assert list(table["value"]) == [labels[0]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.json", "w.safetensors", "--data", "{data}"], "nowhere.json"),
        (["{spec}", "{weights}", "--data", "nowhere.safetensors"], "nowhere.safetensors"),
        (["{spec}", "nowhere.safetensors", "--data", "{data}"], "nowhere.safetensors"),
        (["{folder}/..", "--families", "baseline"], "is no network's folder"),
        (["{folder}", "--families", "base"], "Unknown family of measures 'base'"),
        (["{folder}", "--device", "gpu"], "gpu"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], sentence: str, saved: Saved, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", *(text.format(**vars(saved)) for text in arguments)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert sentence in printed.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{spec}", "{weights}"], "--data"),
        (["{spec}", "--data", "{data}"], "WEIGHTS"),
        (["{folder}", "{weights}"], "leave out WEIGHTS"),
        (["{folder}", "--data", "{data}"], "leave out --data"),
        (["{spec}", "{weights}", "--data", "{data}", "--keywords", "[1]"], "no JSON object"),
    ],
)
def test_arguments_that_do_not_go_together_are_a_matter_of_usage(
    arguments: list[str], sentence: str, saved: Saved, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["measure", *(text.format(**vars(saved)) for text in arguments)])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert "usage: gengap measure" in printed
    assert sentence in printed.splitlines()[-1]


OWN = """
from torch import nn


class Small(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.convolution = nn.Conv2d(1, width, 3)
        self.head = nn.Linear(16 * width, 3)

    def forward(self, images):
        return self.head(self.convolution(images).relu().flatten(1))
"""


def test_a_factory_with_a_state_dict_and_arrays(
    saved: Saved,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Channels first, with a wrapper's prefix, as training scripts write them."""
    namespace: dict[str, Any] = {}
    exec(OWN, namespace)
    (tmp_path / "own.py").write_text(OWN)
    torch.manual_seed(0)
    module = namespace["Small"](width=5).eval()
    torch.save(
        {"state_dict": {f"module.{name}": values for name, values in module.state_dict().items()}},
        tmp_path / "last.pt",
    )
    images = np.moveaxis(saved.train.inputs, -1, 1)
    np.savez(tmp_path / "arrays.npz", inputs=images, labels=saved.train.labels)
    monkeypatch.chdir(tmp_path)
    command = ["measure", "own.py:Small", "last.pt", "--keywords", '{"width": 5}']
    command += ["--data", "arrays.npz", "--data-keys", '{"layout": "NCHW"}']
    assert main([*command, "--families", "baseline"]) == 0
    table = table_of(capsys.readouterr().out).set_index("measure")["value"]
    assert table["parameter_count"] == 5 * 9 + 5 + 3 * 80 + 3
    with torch.inference_mode():
        outputs = module(torch.tensor(images))
    right = outputs.argmax(1) == torch.tensor(saved.train.labels)
    assert table["training_accuracy"] == pytest.approx(float(right.double().mean()))
    loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(saved.train.labels))
    assert table["negative_training_loss"] == pytest.approx(-float(loss), rel=1e-5)


def test_a_keras_model_brings_its_weights(
    saved: Saved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((6, 6, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
    )
    model.save(tmp_path / "model.keras")
    command = ["measure", str(tmp_path / "model.keras"), "--data", saved.data]
    assert main([*command, "--families", "baseline"]) == 0
    table = table_of(capsys.readouterr().out).set_index("measure")["value"]
    squares = sum(float(np.square(weight).sum()) for weight in model.get_weights())
    assert table["sum_of_squared_weights"] == pytest.approx(squares, rel=1e-6)
