"""``gengap describe``: layers, neurons and measures, as text and as JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.cli.conftest import Saved

from gengap.cli import main
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
    assert convolution["kernel"] == [4, 1, 3, 3]
    assert convolution["output"] == [4, 6, 6]
    assert convolution["parameters"] == 4 * 9 + 4
    assert dense["kernel"] == [3, 4 * 3 * 3]
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


def test_the_text_says_the_same(saved: Saved, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", saved.spec]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^parameters +151$", text, re.M)
    assert re.search(r"^147 neurons$", text, re.M)
    assert re.search(r"4 x 1 x 3 x 3 +4 x 6 x 6 +40$", text, re.M)
    applicable, left_out = text.split("measures that cannot be computed\n")
    assert "baseline: parameter_count" in applicable
    assert "peak.H0/H1/H2" in applicable
    assert "tangent" not in applicable
    flowed = " ".join(left_out.split())
    assert "kernel_drift: needs the initial weights of the network" in flowed
    assert "All measures need training data." in flowed
    assert all(len(line) <= 100 for line in text.splitlines())
    assert main(["describe", saved.folder]) == 0
    text = capsys.readouterr().out
    assert "cannot be computed" not in text
    assert "training data" not in text
