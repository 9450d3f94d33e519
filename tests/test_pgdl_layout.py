"""Where the files of a PGDL task lie, in every accepted layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengap.errors import GengapError
from gengap.pgdl_layout import locate


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
