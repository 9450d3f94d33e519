"""The command line and the file that it writes."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from gengap.dashboard import View, static_page
from gengap.dashboard.__main__ import main


def test_static_page_is_the_same_each_time(
    task_folder: Path, static_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "again.html"
    main([str(task_folder), "--static", str(path)])
    assert path.read_bytes() == static_file.read_bytes()
    assert static_page(task_folder).encode() == static_file.read_bytes()


def test_static_page_holds_its_data_and_asks_for_nothing(static_file: Path, view: View) -> None:
    text = static_file.read_text(encoding="utf-8")
    script = re.search('<script id="data" type="application/json">(.*?)</script>', text)
    assert script is not None
    data = script[1]
    assert "<" not in data
    found = json.loads(data)
    assert set(found["networks"]) == set(view.networks.index)
    large = {name for name, design in view.measures.items() if len(design.components) > 100}
    assert large
    assert set(found["columns"]) == set(view.measures) - large
    assert "persistence image, H1" in " ".join(found["page"]["notes"])
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)=", text) == []
    assert "default-src 'none'" in text


def refused(*arguments: object) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert isinstance(stopped.value.code, str)  # printed to stderr, with exit status 1
    assert "\n" not in stopped.value.code
    return stopped.value.code


def test_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    assert "There is no folder" in refused(tmp_path / "nothing")
    assert "There is no folder" in refused(tmp_path / "nothing", "--static", tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_port_in_use_is_one_sentence(task_folder: Path) -> None:
    pytest.importorskip("dash", reason="dash is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused(task_folder, "--port", port)
    assert f"Cannot serve on 127.0.0.1, port {port}" in message
    assert "choose another --port" in message


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--host", "no.such.host.invalid"]])
def test_impossible_address_is_one_sentence(task_folder: Path, arguments: list[str]) -> None:
    pytest.importorskip("dash", reason="dash is not installed")
    assert "Cannot serve on" in refused(task_folder, *arguments)
