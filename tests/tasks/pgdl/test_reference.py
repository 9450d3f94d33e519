"""What a reference file says, and what is refused in it."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gengap.errors import GengapError
from gengap.names import PGDL_ARCHIVES, PGDL_NETWORKS
from gengap.tasks.pgdl import BASE_URL, TASKS, read_reference
from gengap.tasks.pgdl.published import ETAGS

ENTRY: dict[str, Any] = {
    "hparams": {
        "width": {"possible_values": [8, 16], "current_value": 8},
        "rate": {"possible_values": [0.1, 0.0], "current_value": 0.0},
    },
    "metrics": {"train_acc": 0.75, "test_acc": 0.5},
}


def entry(width: Any = 8, **metrics: Any) -> dict[str, Any]:
    """An entry of a reference file."""
    changed = copy.deepcopy(ENTRY)
    changed["hparams"]["width"]["current_value"] = width
    changed["metrics"] |= metrics
    return changed


def written(folder: Path, content: Any) -> Path:
    """A reference file."""
    path = folder / "model_configs.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_published_tasks_are_the_competitions() -> None:
    assert [task.number for task in TASKS.values()] == [1, 2, 4, 5, 6, 7, 8, 9]
    assert [task.networks for task in TASKS.values()] == [96, 54, 96, 64, 96, 48, 64, 32]
    assert [task.archive for task in TASKS.values()] == [
        *["public_data.zip"] * 2,
        *["phase_one_data.zip"] * 2,
        *["phase_two_data.zip"] * 4,
    ]
    assert {task.archive for task in TASKS.values()} == set(ETAGS)


def test_planning_counts_the_published_tasks_as_the_library_does() -> None:
    assert {name: task.networks for name, task in TASKS.items()} == PGDL_NETWORKS
    assert {name: task.archive for name, task in TASKS.items()} == PGDL_ARCHIVES


def test_the_config_fetches_from_the_same_server_as_the_library(root: Path) -> None:
    schema = yaml.safe_load((root / "workflow" / "schemas" / "config.schema.yaml").read_text())
    assert defaults_of(schema, "source") == [BASE_URL]


def defaults_of(schema: Any, name: str) -> list[Any]:
    """Defaults of every property of this name, wherever the schema has it."""
    if isinstance(schema, list):
        return [default for item in schema for default in defaults_of(item, name)]
    if not isinstance(schema, dict):
        return []
    own = schema.get("properties", {}).get(name, {})
    stated = [own["default"]] if "default" in own else []
    return stated + defaults_of(list(schema.values()), name)


def test_positions_are_the_numeric_order_of_the_ids(tmp_path: Path) -> None:
    path = written(tmp_path, {"100": entry(16), "9": entry(), "20": entry()})
    reference = read_reference(path)
    assert reference.ids == ["9", "20", "100"]
    assert reference.id_at(2) == "100"
    with pytest.raises(GengapError, match="3 networks, so none at position -1"):
        reference.id_at(-1)


def test_reference_states_grid_accuracies_losses_and_replicates(tmp_path: Path) -> None:
    content = {"1": entry(16), "0": entry(train_loss=0.25), "2": entry(16), "3": entry(16)}
    reference = read_reference(written(tmp_path, content))
    assert reference.grid == {"width": [8, 16], "rate": [0.1, 0.0]}
    networks = reference.networks
    assert networks["1"].hyper_parameters == {"width": 16, "rate": 0.0}
    assert (networks["0"].train_accuracy, networks["0"].test_accuracy) == (0.75, 0.5)
    assert (networks["0"].train_loss, networks["0"].test_loss) == (0.25, None)
    assert [networks[id_].replicate for id_ in "0123"] == [0, 0, 1, 2]


def test_another_number_of_networks_than_published_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, {str(id_): entry() for id_ in range(54)})
    with caplog.at_level(logging.WARNING):
        read_reference(path, "task2_v1")
        assert not caplog.records
        read_reference(path, "task1_v4")
    assert "has 54 networks, published: 96" in caplog.text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not valid JSON"),
        ("[]", "is not a JSON object"),
        ({}, "names no network"),
        ({"model_1": entry()}, "must be the networks' numbers"),
        ({"1": []}, "network 1 lacks hparams"),
        ({"1": {"hparams": {}}}, "network 1 lacks hparams"),
        ({"1": entry(test_acc="high")}, "network 1 lacks hparams"),
        ({"1": entry(test_acc=float("nan"))}, "accuracy of network 1 is not finite"),
        ({"1": entry(32)}, "network 1 has width = 32, which is not among its possible values"),
        ({"1": entry(), "2": ENTRY | {"hparams": {}}}, "network 2 has other hyper-parameters"),
    ],
)
def test_broken_reference(tmp_path: Path, content: Any, reason: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(GengapError, match=reason) as caught:
        read_reference(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_reference(tmp_path: Path) -> None:
    with pytest.raises(GengapError, match=r"model_configs\.json cannot be read \(No such file"):
        read_reference(tmp_path / "model_configs.json")


def test_published_reference_of_task_1(shared: Callable[[str], Path]) -> None:
    path = shared("pgdl/published") / "reference_data" / "task1_v4" / "model_configs.json"
    reference = read_reference(path, "task1_v4")
    assert len(reference.networks) == 96
    assert reference.ids == sorted(reference.ids, key=int)
    assert reference.grid["num_conv_blocks"] == [1, 3]


def test_test_accuracies_may_be_kept_by_those_who_judge(tmp_path: Path) -> None:
    blind = entry()
    del blind["metrics"]["test_acc"]
    reference = read_reference(written(tmp_path, {"1": blind, "2": blind}))
    assert [one.test_accuracy for one in reference.networks.values()] == [None, None]
    assert (reference.parts, read_reference(written(tmp_path, {"1": entry()})).parts) == (
        ("train",), ("train", "test"),
    )  # fmt: skip
    with pytest.raises(GengapError, match="some networks have a test_acc and others"):
        read_reference(written(tmp_path, {"1": entry(), "2": blind}))
