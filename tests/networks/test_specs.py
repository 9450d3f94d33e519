"""The text that stands for a network on a command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gengap.errors import GengapError
from gengap.networks import read_spec

SPEC = {"architecture": "lenet", "input_shape": [8, 8, 1], "classes": 3}


@pytest.mark.parametrize(
    ("text", "spec", "folder"),
    [
        (json.dumps(SPEC), SPEC, "."),
        ("mynets.py:SmallResNet", {"factory": "mynets.py:SmallResNet"}, "."),
        ("own/code/mynets.py:Net", {"factory": "mynets.py:Net"}, "own/code"),
        ("/abs/mynets.py:Net", {"factory": "mynets.py:Net"}, "/abs"),
        ("torchvision:resnet18", {"hub": "torchvision:resnet18"}, "."),
        ("timm:vit_small.augreg", {"hub": "timm:vit_small.augreg"}, "."),
        ("models/model.keras", {"keras": "model.keras"}, "models"),
        ("model.h5", {"keras": "model.h5"}, "."),
    ],
)
def test_short_forms(text: str, spec: dict[str, Any], folder: str) -> None:
    assert read_spec(text) == (spec, Path(folder))


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SPEC))
    for text in (tmp_path / "config.json", tmp_path):
        assert read_spec(str(text)) == (SPEC, tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("net.onnx", "is ONNX, .*give the Python network that it was exported from"),
        ("net.pt", r"net\.pt is weights without a network \(or TorchScript"),
        ("w.safetensors", "is weights without a network"),
        ("resnet18", "'resnet18' is no network: give a JSON file or text, a network's folder"),
        ("absent.json", r"absent\.json cannot be read"),
        ("{broken", "JSON text is not valid JSON"),
        ("mynets.py", "is no network"),
    ],
)
def test_other_text_is_refused(text: str, reason: str) -> None:
    with pytest.raises(GengapError, match=reason):
        read_spec(text)


def test_a_json_file_holds_an_object(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(GengapError, match=r"list\.json is not a JSON object"):
        read_spec(str(tmp_path / "list.json"))
