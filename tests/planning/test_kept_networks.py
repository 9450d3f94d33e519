"""Networks that were measured before: which files are theirs, and what is left to be made."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from gengap.errors import GengapError
from gengap.planning import targets
from gengap.planning.kept_networks import kept_file
from gengap.planning.plan import Plan
from gengap.planning.settings import Settings

ROOT = Path(__file__).parents[2]
IMPORT = "ballester2023/digits"


def settings(folder: Path, **changes: Any) -> Settings:
    """A study of a zoo of eight networks, four a shard, and of its import."""
    zoo = {
        "dataset": {"name": "digits", "train_size": 100},
        "network": {"template": "dense", "width": 4},
        "grid": {"depth": [1, 2], "weight_decay": [0.0, 0.1], "batch_size": [8, 16]},
    }
    shards = {"networks_per_job": 4}
    tasks = [
        {"name": "zoo", "zoo": zoo, **shards},
        {"name": "digits", "pgdl": {"exported": "zoo", "kept": str(folder)}, **shards},
    ]
    return {"tasks": tasks, "families": ["topology", "baseline"], **changes}


def planned(study: Settings) -> Plan:
    digits = {"dataset": {"name": "digits"}, "network": {"template": "dense", "width": 4}}
    config = {"tasks": [{"name": "own", "zoo": {**digits, "grid": {"depth": list(range(1, 9))}}}]}
    return Plan(ROOT, {**config, "studies": {"ballester2023": study}})


def keep(folder: Path, study: Settings, *networks: int) -> None:
    folder.mkdir(exist_ok=True)
    task = planned(study).task(IMPORT)
    for network in networks:
        (folder / kept_file(task.measured_from(network))).touch()


def made(plan: Plan, name: str) -> dict[int, list[int]]:
    task = plan.task(name)
    return {shard: task.networks(shard) for shard in task.shards}


def test_what_is_kept_is_neither_trained_nor_measured(tmp_path: Path) -> None:
    study = settings(tmp_path)
    everything = {0: [0, 1, 2, 3], 1: [4, 5, 6, 7]}
    assert made(planned(study), IMPORT) == made(planned(study), "ballester2023/zoo") == everything
    keep(tmp_path, study, 0, 1, 2, 3, 6)
    plan = planned(study)
    assert made(plan, IMPORT) == made(plan, "ballester2023/zoo") == {1: [4, 5, 7]}
    assert plan.task(IMPORT).count == 8
    assert targets.receipts(plan.task(IMPORT)) == [f"results/{IMPORT}/shards/1.json"]
    assert len(targets.kept_networks(plan.task(IMPORT))) == 5
    assert f"results/{IMPORT}/kept" in targets.study_files(plan, "ballester2023")
    # Without all of the diagrams there is no figure of them.
    assert {"barcodes", "persistence_diagrams"}.isdisjoint(targets.figure_names(plan.task(IMPORT)))


def test_nothing_is_made_where_all_is_kept(tmp_path: Path) -> None:
    study = settings(tmp_path)
    keep(tmp_path, study, *range(8))
    plan = planned(study)
    assert made(plan, IMPORT) == made(plan, "ballester2023/zoo") == {}
    task = plan.task(IMPORT)
    assert targets.download_receipt(task) == targets.summary_tables(task) == []
    assert targets.exported_data(task) == [
        f"results/ballester2023/zoo/dataset/{part}.safetensors" for part in ("train", "test")
    ]
    assert f"results/{IMPORT}/kept" not in targets.study_files(plan, "ballester2023")


def change_seed(study: Settings) -> None:
    study["seed"] = 1


def change_draws(study: Settings) -> None:
    study["activations"] = {"draws": 3}


def change_families(study: Settings) -> None:
    study["families"] = ["topology"]


def change_threshold(study: Settings) -> None:
    study["topology"] = {"threshold": 0.5}


def change_data(study: Settings) -> None:
    study["tasks"][0]["zoo"]["dataset"]["train_size"] = 101


def change_recipe(study: Settings) -> None:
    study["tasks"][0]["zoo"]["training"] = {"learning_rate": 0.01}


def train_together(study: Settings) -> None:
    study["tasks"][0]["zoo"]["training"] = {"together": True}


def corrupt_test_labels(study: Settings) -> None:
    study["tasks"][0]["zoo"]["test_labels"] = "corrupted"


def change_network(study: Settings) -> None:
    study["tasks"][0]["zoo"]["network"]["width"] = 5


def change_neurons(study: Settings) -> None:
    study["tasks"][1]["neurons"] = 7


@pytest.mark.parametrize(
    "change",
    [
        change_seed,
        change_draws,
        change_families,
        change_threshold,
        change_data,
        change_recipe,
        train_together,
        corrupt_test_labels,
        change_network,
        change_neurons,
    ],
)
def test_other_settings_make_all_networks_anew(
    change: Callable[[Settings], None], tmp_path: Path
) -> None:
    study = settings(tmp_path)
    keep(tmp_path, study, *range(8))
    changed = deepcopy(study)
    change(changed)
    assert not planned(changed).task(IMPORT).kept


def test_what_does_not_matter_makes_none_anew(tmp_path: Path) -> None:
    study = settings(tmp_path)
    keep(tmp_path, study, *range(8))
    changed = deepcopy(study)
    changed["evaluation"] = {"permutations": 20}
    changed["topology"] = {"engine": "gudhi"}
    changed["tasks"][0]["zoo"]["grid"]["batch_size"] = [16, 8, 32]
    changed["tasks"][1]["networks_per_job"] = 3
    task = planned(changed).task(IMPORT)
    depth, weight_decay, batch_size = 2, 2, 3
    assert task.count == depth * weight_decay * batch_size
    assert sorted(set(range(task.count)) - set(task.kept)) == [2, 5, 8, 11]


def test_a_network_is_made_for_the_import_that_lacks_it(tmp_path: Path) -> None:
    study = settings(tmp_path)
    keep(tmp_path, study, *range(8))
    fewer = {**study["tasks"][1], "name": "fewer", "neurons": 5, "families": ["topology"]}
    study["tasks"] = [*study["tasks"], fewer]
    plan = planned(study)
    assert made(plan, IMPORT) == {}
    assert made(plan, "ballester2023/zoo") == made(plan, "ballester2023/fewer")
    assert len(made(plan, "ballester2023/fewer")) == 2
    assert plan.task("ballester2023/fewer").run["activations"]["neurons"] == 5
    assert list(plan.task("ballester2023/fewer").families) == ["topology"]
    assert plan.task(IMPORT).run["activations"]["neurons"] != 5


def test_tables_of_a_study_pass_over_tasks_that_lack_them(tmp_path: Path) -> None:
    study = settings(tmp_path, feature_sets={"a": "parameter_count"})
    fewer = {**study["tasks"][1], "name": "fewer", "families": ["topology"]}
    study["tasks"] = [*study["tasks"], fewer]
    plan = planned(study)
    for name, tasks in (("five_by_two", ["digits", "fewer"]), ("feature_sets", ["digits"])):
        assert targets.tables_of_study(plan, "ballester2023", name) == [
            f"results/ballester2023/{task}/evaluation/{name}.csv" for task in tasks
        ]


def test_networks_are_kept_for_imports_of_zoos_in_studies_alone(tmp_path: Path) -> None:
    study = settings(tmp_path)
    with pytest.raises(GengapError, match=r"'kept' of task 'digits'.*import of a zoo"):
        Plan(ROOT, study)
    study["tasks"][1]["pgdl"] = {"task": "task1_v4", "kept": str(tmp_path)}
    with pytest.raises(GengapError, match="import of a zoo"):
        planned(study).task(IMPORT)


def test_values_of_a_family_of_ones_own_are_not_kept(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.touch()
    with pytest.raises(GengapError, match=r"own\.py, since nobody knows by what code"):
        planned(settings(tmp_path, families=[str(own)])).task(IMPORT)
