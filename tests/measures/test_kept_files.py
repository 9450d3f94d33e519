"""Files of networks that were measured before: what is read back is what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.failures import Failure
from gengap.measures import tidy, write_tables
from gengap.measures.gathering import gather
from gengap.measures.kept_networks import KeptNetwork, rows_by_network
from gengap.planning.kept_networks import kept_file
from gengap.tasks.folder import Metrics

TASK = "ballester2023/vgg"
NETWORKS = ("3", "11")
MADE_FROM: dict[str, Any] = {"point": {"depth": 3}, "activations": {"neurons": 7}, "task": TASK}


def table_of(family: str, network: str, **columns: list[Any]) -> pd.DataFrame:
    chance = np.random.default_rng(int(network))
    rows: dict[str, Any] = {
        "measure": ["first", 'with "quotes", and a comma', "last"],
        "component": [0, 1, "bias"],
        "value": [*(chance.normal(size=2) * 1e-9), float("nan")],
        "standard_error": chance.random(3),
        **{f"draw_{place}": chance.normal(size=3) for place in range(2)},
    }
    return tidy(pd.DataFrame(rows | columns), TASK, network, family)


@pytest.fixture
def shards(tmp_path: Path) -> dict[str, Path]:
    """The tables of two families of a shard of two networks."""
    paths = {}
    reasons = {"reason": ["", "it has no images", ""], "need": ["", "images", ""]}
    for family, columns in {"topology": {}, "competition": reasons}.items():
        paths[family] = tmp_path / f"{family}.csv"
        tables = [table_of(family, network, **columns) for network in NETWORKS]
        write_tables(tables, paths[family])
    return paths


def kept(shards: dict[str, Path], network: str) -> KeptNetwork:
    rows = {family: rows_by_network(path)[network] for family, path in shards.items()}
    metrics = Metrics({"depth": 3}, 0.99, 0.8, source_id="0").content()
    recomputed = {
        "id": "0", "stated_train": 0.99, "stated_test": 0.8, "train": 0.99, "test": 0.8,
    }  # fmt: skip
    return KeptNetwork(MADE_FROM, {"gengap": "1"}, metrics, recomputed, rows)


def test_tables_of_kept_networks_are_gathered_to_the_same_bytes(
    shards: dict[str, Path], tmp_path: Path
) -> None:
    expected = gather([shards["topology"], shards["competition"]], [Failure("a", "12", "b")])
    texts = []
    for network in NETWORKS:
        path = tmp_path / f"{network}.json.xz"
        kept(shards, network).write(path)
        read = KeptNetwork.read(path, MADE_FROM)
        texts += [read.table(family, TASK, network) for family in shards]
    gathered = gather(texts, [Failure("a", "12", "b")])
    for name, table in expected.items():
        left, right = (one.reset_index(drop=True) for one in (gathered[name], table))
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_rows_take_the_id_that_the_plan_gives_the_network(shards: dict[str, Path]) -> None:
    header, *rows = kept(shards, "11").table("topology", "other", "5").getvalue().splitlines()
    original = shards["topology"].read_text().splitlines()
    assert header == original[0]
    assert rows == [
        line.replace(f"{TASK},11,", "other,5,") for line in original[1:] if f"{TASK},11," in line
    ]


def test_a_network_is_restored_without_weights(shards: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "networks" / "7"
    train = Split(np.zeros((4, 2), np.float32), np.array([0, 1, 1, 0]), 2)
    metrics = kept(shards, "3").restore(folder, train)
    assert metrics == Metrics.read(folder / "metrics.json")
    assert (metrics.source_id, metrics.train_accuracy) == ("7", 0.99)
    np.testing.assert_array_equal(np.load(folder / "labels.npy"), train.labels)
    assert {path.name for path in folder.iterdir()} == {
        "metrics.json", "recomputed.json", "labels.npy",
    }  # fmt: skip


def test_a_file_of_something_else_is_refused(shards: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / kept_file(MADE_FROM)
    kept(shards, "3").write(path)
    other = {**MADE_FROM, "activations": {"neurons": 8}}
    assert kept_file(other) != path.name
    with pytest.raises(GengapError, match="of other hyper-parameters, data or settings than its"):
        KeptNetwork.read(path, other)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(GengapError, match="is no file of a measured network: delete it"):
        KeptNetwork.read(path, MADE_FROM)


def test_a_family_that_was_not_measured_is_named(shards: dict[str, Path]) -> None:
    with pytest.raises(GengapError, match="no rows of norms"):
        kept(shards, "3").table("norms", TASK, "3")
