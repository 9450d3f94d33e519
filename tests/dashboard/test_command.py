"""The command line and the file that it writes."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gengap.cli import main
from gengap.dashboard import View, page_data, static_page
from gengap.dashboard.content import MOST_LISTED
from gengap.figures import measure_label


@pytest.mark.slow
def test_static_page_is_the_same_each_time(
    task_folder: Path, static_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "again.html"
    assert main(["dashboard", str(task_folder), "--static", str(path)]) == 0
    assert path.read_bytes() == static_file.read_bytes()
    assert static_page(task_folder).encode() == static_file.read_bytes()


def test_static_page_holds_its_data_and_asks_for_nothing(static_file: Path, view: View) -> None:
    text = static_file.read_text(encoding="utf-8")
    found = page_data(text)
    assert set(found["networks"]) == set(view.networks.index)
    large = {name for name, design in view.measures.items() if len(design.components) > MOST_LISTED}
    assert large
    assert set(found["columns"]) == set(view.measures) - large
    assert {entry["label"] for entry in found["large"]} == {measure_label(name) for name in large}
    assert "persistence image, H1" in " ".join(found["page"]["notes"])
    for name, columns in found["columns"].items():
        for component, place in zip(view.measures[name].components, columns, strict=True):
            values = np.array(found["distinct"][place]["values"], dtype=float)
            np.testing.assert_allclose(values, view.values(name, component), rtol=1e-4)
    assert len({json.dumps(column) for column in found["distinct"]}) == len(found["distinct"])
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)=", text) == []
    assert "default-src 'none'" in text


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """A function that calls the command with bad input and returns its one sentence."""

    def call(*arguments: object) -> str:
        assert main(["dashboard", *map(str, arguments)]) == 1
        sentence = capsys.readouterr().err
        assert sentence.startswith("error: ")
        assert sentence.count("\n") == 1
        return sentence

    return call


def test_missing_folder_is_one_sentence(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "There is no folder" in refused(tmp_path / "nothing")
    assert "There is no folder" in refused(tmp_path / "nothing", "--static", tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_port_in_use_is_one_sentence(task_folder: Path, refused: Callable[..., str]) -> None:
    pytest.importorskip("dash", reason="dash is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused(task_folder, "--port", port)
    assert f"Cannot serve on 127.0.0.1, port {port}" in message
    assert "choose another --port" in message


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--host", "no.such.host.invalid"]])
def test_impossible_address_is_one_sentence(
    task_folder: Path, arguments: list[str], refused: Callable[..., str]
) -> None:
    pytest.importorskip("dash", reason="dash is not installed")
    assert "Cannot serve on" in refused(task_folder, *arguments)
