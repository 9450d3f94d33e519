"""Tables of checkpoints: what they say of networks, and what is refused before anything is run."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.planning.conftest import Config, PlanMaker

from gengap.errors import GengapError
from gengap.names import GAPS, LOSSES
from gengap.planning import targets
from gengap.planning.checkpoints import read_checkpoints
from gengap.planning.settings import read_yaml
from gengap.planning.tasks import TaskPlan

FACTORY = """
from elsewhere import Imported
from neighbour import shared

class Base:
    def __init__(self, width, *, depth=1):
        pass

class Net(Base):
    pass

def make(width=8, /, dropout=0.0, *modules, bias: bool = True, **others):
    pass

assigned = make
"""
Rows = list[dict[str, Any]]
Change = Callable[[Config, Rows], Any]


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Nine networks whose weights files exist."""
    for position in range(9):
        (tmp_path / f"{position}.pt").write_bytes(b"")
    return [
        {"weights": f"{position}.pt", "width": 8 * (1 + position % 2), "rate": 0.1 / (1 + position)}
        for position in range(9)
    ]


@pytest.fixture
def config(reduced: Config, tmp_path: Path) -> Config:
    (tmp_path / "mynets.py").write_text(FACTORY)
    (tmp_path / "neighbour.py").write_text("def shared(width, height):\n    pass\n")
    checkpoints = {
        "table": str(tmp_path / "runs.csv"),
        "network": {"factory": f"{tmp_path / 'mynets.py'}:Net"},
        "dataset": {"name": "iris"},
    }
    return {**reduced, "tasks": [{"name": "mine", "checkpoints": checkpoints}]}


def own(config: Config) -> Config:
    settings: Config = config["tasks"][0]["checkpoints"]
    return settings


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def planned(
    config: Config, rows: Rows, tmp_path: Path, plan_of: PlanMaker
) -> Callable[[], TaskPlan]:
    def make() -> TaskPlan:
        write(tmp_path / "runs.csv", rows)
        return plan_of(config).task("mine")

    return make


def test_a_row_is_a_network_and_its_columns_go_where_they_belong(
    planned: Callable[[], TaskPlan], rows: Rows, tmp_path: Path
) -> None:
    for row, name in zip(rows, "abcdefghi", strict=True):
        row |= {"network": name, "initial": "", "test_accuracy": "", "used": "true"}
    rows[2] |= {"initial": "0.pt", "test_accuracy": 0.75, "rate": "", "used": "False"}
    task = planned()
    assert (task.kind, task.count, task.shards) == ("checkpoints", 9, range(9))
    assert task.grid == {
        "width": [8, 16],
        "rate": [*sorted(0.1 / (1 + k) for k in range(9) if k != 2), None],
        "used": [False, True],
    }
    (entry,) = task.shard_entries(2)
    assert entry == {
        "name": "c",
        "files": {"weights": str(tmp_path / "2.pt"), "initial": str(tmp_path / "0.pt")},
        "stated": {"test_accuracy": 0.75},
        "hyper_parameters": {"width": 8, "rate": None, "used": False},
        "network": {"factory": f"{tmp_path / 'mynets.py'}:Net", "keywords": {"width": 8}},
        "replicate": 0,
    }
    assert task.checkpoints.files([2]) == [
        str(tmp_path / name) for name in ("2.pt", "0.pt", "mynets.py")
    ]
    assert "training" not in targets.figure_names(task)
    assert "gaps" in targets.figure_names(task)


def test_columns_that_tell_nothing_of_the_gap_are_not_in_the_grid(
    planned: Callable[[], TaskPlan], rows: Rows, config: Config
) -> None:
    for position, row in enumerate(rows):
        del row["rate"]
        row |= {"width": 8, "run": f"run {position}", "seed": position, "empty": ""}
    task = planned()
    assert task.grid == {}
    assert [entry["replicate"] for entry in task.checkpoints.entries] == list(range(9))
    assert task.checkpoints.entries[3]["hyper_parameters"] == {
        "width": 8, "run": "run 3", "seed": 3, "empty": None,
    }  # fmt: skip
    assert "gaps" not in targets.figure_names(task)
    config["tasks"][0]["colour"] = "run"
    with pytest.raises(GengapError, match=r"'colour' of task 'mine' is 'run', .* set it to null"):
        planned()


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["8", "16"], [8, 16]),
        (["8.0", ""], [8, None]),
        (["0.5", "1"], [0.5, 1.0]),
        (["-1e-3", "nan"], [-0.001, None]),
        (["TRUE", "false"], [True, False]),
        (["1", "relu"], ["1", "relu"]),
        (["1_0", "inf"], ["1_0", "inf"]),
        (["123456789012345678901", "1"], [123456789012345678901, 1]),
    ],
)
def test_a_column_has_the_narrowest_type_of_all_its_cells(
    cells: list[str], values: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "0.pt").write_bytes(b"")
    write(tmp_path / "runs.csv", [{"weights": "0.pt", "value": cell} for cell in cells])
    read = [row.values["value"] for row in read_checkpoints(tmp_path / "runs.csv")]
    assert read == values
    assert list(map(type, read)) == list(map(type, values))


