"""The plan of a config: faults that need no data are found, and studies are planned by need."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.planning.conftest import Config, PlanMaker

from gengap.errors import GengapError
from gengap.planning import targets
from gengap.planning.plan import Plan

Change = Callable[[Config], Any]
MISSPELT = {"name": "digits", "trian_size": 3}


def zoo(config: Config) -> Config:
    settings: Config = config["tasks"][0]["zoo"]
    return settings


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.update(sead=1), "'sead' was unexpected"),
        (lambda c: c["activations"].update(neuron=5), "'neuron' was unexpected"),
        (lambda c: c["activations"].update(draws=1), "'$.activations.draws': 1 is less than"),
        (lambda c: zoo(c)["network"].update(widht=5), "'widht' is not one of ['template', 'width'"),
        (lambda c: zoo(c)["training"].update(loss="l1"), "'l1' is not one of ['cross_entropy'"),
        (lambda c: zoo(c)["grid"].update(width=[]), "zoo.grid.width"),
        (lambda c: zoo(c)["grid"].update(width=[8, None]), "zoo.grid.width[1]': None is not of"),
        (lambda c: zoo(c)["grid"].update(depth=[-2, 1]), "zoo.grid.depth[0]': -2 is less than"),
        (
            lambda c: zoo(c)["grid"].update(batch_normalisation=["yes"]),
            "zoo.grid.batch_normalisation[0]': 'yes' is not of type 'boolean'",
        ),
        (lambda c: zoo(c)["grid"].update(dropout=None), "zoo.grid.dropout': None is not of type"),
        (lambda c: zoo(c)["grid"].update(dropout=[0, 1]), "zoo.grid.dropout[1]': 1 is greater"),
        (lambda c: zoo(c)["grid"].update(loss=["l1"]), "zoo.grid.loss[0]': 'l1' is not one of"),
        (lambda c: zoo(c)["grid"].update(schedule=["step"]), "zoo.grid.schedule[0]': 'step' is"),
        (lambda c: zoo(c)["grid"].update(width=[8, 8]), "The grid's 'width' is [8, 8]"),
        (lambda c: zoo(c)["grid"].update(hight=[1]), "The grid names 'hight', which is neither"),
        (
            lambda c: c["tasks"][0].update(rank_within="depth"),
            "'rank_within' of task 'reduced' is 'depth'",
        ),
        (
            lambda c: c["tasks"][0].update(unlabelled={"from": "more.csv"}),
            "takes its unlabelled inputs from 'more.csv', which is no file of arrays: give one",
        ),
        (
            lambda c: c["tasks"][0].update(unlabelled={"from": "more.npz"}),
            "takes its unlabelled inputs from 'more.npz', but there is no file",
        ),
        (lambda c: c["tasks"].append(copy.deepcopy(c["tasks"][0])), "do not all differ in name"),
        (lambda c: c.update(families=["basline"]), "Unknown family of measures 'basline'"),
        (lambda c: c.update(families=["mine.py"]), "Unknown family of measures 'mine.py'"),
        (lambda c: zoo(c)["dataset"].update(name="mnits"), "'mnits' is not one of ['digits'"),
        (
            lambda c: zoo(c)["dataset"].update(transforms=[{"name": "blur"}]),
            "'blur' is not one of ['resize'",
        ),
        (lambda c: zoo(c)["dataset"].update(resample="network"), "'network' is not one of ['repl"),
        (
            lambda c: zoo(c)["dataset"].update(resample="replicate", train_size=None),
            "draws its data anew for each replicate, but not how many: set 'train_size'",
        ),
        (
            lambda c: (
                zoo(c)["dataset"].update(resample="replicate"),
                c["tasks"].append({"name": "copy", "pgdl": {"exported": "reduced"}}),
            ),
            "Task 'copy' exports 'reduced', whose replicates draw their own training data",
        ),
        (lambda c: zoo(c)["grid"].update(replicates=[1]), "The grid names 'replicates'"),
        (lambda c: zoo(c)["grid"].update(together=[True]), "The grid names 'together'"),
        (lambda c: zoo(c).update(replicates=1), "at least 8 networks"),
        (
            lambda c: zoo(c).update(
                network={"architecture": "lennet"}, grid={"epochs": [1, 2, 3, 4]}
            ),
            "names the architecture 'lennet': choose one of alexnet",
        ),
        (
            lambda c: zoo(c).update(
                network={"architecture": "lenet", "width": 3}, grid={"epochs": [1, 2, 3, 4]}
            ),
            "gives the architecture 'lenet' the keyword 'width', which it does not have",
        ),
        (
            lambda c: zoo(c)["grid"].update(heads=[1, 2]),
            "gives the template 'dense' the keyword 'heads', which it does not have",
        ),
        (
            lambda c: zoo(c).update(
                network={"architecture": "lenet"}, grid={"loss": ["nll", "mse"], "epochs": [1, 2]}
            ),
            "The zoo of task 'reduced' trains the architecture 'lenet' on the loss nll",
        ),
        (
            lambda c: zoo(c).update(
                network={"model_config": [{"layer_name": "Konv2D"}]}, grid={"epochs": [1, 2, 3, 4]}
            ),
            "names the layer 'Konv2D': choose one of Activation",
        ),
        (
            lambda c: zoo(c).update(
                network={"model_config": [{"layer_name": "Dense", "unitz": 3}]},
                grid={"epochs": [1, 2, 3, 4]},
            ),
            "gives the layer 'Dense' the keyword 'unitz', which it does not have (it has",
        ),
        (
            lambda c: zoo(c).update(
                network={"model_config": [{"layer_name": "Dense"}]}, grid={"width": [1, 2, 3, 4]}
            ),
            "gives the network of a 'model_config' the keyword 'width'",
        ),
        (
            lambda c: zoo(c).update(
                network={
                    "model_config": [
                        {"layer_name": "Dense", "units": 3, "name": "first", "trainable": False},
                        {"layer_name": "Add", "inbound_nodes": ["first", "second"]},
                    ]
                },
                grid={"epochs": [1, 2, 3, 4]},
            ),
            "Layer 1 (Add) of model_config: inbound_nodes names 'second', which no layer is called",
        ),
        (lambda c: zoo(c).update(network={"model_config": [3]}), "zoo.network.model_config[0]': 3"),
        (lambda c: zoo(c)["network"].pop("template"), "'reduced' names no kind of network: give"),
        (lambda c: zoo(c)["network"].pop("depth"), "has a template without 'depth': set it in"),
        (
            lambda c: zoo(c).update(network={"architecture": "alexnet", "template": "dense"}),
            "names template and architecture: give 'network' or the grid one of",
        ),
        (lambda c: zoo(c)["network"].update(activation="reluu"), "'reluu' is not one of ['elu'"),
        (
            lambda c: zoo(c)["training"].update(loss="nll"),
            "trains the template 'dense' on the loss",
        ),
        (
            lambda c: zoo(c)["training"].update(nesterov=True, momentum=0),
            "The zoo of task 'reduced' sets 'nesterov' with momentum 0",
        ),
        (
            lambda c: zoo(c)["training"].update(schedule={"name": "step", "lowest": 0.1}),
            "gives the schedule 'step' the keyword 'lowest'",
        ),
        (lambda c: zoo(c)["training"].update(learning_rate=float("inf")), "inf is not of type"),
        (lambda c: zoo(c)["training"].update(weight_decay=float("nan")), "nan is not of type"),
        (
            lambda c: zoo(c)["dataset"].update(classes=[0, 1], groups=[[0], [1]]),
            "zoo.dataset.groups': [[0], [1]] is not of type 'null'",
        ),
        (lambda c: zoo(c)["dataset"].update(classes=[0, 0]), "[0, 0] has non-unique elements"),
        (
            lambda c: zoo(c)["dataset"].update(transforms=[{"name": "resize"}]),
            "'size' is a required property",
        ),
        (lambda c: c["tasks"][0].update(networks_per_job=0), "networks_per_job': 0 is less than"),
        (lambda c: c.update(data_dir="/no/such/folder"), "'data_dir' is '/no/such/folder', which"),
        (lambda c: c.update(studies={"balester": {}}), "'studies' names 'balester': choose among"),
        (lambda c: c["tasks"][0].update(name="maddox2020"), "'maddox2020', like a study"),
        (lambda c: c["figures"].update(compared=["b"]), "'compared' of figures names the task 'b'"),
        (
            lambda c: c["tasks"].append({"name": "b", "pgdl": {"exported": "a"}}),
            "'exported' of task 'b' is 'a', which is no zoo and no task of checkpoints",
        ),
        (
            lambda c: c["tasks"].append(
                {"name": "b", "pgdl": {"exported": "reduced", "networks": 9}}
            ),
            "'networks' of task 'b' is 9, but the task 'reduced' has 8 of them: lower it",
        ),
        (
            lambda c: c["tasks"].append({"name": "b", "pgdl": {"task": "mine"}}),
            "'mine' is none of PGDL's published tasks",
        ),
        (
            lambda c: c["tasks"].append({"name": "b", "pgdl": {"task": "task9", "networks": 33}}),
            "'networks' of task9 is 33, but PGDL published 32 of them: lower it",
        ),
    ],
)
def test_a_config_that_cannot_work_is_refused_in_one_sentence(
    change: Change, sentence: str, reduced: Config, plan_of: PlanMaker
) -> None:
    change(reduced)
    with pytest.raises(GengapError) as fault:
        plan_of(reduced)
    assert sentence in str(fault.value)
    assert "\n" not in str(fault.value)


def test_the_default_run_has_96_networks(root: Path, plan_of: PlanMaker) -> None:
    plan = plan_of(yaml.safe_load((root / "config.yaml").read_text()))
    assert [plan.task(task["name"]).count for task in plan.config["tasks"]] == [96]


def test_a_published_task_says_how_many_networks_it_has(
    reduced: Config, plan_of: PlanMaker
) -> None:
    reduced["tasks"] = [
        {"name": "all", "pgdl": {"task": "task2_v1"}},
        {"name": "some", "pgdl": {"task": "task2_v1", "networks": 9}},
        {"name": "mine", "pgdl": {"task": "mine", "networks": 10}},
    ]
    plan = plan_of(reduced)
    assert [plan.task(name).count for name in ("all", "some", "mine")] == [54, 9, 10]
    assert plan.task("some").fetched == 9


def test_an_exported_zoo_is_imported_network_by_network(
    reduced: Config, plan_of: PlanMaker
) -> None:
    pgdl = {"exported": "reduced"}
    reduced["tasks"] += [
        {"name": "again", "pgdl": pgdl},
        {"name": "part", "pgdl": {**pgdl, "networks": 8}},
    ]
    plan = plan_of(reduced)
    again = plan.task("again")
    assert (again.count, plan.task("part").count) == (8, 8)
    # One that failed is not exported, so nothing is asked for by its number.
    assert again.fetched is None
    assert (again.exported_from, again.pgdl_name) == ("reduced", "reduced")
    assert again.pgdl_source == "results/reduced/pgdl"
    assert targets.export_receipt(again) == ["results/reduced/pgdl/exported.txt"]
    assert targets.export_receipt(plan.task("reduced")) == []


def test_keywords_of_an_architecture_may_vary(reduced: Config, plan_of: PlanMaker) -> None:
    zoo(reduced).update(network={"architecture": "vit"}, grid={"heads": [1, 2], "patch": [2, 4]})
    reduced["tasks"][0] |= {"correlate_within": None, "rank_within": "heads", "colour": None}
    entries = plan_of(reduced).task("reduced").entries
    networks = [entry["network"] for entry in entries]
    assert {"architecture": "vit", "heads": 2, "patch": 4} in networks


def test_named_architectures_are_not_exported(reduced: Config, plan_of: PlanMaker) -> None:
    zoo(reduced).update(network={"architecture": "lenet"}, grid={"epochs": [1, 2, 3, 4]})
    task = reduced["tasks"][0]
    task |= {"correlate_within": None, "rank_within": None, "colour": None}
    plan_of(reduced)
    reduced["tasks"].append({"name": "again", "pgdl": {"exported": "reduced"}})
    with pytest.raises(GengapError, match="'reduced', whose networks are given by 'architecture'"):
        plan_of(reduced)


def test_tasks_of_a_study_have_its_name_before_theirs(reduced: Config, plan_of: PlanMaker) -> None:
    plan = plan_of(reduced)
    tasks = plan.tasks_of_study("ballester2023")
    assert tasks == ["ballester2023/convolutional", "ballester2023/dense"]
    assert plan.task(tasks[0]).exported_from == "ballester2023/zoo_convolutional"
    assert plan.kinds["ballester2023/zoo_dense"] == "zoo"
    assert plan.compared_tasks("ballester2023") == tasks


def test_only_names_a_part_of_a_study(reduced: Config, plan_of: PlanMaker) -> None:
    plan = plan_of(reduced | {"only": "dense"})
    assert plan.tasks_of_study("ballester2023") == ["ballester2023/dense"]
    assert not plan_of(reduced | {"only": ["intro"]}).has_all_experiments("sabanayagam2023")
    with pytest.raises(GengapError, match="'only' names 'dense', which is no experiment of"):
        plan.experiments("maddox2020")


@pytest.mark.parametrize("of_studies", [{"only": "dense"}, {"setting": "paper"}])
def test_what_only_studies_heed_is_refused_without_one(
    reduced: Config, plan_of: PlanMaker, of_studies: Config
) -> None:
    assert targets.files_of_the_run(plan_of(reduced))
    with pytest.raises(GengapError, match=f"'{next(iter(of_studies))}' is heeded by studies alone"):
        targets.files_of_the_run(plan_of(reduced | of_studies))


def test_a_study_follows_the_configs_data_and_changes(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    changes = {"ballester2023": {"topology": {"threshold": 0.75}}}
    plan = plan_of(reduced | {"data_dir": str(tmp_path), "studies": changes})
    settings = plan.settings("ballester2023")
    assert settings["topology"]["threshold"] == 0.75
    assert settings["data_dir"] == str(tmp_path)


def test_other_tasks_of_a_study_need_not_be_those_that_it_compares(
    reduced: Config, plan_of: PlanMaker
) -> None:
    tasks = [task | {"name": "mine"} for task in copy.deepcopy(reduced["tasks"])]
    plan = plan_of(reduced | {"studies": {"ballester2023": {"tasks": tasks}}})
    assert plan.compared_tasks("ballester2023") == ["ballester2023/mine"]


@pytest.mark.parametrize(
    ("study", "name", "settings", "sentence"),
    [
        ("corneanu2020", "training_curves", {"inptus": 3}, "has no setting 'inptus': choose among"),
        (
            "sabanayagam2023", "losses", {"network": {"architecture": "lenet"}},
            "trains the architecture 'lenet' on the loss nll, which needs a network that ends in",
        ),
        ("maddox2020", "width_depth", {"dataset": MISSPELT}, "'trian_size' was unexpected"),
        ("corneanu2020", "partitions", {"dataset": {"name": "digitz"}}, "'digitz' is not one of"),
        ("corneanu2020", "partitions", {"dataset": {"from": "x.npz"}}, "of the library: give its"),
        ("corneanu2020", "partitions", {"dataset": "digits"}, "sets 'dataset' to 'digits': give"),
        ("corneanu2020", "partitions", {"network": None}, "sets 'network' to None: give a mapping"),
        ("corneanu2020", "partitions", {"inputs": "all"}, "sets 'inputs' to 'all': give an"),
        ("corneanu2020", "partitions", {"inputs": True}, "sets 'inputs' to True: give an integer"),
        ("corneanu2020", "partitions", {"training": {"optimizer": "sgd"}}, "'optimizer' was unexp"),
        (
            "corneanu2020", "partitions", {"network": {"architecture": ["lenet"]}},
            "names the architecture '['lenet']': choose one of",
        ),
        (
            "corneanu2020", "partitions", {"network": {"model_config": None}},
            "gives a 'model_config' that is no list of layers",
        ),
        (
            "corneanu2020", "partitions", {"network": {"architecture": "lennet"}},
            "experiment partitions, 'network', names the architecture 'lennet'",
        ),
        (
            "sabanayagam2023", "images", {"network": {"model_config": [{"layer_name": "Konv2D"}]}},
            "names the layer 'Konv2D'",
        ),
    ],
)  # fmt: skip
def test_a_fault_in_an_experiment_is_named_with_its_place(
    study: str, name: str, settings: Config, sentence: str, reduced: Config, plan_of: PlanMaker
) -> None:
    plan = plan_of(reduced)
    (entry,) = (entry for entry in plan.studies[study]["experiments"] if entry["name"] == name)
    entry["settings"] = {**entry["settings"], **settings}
    with pytest.raises(GengapError) as fault:
        plan.settings(study)
    assert sentence in str(fault.value)
    assert f"studies/{study}.yaml, experiment {name}" in str(fault.value)


def test_tasks_of_a_study_that_are_no_list_are_named(reduced: Config, plan_of: PlanMaker) -> None:
    plan = plan_of(reduced | {"studies": {"ballester2023": {"tasks": None}}})
    with pytest.raises(GengapError, match=r"ballester2023\.yaml is not valid at '\$\.tasks': None"):
        plan.settings("ballester2023")


def test_integers_may_be_written_as_floats(reduced: Config, plan_of: PlanMaker) -> None:
    task = reduced["tasks"][0]
    expected = plan_of(reduced).task("reduced").entries
    task["networks_per_job"], task["zoo"]["replicates"] = 4.0, 2.0
    plan = plan_of(reduced | {"seed": 0.0})
    assert plan.task("reduced").shards == range(2)
    assert plan.task("reduced").entries == expected
    assert isinstance(plan.config["seed"], int)


def test_a_setting_that_an_experiment_needs_is_missed(reduced: Config, plan_of: PlanMaker) -> None:
    plan = plan_of(reduced)
    del plan.studies["corneanu2020"]["experiments"][2]["settings"]["training"]
    with pytest.raises(GengapError, match="experiment partitions needs 'training': set it"):
        plan.settings("corneanu2020")


def test_every_setting_of_every_study_is_valid(
    root: Path, reduced: Config, plan_of: PlanMaker
) -> None:
    for setting in ("small", "medium", "paper"):
        plan = plan_of(reduced | {"setting": setting})
        for study, chosen in plan.studies.items():
            # Not every study has the setting medium.
            if chosen or setting != "medium":
                assert targets.study_files(plan, study)
    assert len(plan.studies) == len(list((root / "studies").glob("*.yaml")))


def test_a_study_may_have_the_setting_medium_which_then_judges(
    root: Path, tmp_path: Path, reduced: Config
) -> None:
    for name in ("workflow/schemas", "src/gengap/studies"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(root / name)
    studies = tmp_path / "studies"
    studies.mkdir()
    for name, setting in (("maddox2020", "medium"), ("corneanu2020", "paper")):
        small = yaml.safe_load((root / "studies" / f"{name}.yaml").read_text())["small"]
        content = {"small": small, setting: {**small, "seed": 1000}}
        (studies / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    minutes = Plan(tmp_path, reduced)
    assert minutes.judging_setting("maddox2020") == "medium"
    assert minutes.judging_setting("corneanu2020") == "small"
    medium = Plan(tmp_path, reduced | {"setting": "medium"})
    assert medium.judging_setting("maddox2020") == "medium"
    assert medium.settings("maddox2020")["seed"] == 1000
    with pytest.raises(GengapError, match=r"has no setting 'medium': choose one of small, paper"):
        medium.settings("corneanu2020")


def test_runs_at_one_place_share_it_across_the_grid(reduced: Config, plan_of: PlanMaker) -> None:
    experiment = plan_of(reduced).experiment("sabanayagam2023", "complexity")
    places = [place for place, _ in experiment.runs]
    assert len(places) == len(experiment.files)
    assert set(places) == {0, 1, 2}
    assert all("replicate" not in settings for _, settings in experiment.runs)
    with pytest.raises(GengapError, match="has runs 0 to"):
        experiment.run(len(places))
    with pytest.raises(GengapError, match="has no experiment 'absent'"):
        plan_of(reduced).experiment("sabanayagam2023", "absent")


def test_a_run_is_for_the_tasks_or_studies_that_were_named(
    reduced: Config, plan_of: PlanMaker
) -> None:
    plan = plan_of(reduced)
    assert targets.asked_for(plan, []) == (["reduced"], [])
    assert targets.asked_for(plan, ["results/reduced/task.json"]) == (["reduced"], [])
    assert targets.asked_for(plan, ["maddox2020"]) == ([], ["maddox2020"])
    tasks = ["ballester2023/convolutional", "ballester2023/dense"]
    assert targets.asked_for(plan, ["ballester2023"]) == (tasks, ["ballester2023"])
