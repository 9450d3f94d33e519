"""The zoo that a section ``reference`` stands for, and zoos of networks that a factory makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.planning.conftest import Config, PlanMaker

from gengap.errors import GengapError
from gengap.planning import estimates, targets
from gengap.planning.plan import Plan
from gengap.planning.reference_zoo import around

FACTORY = """
class Net:
    def __init__(self, width, depth=1, learning_rate=0.1):
        pass


def free(**keywords):
    return Net(3)
"""


@pytest.fixture
def config(reduced: Config, tmp_path: Path) -> Config:
    (tmp_path / "mynets.py").write_text(FACTORY)
    reduced["reference"] = {
        "network": {"factory": f"{tmp_path}/mynets.py:Net", "keywords": {"depth": 2}},
        "dataset": {"name": "digits"},
        "training": {"learning_rate": 0.1, "batch_size": 8, "epochs": 3},
        "grid": {"width": [4, 8], "weight_decay": [0.0]},
        "draws": 3,
    }
    return reduced


def section(config: Config) -> Config:
    reference: Config = config["reference"]
    return reference


def test_a_section_stands_for_a_zoo_around_the_network(config: Config, plan_of: PlanMaker) -> None:
    plan = plan_of(config)
    task = plan.task("reference")
    assert (task.kind, task.count) == ("zoo", 2 * 3 * 2 * 3)
    assert task.draw == {"train_size": 0.95, "balanced": False}
    assert task.dataset["train_size"] is None
    rates = {entry["training"]["learning_rate"] for entry in task.entries}
    assert rates == {0.05, 0.1, 0.2}
    assert {entry["training"]["batch_size"] for entry in task.entries} == {4, 8}
    assert {entry["training"]["initialisation"] for entry in task.entries} == {"own"}
    # A parameter of the factory that is an entry of the recipe, too, goes to both.
    first = task.entries[0]
    assert first["network"]["keywords"] == {"depth": 2, "width": 4, "learning_rate": 0.05}
    assert first["point"] == {
        "width": 4, "weight_decay": 0.0, "learning_rate": 0.05, "batch_size": 4, "replicate": 0,
    }  # fmt: skip
    assert len(task.factory) == 16


def test_the_target_makes_the_reference_and_what_is_predicted_from_it(
    config: Config, plan_of: PlanMaker
) -> None:
    config["predictions"] = [{"task": "reduced", "reference": "reference"}]
    plan = plan_of(config)
    files = targets.reference_files(plan)
    assert files[0] == "results/reference/reference.safetensors"
    assert "results/reduced/predictions.csv" in files
    assert targets.asked_for(plan, ["reference"]) == (["reference", "reduced"], [])


def test_a_config_without_the_section_is_told_so(reduced: Config, plan_of: PlanMaker) -> None:
    with pytest.raises(GengapError, match="has no section 'reference': write one with 'network'"):
        targets.reference_files(plan_of(reduced))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.update(networks={}), "'networks' was unexpected"),
        (lambda s: s["training"].update(epoch=3), "'epoch' was unexpected"),
        (lambda s: s["grid"].update(widht=[1]), "The grid names 'widht', which is neither a net"),
        (lambda s: s["grid"].pop("width"), "'reference' needs 'width' for its factory"),
        (lambda s: s["network"].update(factory="x.py:Net"), "names the file x.py, which does not"),
        (lambda s: s["network"].update(width=3), "has the key 'width', which a 'factory'"),
        (lambda s: s["dataset"].update(test_size=0), "sets 'test_size' to 0, but its gaps are"),
        (lambda s: s.update(name="reduced"), "do not all differ in name"),
    ],
)
def test_faults_of_the_section_are_named(
    change: Any, sentence: str, config: Config, plan_of: PlanMaker
) -> None:
    change(section(config))
    with pytest.raises(GengapError) as fault:
        plan_of(config)
    assert sentence in str(fault.value)


def test_a_factory_with_free_keywords_takes_what_is_no_entry_of_a_recipe(
    config: Config, plan_of: PlanMaker
) -> None:
    factory = section(config)["network"]["factory"].replace(":Net", ":free")
    section(config).update(network={"factory": factory}, grid={"width": [4], "anything": [1, 2]})
    keywords = plan_of(config).task("reference").entries[0]["network"]["keywords"]
    assert keywords == {"width": 4, "anything": 1}


def test_templates_are_taken_where_there_is_no_factory(config: Config, plan_of: PlanMaker) -> None:
    section(config)["network"] = {"template": "dense", "depth": 1}
    entry = plan_of(config).task("reference").entries[0]
    assert entry["network"]["template"] == "dense"
    assert entry["training"]["initialisation"] == "glorot"


def test_the_recipes_own_values_are_among_those_that_vary() -> None:
    for size, decay in ((1, 0.0), (7, 0.01), (128, 0.0)):
        training = {"learning_rate": 0.3, "batch_size": size, "weight_decay": decay}
        for name, values in around(training).items():
            assert training[name] in values
            assert len(set(values)) == len(values) > 1
            assert name != "batch_size" or min(values) >= 1


@pytest.fixture
def plan(config: Config, plan_of: PlanMaker, tmp_path: Path, monkeypatch: Any) -> Plan:
    monkeypatch.chdir(tmp_path)
    return plan_of(config)


def test_the_time_is_that_of_networks_that_were_trained(plan: Plan, tmp_path: Path) -> None:
    # 36 networks in shards of 8; two shards took half an hour each.
    for shard in (0, 4):
        for path, text in (
            (f"shards/{shard}.json", "{}"),
            (f"benchmarks/train/{shard}.tsv", "s\th:m:s\n1800\t0:30:00\n"),
        ):
            file = tmp_path / "results" / "reference" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    said = estimates.size_of_reference(plan)
    assert said == (
        "reference: 36 networks (12 settings x 3 draws of the data); training takes about 3 hours "
        "on one core, as 12 of them took"
    )


def test_without_any_some_networks_are_timed(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def timed(root: Path, job: str) -> float | str:
        asked.append(job)
        return 100.0 if len(asked) == 1 else "no such file"

    monkeypatch.setattr(estimates, "_timed", timed)
    assert "at most 1 hours on one core" in estimates.size_of_reference(plan)
    assert "not known: no such file" in estimates.size_of_reference(plan)