def test_a_table_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    (tmp_path / "0.pt").write_bytes(b"")
    text = '\ufeffweights,note\r\n0.pt,"a, b"\r\n\r\n'
    (tmp_path / "runs.csv").write_bytes(text.encode())
    (row,) = read_checkpoints(tmp_path / "runs.csv")
    assert (row.name, row.values) == ("0", {"note": "a, b"})


def test_the_loss_is_the_columns_or_the_tasks_or_that_of_the_data(
    planned: Callable[[], TaskPlan], rows: Rows, config: Config
) -> None:
    assert planned().loss(0) == ""
    own(config)["loss"] = "hinge"
    assert planned().loss(0) == "hinge"
    for position, row in enumerate(rows):
        row["loss"] = ("mse", "cross_entropy")[position % 2]
    assert [planned().loss(k) for k in range(2)] == ["mse", "cross_entropy"]


def test_named_networks_take_the_columns_of_their_keywords(
    planned: Callable[[], TaskPlan], config: Config
) -> None:
    own(config)["network"] = {"template": "dense", "depth": 2}
    task = planned()
    assert task.checkpoints.code is None
    assert task.shard_entries(1)[0]["network"] == {"template": "dense", "depth": 2, "width": 16}
    own(config)["network"] = {"hub": "torchvision:resnet18", "keywords": {"width": 1, "a": 2}}
    network = planned().shard_entries(1)[0]["network"]
    assert network["keywords"] == {"width": 16, "a": 2}


def test_networks_of_a_list_of_layers_are_exported_and_others_are_not(
    config: Config, rows: Rows, tmp_path: Path, plan_of: PlanMaker
) -> None:
    write(tmp_path / "runs.csv", rows)
    config["tasks"].append({"name": "again", "pgdl": {"exported": "mine"}})
    with pytest.raises(GengapError, match="exports 'mine', whose networks are given by 'factory'"):
        plan_of(config)
    own(config)["network"] = {"template": "dense", "depth": 1}
    again = plan_of(config).task("again")
    assert again.count == 9
    assert again.grid == {"width": [8, 16], "rate": sorted(row["rate"] for row in rows)}
    assert targets.export_receipt(again) == ["results/mine/pgdl/exported.txt"]


