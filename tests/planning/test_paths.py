"""Relative paths of a config are relative to the config file that names them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.planning.conftest import Config

from gengap.planning.paths import relative_to, resolved
from gengap.planning.settings import merged


def task(path: str) -> Config:
    dataset = {"from": path, "test": "t.csv", "keywords": {"root": "data", "from": "x"}}
    return {"name": "mine", "zoo": {"dataset": dataset}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path


def written(path: Path, config: Config) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config))
    return path


def test_each_path_is_relative_to_the_file_that_names_it(folder: Path) -> None:
    below = {"data_dir": "official", "families": ["topology", "mine.py"], "tasks": [task("a.csv")]}
    above = {"tasks": [task("b.csv")], "studies": {"x": {"tasks": [task("c.csv")]}}}
    given = {"data_dir": "here"}
    files = [written(folder / "low/low.yaml", below), written(folder / "high/h.yaml", above)]
    config = resolved(merged(merged(below, above), given), files, given)
    assert config["families"] == ["topology", "../low/mine.py"]
    assert config["data_dir"] == "here"
    dataset = config["tasks"][0]["zoo"]["dataset"]
    assert dataset["from"] == "../high/b.csv"
    assert dataset["test"] == "../high/t.csv"
    assert dataset["keywords"] == {"root": "data", "from": "x"}
    assert config["studies"]["x"]["tasks"][0]["zoo"]["dataset"]["from"] == "../high/c.csv"


def test_what_no_file_names_and_what_is_no_relative_path_stays(folder: Path) -> None:
    source = {"pgdl": {"source": "https://example.org/pgdl"}, "name": "data_dir"}
    config = {"tasks": [task("mine.py:make"), source, task("/abs/x.csv")], "families": "all"}
    other = written(folder / "other.yaml", {"tasks": []})
    assert resolved(config, [other]) == config


def test_config_files_are_read_only_where_a_path_depends_on_them(folder: Path) -> None:
    assert resolved({"seed": 1}, [folder / "absent.yaml"]) == {"seed": 1}


def test_settings_of_a_file_of_their_own_are_moved_whole(folder: Path) -> None:
    moved = relative_to(folder / "studies", {"tasks": [task("x.npz")], "data_dir": None})
    assert moved["tasks"][0]["zoo"]["dataset"]["from"] == "../studies/x.npz"
    assert moved["data_dir"] is None
