"""What happens before the first job: networks move to their positions when a grid has grown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.planning.conftest import Config, PlanMaker

from gengap.errors import GengapError
from gengap.names import NETWORK_RECEIPT
from gengap.planning.starting import (
    arrange_networks,
    remove_outdated_shards,
    require_pgdl_packages,
    require_writable,
)
from gengap.planning.tasks import TaskPlan


def train_all(task: TaskPlan, results: Path) -> dict[str, str]:
    """What training leaves of each network: a folder with its receipt; identities by network."""
    identities = {}
    for network in range(task.count):
        folder = results / task.name / "networks" / str(network)
        folder.mkdir(parents=True)
        identities[str(network)] = task.shard_entries(task.shard_of(network))[
            network - task.networks(task.shard_of(network))[0]
        ]["identity"]
        receipt = {"identity": identities[str(network)], "digest": "", "files": {}}
        (folder / NETWORK_RECEIPT).write_text(json.dumps(receipt))
        (folder / "trained_as").write_text(str(network))
    return identities


def trained_as(results: Path, task: TaskPlan) -> list[int | None]:
    """For each position, the position at which its network was trained."""
    files = [
        results / task.name / "networks" / str(network) / "trained_as"
        for network in range(task.count)
    ]
    return [int(file.read_text()) if file.is_file() else None for file in files]


def test_another_replicate_keeps_every_network_and_leaves_gaps_for_the_new(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    train_all(plan_of(reduced).task("reduced"), tmp_path)
    reduced["tasks"][0]["zoo"]["replicates"] = 3
    grown = plan_of(reduced).task("reduced")
    arrange_networks(tmp_path, [grown])
    assert trained_as(tmp_path, grown) == [0, 1, None, 2, 3, None, 4, 5, None, 6, 7, None]


def test_a_value_in_the_middle_of_a_grid_moves_what_stands_after_it(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    train_all(plan_of(reduced).task("reduced"), tmp_path)
    reduced["tasks"][0]["zoo"]["grid"]["label_corruption"] = [0, 0.1, 0.3]
    grown = plan_of(reduced).task("reduced")
    arrange_networks(tmp_path, [grown])
    new = [None, None]
    assert trained_as(tmp_path, grown) == [0, 1, *new, 2, 3, 4, 5, *new, 6, 7]


def test_networks_that_leave_the_plan_come_back_with_it(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    whole = plan_of(reduced).task("reduced")
    train_all(whole, tmp_path)
    reduced["tasks"][0]["zoo"]["grid"]["width"] = [16, 32]
    other = plan_of(reduced).task("reduced")
    arrange_networks(tmp_path, [other])
    assert trained_as(tmp_path, other) == [4, 5, 6, 7, None, None, None, None]
    assert len(list((tmp_path / "reduced" / "networks" / "unused").iterdir())) == 4
    arrange_networks(tmp_path, [whole])
    assert trained_as(tmp_path, whole) == list(range(8))


def test_nothing_moves_where_the_plan_is_that_of_the_last_run(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    task = plan_of(reduced).task("reduced")
    train_all(task, tmp_path)
    # A folder without a sound receipt is left to be made anew.
    (tmp_path / "reduced" / "networks" / "3" / NETWORK_RECEIPT).write_text("{")
    arrange_networks(tmp_path, [task])
    assert trained_as(tmp_path, task) == list(range(8))
    arrange_networks(tmp_path / "empty", [task])
    assert not (tmp_path / "empty").exists()


def write_receipts(task: TaskPlan, results: Path) -> Path:
    """The receipts of a task's shards with files of later stages, and its task.json."""
    folder = results / task.name
    for name in ("shards", "topology/diagrams", "measures/baseline"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for shard in task.shards:
        networks: dict[str, dict[str, str]] = {str(n): {} for n in task.networks(shard)}
        (folder / f"shards/{shard}.json").write_text(json.dumps({"networks": networks}))
        (folder / f"shards/{shard}.failed.json").write_text("[]")
        (folder / f"topology/diagrams/{shard}.npz").write_text("")
        (folder / f"measures/baseline/{shard}.csv").write_text("")
        (folder / f"measures/{shard}.json").write_text("{}")
    (folder / "task.json").write_text("{}")
    return folder


def receipts_in(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("shards/*.json") if path.stem.isdigit())


def test_no_receipt_describes_the_position_of_a_network_that_was_moved(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    reduced["tasks"][0]["networks_per_job"] = 2
    task = plan_of(reduced).task("reduced")
    train_all(task, tmp_path)
    folder = write_receipts(task, tmp_path)
    arrange_networks(tmp_path, [task])
    assert receipts_in(folder) == ["0", "1", "2", "3"]
    assert (folder / "task.json").is_file()
    # The first two networks stay; a run that is killed now leaves no receipt of the others.
    reduced["tasks"][0]["zoo"]["grid"]["label_corruption"] = [0, 0.1, 0.3]
    arrange_networks(tmp_path, [plan_of(reduced).task("reduced")])
    assert receipts_in(folder) == ["0"]
    assert not (folder / "task.json").exists()


def test_an_unfinished_folder_makes_way_for_a_network_that_comes_back(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    whole = plan_of(reduced).task("reduced")
    train_all(whole, tmp_path)
    reduced["tasks"][0]["zoo"]["grid"]["width"] = [16, 32]
    arrange_networks(tmp_path, [plan_of(reduced).task("reduced")])
    (tmp_path / "reduced" / "networks" / "5").mkdir()
    arrange_networks(tmp_path, [whole])
    assert trained_as(tmp_path, whole) == list(range(8))


def test_shards_of_a_former_size_do_not_stand_beside_the_new(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    reduced["tasks"][0]["networks_per_job"] = 1
    folder = write_receipts(plan_of(reduced).task("reduced"), tmp_path)
    reduced["tasks"][0]["networks_per_job"] = 4
    remove_outdated_shards(tmp_path, [plan_of(reduced).task("reduced")])
    names = {path.name.partition(".")[0] for path in folder.glob("*/**/*.*")}
    assert names == {"0", "1"}


def test_shards_of_networks_that_left_the_plan_are_kept(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    reduced["tasks"][0]["zoo"]["replicates"] = 4
    reduced["tasks"][0]["networks_per_job"] = 8
    folder = write_receipts(plan_of(reduced).task("reduced"), tmp_path)
    reduced["tasks"][0]["zoo"]["replicates"] = 2
    remove_outdated_shards(tmp_path, [plan_of(reduced).task("reduced")])
    assert receipts_in(folder) == ["0", "1"]
    assert (folder / "topology" / "diagrams" / "1.npz").is_file()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    require_writable(tmp_path / "results")
    assert (tmp_path / "results").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(GengapError, match=r"Cannot write to .*file"):
        require_writable(tmp_path / "file")


def test_only_scripts_of_pgdl_need_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gengap.planning.starting.PGDL_PACKAGES", ("json", "absent_package"))
    require_pgdl_packages({"train", "measure"})
    with pytest.raises(GengapError, match="without absent_package: install it by 'make pgdl'"):
        require_pgdl_packages({"train", "import_networks"})