def test_an_edit_of_the_factory_or_of_what_it_imports_is_another_code(
    planned: Callable[[], TaskPlan], tmp_path: Path
) -> None:
    before = planned().checkpoints.code
    (tmp_path / "neighbour.py").write_text("def shared(width):\n    pass\n")
    assert planned().checkpoints.code != before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c, r: own(c).update(tabel="x"), "'tabel' was unexpected"),
        (lambda c, r: own(c).update(gap="f1"), "'f1' is not one of ['accuracy', 'loss', 'error'"),
        (lambda c, r: own(c).update(loss="l1"), "'l1' is not one of ['cross_entropy'"),
        (lambda c, r: own(c).pop("table"), "'table' is a required property"),
        (lambda c, r: own(c).update(table="absent.csv"), "The table absent.csv cannot be read (No"),
        (lambda c, r: own(c)["dataset"].update(name="mnits"), "'mnits' is not one of ['digits'"),
        (lambda c, r: own(c)["dataset"].update({"from": "a.npz"}), "gives both 'name' and 'from'"),
        (lambda c, r: own(c)["network"].update(widht=1), "has the key 'widht', which a 'factory'"),
        (lambda c, r: own(c)["network"].update(hub="torchvision:a"), "is valid under each of"),
        (lambda c, r: own(c).update(network={"hub": "resnet18"}), "'resnet18' does not match"),
        (lambda c, r: own(c).update(network={"keras": "a.keras"}), "names the file a.keras, which"),
        (lambda c, r: own(c).update(network={"factory": "Net"}), "names the factory 'Net': write"),
        (
            lambda c, r: own(c).update(network={"factory": "absent.py:Net"}),
            "names the file absent.py, which does not exist: correct 'factory'",
        ),
        (
            lambda c, r: own(c)["network"].update(
                factory=own(c)["network"]["factory"].replace("Net", "Nett")
            ),
            "mynets.py has no function or class 'Nett' at its top level",
        ),
        (
            lambda c, r: own(c).update(network={"template": "dens", "depth": 1}),
            "'dens' is not one of ['convolutional', 'dense', 'vgg_like', 'nin_like']",
        ),
        (
            lambda c, r: own(c).update(network={"template": "dense", "depth": 1, "hight": 3}),
            "gives the template 'dense' the keyword 'hight', which it does not have",
        ),
        (
            lambda c, r: own(c).update(network={"architecture": "lennet"}),
            "names the architecture 'lennet': choose one of alexnet",
        ),
        (
            lambda c, r: [row.pop("width") for row in r],
            "needs 'width', which network '0' has neither in a column nor in 'keywords': add it",
        ),
        (lambda c, r: r[4].update(width=""), "needs 'width', which network '4' has neither"),
        (lambda c, r: r.__delitem__(slice(7)), "has 2 networks, but the evaluation needs at least"),
        (lambda c, r: [row.update(wights=row.pop("weights")) for row in r], "no column 'weights'"),
        (lambda c, r: r[3].update(weights=""), "runs.csv, line 5, names no weights: name a file"),
        (lambda c, r: r[3].update(weights="3.pth"), "line 5, names the weights "),
        (lambda c, r: r[0].update(initial="absent.pt"), "line 2, names the initial "),
        (lambda c, r: [row.update(network="a") for row in r], "names the network 'a' twice"),
        (lambda c, r: [row.update(network=(k == 0) * "1") for k, row in enumerate(r)], "'1' twice"),
        (lambda c, r: r[0].update(test_accuracy="97.5"), "as '97.5': write a fraction from 0 to 1"),
        (lambda c, r: r[0].update(train_loss="inf"), "train_loss as 'inf': write a finite number"),
        (lambda c, r: [row.update(gap=0.1) for row in r], "has a column 'gap', which is a name in"),
        (lambda c, r: [row.update({"": 1}) for row in r], "has no name for column 4: give each"),
        (lambda c, r: [row.update({" width": 1}) for row in r], "names the column 'width' twice"),
        (
            lambda c, r: [row.update(labels="0.pt") for row in r],
            "has a column 'labels', but the data of task 'mine' are put in an order of their own",
        ),
        (lambda c, r: c["tasks"][0].update(rank_within="depth"), "'rank_within' of task 'mine' is"),
    ],
)
def test_faults_are_found_before_anything_is_run(
    change: Change,
    sentence: str,
    planned: Callable[[], TaskPlan],
    config: Config,
    rows: Rows,
) -> None:
    change(config, rows)
    # A new column of one row is one of all rows.
    columns = list(dict.fromkeys(name for row in rows for name in row))
    rows[:] = [{name: row.get(name, "") for name in columns} for row in rows]
    with pytest.raises(GengapError) as error:
        planned()
    assert sentence in str(error.value)
    assert str(error.value).endswith((".", "yaml."))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty: write a header"),
        (b"weights,note\n", "has a header and no rows: write one for each network"),
        (b"weights\n0.pt,1\n", "line 2, has 2 cells for 1 columns"),
        (b"weights,note\n0.pt,\xff\n", "is no CSV file in UTF-8"),
        (b'weights,note\n0.pt,"open\n', "is no CSV file in UTF-8"),
        (b"weights;note\n0.pt;1\n", "has no column 'weights' (it has weights;note)"),
    ],
)
def test_a_file_that_is_no_table_is_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "0.pt").write_bytes(b"")
    (tmp_path / "runs.csv").write_bytes(content)
    with pytest.raises(GengapError) as error:
        read_checkpoints(tmp_path / "runs.csv")
    assert sentence in str(error.value)


def test_the_schemas_choices_are_those_of_the_names(root: Path) -> None:
    definitions = read_yaml(root / "workflow" / "schemas" / "config.schema.yaml")["$defs"]
    assert tuple(definitions["gap"]["enum"]) == (*GAPS, None)
    assert tuple(definitions["checkpoints"]["properties"]["loss"]["enum"]) == (*LOSSES, None)
