"""Where the files of a PGDL task lie, in every accepted layout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gengap.errors import GengapError
from gengap.pgdl_layout import is_unpacked, locate, read_entries


@pytest.mark.parametrize("prefix", ["", "public_data", "phase_one_data", "phase_two_data"])
def test_layouts(tmp_path: Path, prefix: str) -> None:
    models = tmp_path / prefix / "input_data" / "task4"
    with pytest.raises(GengapError, match="holds no input_data/task4"):
        locate(tmp_path, "task4")
    (models / "model_3").mkdir(parents=True)
    with pytest.raises(GengapError, match=r"holds no reference_data/task4/model_configs\.json"):
        locate(tmp_path, "task4")
    reference = tmp_path / prefix / "reference_data" / "task4"
    reference.mkdir(parents=True)
    (reference / "model_configs.json").write_text("{}")
    tree = locate(tmp_path, "task4")
    assert tree.model("3") == models / "model_3"
    assert tree.reference == reference / "model_configs.json"


def test_flat_layout(tmp_path: Path) -> None:
    (tmp_path / "model_3").mkdir()
    (tmp_path / "model_configs.json").write_text("{}")
    tree = locate(tmp_path, "any name")
    assert tree.model("3") == tmp_path / "model_3"
    assert tree.reference == tmp_path / "model_configs.json"


def test_shards_are_in_numeric_order_without_holes(tmp_path: Path) -> None:
    (tmp_path / "model_3").mkdir()
    (tmp_path / "model_configs.json").write_text("{}")
    tree = locate(tmp_path, "task")
    with pytest.raises(GengapError, match=r"shard_0\.tfrecord is missing"):
        tree.shards("train")
    folder = tmp_path / "dataset_1" / "train"
    folder.mkdir(parents=True)
    for number in range(12):
        (folder / f"shard_{number}.tfrecord").touch()
    (folder / "shard_9.tfrecord.part").touch()
    assert [path.name for path in tree.shards("train")] == [
        f"shard_{number}.tfrecord" for number in range(12)
    ]
    (folder / "shard_7.tfrecord").unlink()
    with pytest.raises(GengapError, match=r"shard_7\.tfrecord is missing"):
        tree.shards("train")


def test_networks_are_counted_in_the_numeric_order_of_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "model_configs.json"
    path.write_text(json.dumps({"100": "c", "9": "a", "20": "b"}))
    assert list(read_entries(path).items()) == [("9", "a"), ("20", "b"), ("100", "c")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not valid JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "names no network"),
        ('{"model_1": {}}', "must be the networks' numbers"),
    ],
)
def test_a_reference_file_that_counts_no_networks(
    tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / "model_configs.json"
    path.write_text(content)
    with pytest.raises(GengapError, match=reason) as caught:
        read_entries(path)
    assert str(path) in str(caught.value)


def test_which_sources_are_unpacked_folders(tmp_path: Path) -> None:
    assert is_unpacked(tmp_path, "task4")
    assert not is_unpacked(tmp_path / "nowhere", "task4")
    assert not is_unpacked("http://127.0.0.1/pgdl/", "task4")
    (tmp_path / "phase_one_data.zip").touch()
    (tmp_path / "mine.zip").touch()
    assert not is_unpacked(tmp_path / "mine.zip", "mine")
    assert [is_unpacked(tmp_path, task) for task in ("task4", "mine", "task1_v4")] == [
        False,
        False,
        True,
    ]


def test_the_layout_is_known_without_any_package(root: Path) -> None:
    code = "import gengap.pgdl_layout, sys;print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ours = {name for name in modules if name.startswith("gengap")}
    assert ours == {
        "gengap",
        *(f"gengap.{module}" for module in ("errors", "files", "names", "pgdl_layout")),
    }
    assert not {"numpy", "torch", "requests"} & set(modules)
