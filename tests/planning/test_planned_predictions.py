"""What is predicted from what: faults are found, and what is planned for tasks without gaps."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.planning.conftest import Config, PlanMaker

from gengap.errors import GengapError
from gengap.planning import targets

FACTORY = """
class Net:
    def __init__(self, width, depth=1):
        pass
"""


@pytest.fixture
def mine(reduced: Config, tmp_path: Path) -> Config:
    """A zoo of 24 networks, and three checkpoints without test data that it predicts."""
    (tmp_path / "mynets.py").write_text(FACTORY)
    np.savez(tmp_path / "data.npz", inputs=np.zeros((6, 4), np.float32), labels=np.arange(6) % 2)
    lines = ["weights,width"]
    for i in range(3):
        (tmp_path / f"{i}.pt").write_bytes(b"")
        lines.append(f"{i}.pt,{8 * (i + 1)}")
    (tmp_path / "runs.csv").write_text("\n".join(lines))
    checkpoints = {
        "table": str(tmp_path / "runs.csv"),
        "network": {"factory": f"{tmp_path}/mynets.py:Net"},
        "dataset": {"from": str(tmp_path / "data.npz"), "test_size": 0},
    }
    reduced["tasks"][0]["zoo"]["replicates"] = 6
    reduced["tasks"].append({"name": "mine", "checkpoints": checkpoints})
    reduced["predictions"] = [{"task": "mine", "reference": "reduced"}]
    return reduced


def entry(config: Config) -> Config:
    """The only entry of the predictions."""
    prediction: Config = config["predictions"][0]
    return prediction


def pgdl(config: Config, first: str, second: str) -> None:
    """Two tasks of PGDL, of which the second predicts the first."""
    config["tasks"] = [
        {"name": "a", "pgdl": {"task": first}},
        {"name": "b", "pgdl": {"task": second}},
    ]
    config["predictions"] = [{"task": "a", "reference": "b"}]


def dataset(config: Config, task: int) -> Config:
    """The dataset of a task."""
    own = config["tasks"][task]
    settings: Config = own[next(kind for kind in ("zoo", "checkpoints") if kind in own)]["dataset"]
    return settings


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: entry(c).update(task="yours"), "names the task 'yours': choose among reduced"),
        (
            lambda c: c["predictions"].append(dict(entry(c))),
            "'predictions' names the task 'mine' twice: keep one",
        ),
        (lambda c: entry(c).update(reference="mine"), "'mine' of 'predictions' is predicted by it"),
        (
            lambda c: entry(c).update(reference="reduces"),
            "the reference 'reduces', which is no task of this config: choose among reduced, mine",
        ),
        (
            lambda c: entry(c).update(reference="absent.safetensors"),
            "names the reference absent.safetensors, which does not exist: correct the path",
        ),
        (lambda c: entry(c).update(source="x"), "'source' was unexpected"),
        (
            lambda c: entry(c).update(task="reduced", reference="mine"),
            "'reduced' is to be predicted from 'mine', whose gaps are not known",
        ),
        (
            lambda c: c.update(predictions=[]),
            "Task 'mine' has no test data, so its gaps are not known and nothing can be evaluated",
        ),
        (
            lambda c: c["tasks"][0]["zoo"].update(replicates=4),
            "from 'reduced', which has 16 networks, but a reference needs at least 20: add values",
        ),
        (
            lambda c: pgdl(c, "task1_v4", "task2_v1"),
            "'a' (CIFAR-10) is to be predicted from 'b' (SVHN), a PGDL task of other data",
        ),
        (
            lambda c: (dataset(c, 1).update(test_size=None), c.update(predictions=[])),
            "Task 'mine' has 3 networks, but the evaluation needs at least 8 networks: ask for",
        ),
        (
            lambda c: (
                dataset(c, 0).update(test_size=0),
                c.update(predictions=[], tasks=c["tasks"][:1]),
            ),
            "The zoo of task 'reduced' sets 'test_size' to 0, but its gaps are measured on test",
        ),
        (
            lambda c: dataset(c, 1).update(train_size=0.5),
            "'train_size' of task 'mine' is 0.5: give",
        ),
        (lambda c: dataset(c, 1).update(train_size=1), "1 is less than the minimum of 2"),
        (
            lambda c: dataset(c, 0).update(train_size=1.5, resample="replicate"),
            "'train_size' of task 'reduced' is 1.5: give a whole number, or beside",
        ),
    ],
)
def test_predictions_that_cannot_be_made_are_refused(
    change: Callable[[Config], Any], sentence: str, mine: Config, plan_of: PlanMaker
) -> None:
    change(mine)
    with pytest.raises(GengapError) as fault:
        plan_of(mine)
    assert sentence in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_task_without_test_data_is_predicted_and_not_evaluated(
    mine: Config, plan_of: PlanMaker
) -> None:
    plan = plan_of(mine)
    task = plan.task("mine")
    assert plan.predicted == ["mine"]
    assert task.reference_file == "results/reduced/reference.safetensors"
    files = targets.final_files(task)
    for name in ("measures.csv", "predictions.csv", "figures/predictions.png", "dashboard.html"):
        assert f"results/mine/{name}" in files
    assert not [file for file in files if "evaluation" in file or "leaderboard" in file]
    assert "results/reduced/predictions.csv" not in targets.final_files(plan.task("reduced"))
    # One task is left to compare.
    assert targets.files_across_tasks(plan) == []


def test_a_predicted_task_with_gaps_is_evaluated_too(mine: Config, plan_of: PlanMaker) -> None:
    mine["tasks"][1] = copy.deepcopy(mine["tasks"][0]) | {"name": "mine"}
    plan = plan_of(mine)
    files = targets.final_files(plan.task("mine"))
    assert {"results/mine/evaluation/leaderboard.csv", "results/mine/predictions.csv"} <= set(files)
    assert {"leaderboard", "predictions"} <= set(targets.figure_names(plan.task("mine")))
    assert targets.files_across_tasks(plan) == ["results/across_tasks.csv"]


def test_measures_are_drawn_like_those_of_the_reference(mine: Config, plan_of: PlanMaker) -> None:
    plan = plan_of(mine)
    assert [plan.task(name).stream for name in ("reduced", "mine")] == ["reduced", "reduced"]
    assert plan.task("mine").recipe == plan.task("reduced").recipe | {"losses": []}
    second = copy.deepcopy(mine["tasks"][0]) | {"name": "another"}
    mine["tasks"].append(second)
    mine["predictions"] += [
        {"task": "reduced", "reference": "another"},
        {"task": "another", "reference": "reduced"},
    ]
    plan = plan_of(mine)
    assert {plan.task(name).stream for name in ("reduced", "mine", "another")} == {"another"}


def test_tasks_of_pgdl_on_the_same_data_predict_each_other(
    reduced: Config, plan_of: PlanMaker
) -> None:
    pgdl(reduced, "task4", "task5")
    reduced["tasks"][0] |= {"colour": None}
    assert plan_of(reduced).task("a").reference == "b"


RECIPE = {
    "task": "elsewhere",
    "seed": 0,
    "families": {"topology": "topology", "baseline": "baseline"},
    "slow": False,
    "losses": ["cross_entropy"],
    "code": "0",
}


def reference_file(path: Path, families: list[str], **recipe: Any) -> str:
    """A file with the header of a reference."""
    content = {"recipe": {**RECIPE, **recipe}, "families": families}
    save_file({"gaps": np.zeros(3)}, path, metadata={"reference": json.dumps(content)})
    return str(path)


def test_a_task_is_measured_as_a_reference_file_says(
    mine: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    path = tmp_path / "r.safetensors"
    own = plan_of(mine).task("mine").recipe
    same = {key: own[key] for key in ("activations", "topology")}
    entry(mine)["reference"] = reference_file(path, ["baseline", "baseline"], **same)
    plan = plan_of(mine)
    assert plan.task("mine").reference_file == str(path)
    assert plan.task("mine").stream == "elsewhere"
    for families, recipe, sentence in (
        (["margins", "baseline"], {}, "needs the families baseline, margins: add margins to"),
        (["baseline"], {"seed": 3}, "computed with seed: 3: set 'seed' so in the config, which ha"),
        (["baseline"], {"slow": True}, "computed with slow: true: set"),
        (["topology"], {"activations": {"inputs": 7}}, 'with activations: {"inputs": 7}: set'),
    ):
        entry(mine)["reference"] = reference_file(path, families, **{**same, **recipe})
        with pytest.raises(GengapError) as fault:
            plan_of(mine | {"families": "all"} if recipe.get("slow") else mine)
        assert sentence in str(fault.value)


def test_a_file_that_is_no_reference_is_named(
    mine: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    path = tmp_path / "r.safetensors"
    entry(mine)["reference"] = str(path)
    save_file({"x": np.zeros(3)}, path)
    for content in (path.read_bytes(), b"", b"\xff" * 40):
        path.write_bytes(content)
        with pytest.raises(GengapError, match="which is none: make it again by 'gengap reference'"):
            plan_of(mine)
