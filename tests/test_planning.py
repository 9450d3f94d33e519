"""Grids, families and the digest that stands for the library's version."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gengap import planning
from gengap.errors import GengapError


def test_grid_points_are_the_product_in_the_order_of_the_keys() -> None:
    points = planning.grid_points({"width": [4, 8], "depth": [1, 2]}, replicates=2)
    assert len(points) == 8
    assert points[0] == {"width": 4, "depth": 1, "replicate": 0}
    assert points[1] == {"width": 4, "depth": 1, "replicate": 1}
    assert points[2] == {"width": 4, "depth": 2, "replicate": 0}
    assert points[-1] == {"width": 8, "depth": 2, "replicate": 1}


def test_the_default_run_has_32_networks(root: Path) -> None:
    config = yaml.safe_load((root / "config.yaml").read_text())
    zoos = [task["zoo"] for task in config["tasks"]]
    assert all(len(planning.grid_points(zoo["grid"], zoo["replicates"])) >= 32 for zoo in zoos)


@pytest.mark.parametrize("values", [[], [1, 1], ["a", "b", "a"]])
def test_a_grid_with_a_missing_or_repeated_value_is_refused(values: list[object]) -> None:
    with pytest.raises(GengapError, match=r"The grid's 'depth' is .* once, and at least one"):
        planning.grid_points({"width": [1], "depth": values})


def test_a_point_is_divided_into_network_and_training() -> None:
    network, training = planning.split_grid_point(
        {"width": 8, "weight_decay": 0.1, "replicate": 3},
        {"template": "dense", "width": 1},
        {"epochs": 5},
        ["template", "width"],
        ["weight_decay", "epochs"],
    )
    assert network == {"template": "dense", "width": 8}
    assert training == {"epochs": 5, "weight_decay": 0.1}


def test_an_unknown_hyper_parameter_is_refused_by_name() -> None:
    with pytest.raises(GengapError, match=r"'widht', which is neither .*width.*epochs"):
        planning.split_grid_point({"widht": 8}, {}, {}, ["width"], ["epochs"])


def test_families_of_the_library_and_of_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("")
    assert list(planning.families("all")) == list(planning.FAMILIES)
    assert planning.families(["baseline", str(mine)]) == {
        "baseline": "baseline",
        "mine": str(mine),
    }
    assert planning.family_source("baseline") == "gengap.measures.baseline"
    with pytest.raises(GengapError, match=r"Unknown family of measures 'basline' .* baseline"):
        planning.families(["basline"])
    with pytest.raises(GengapError, match=r"Unknown family of measures 'absent\.py'"):
        planning.families(["absent.py"])
    (tmp_path / "baseline.py").write_text("")
    with pytest.raises(GengapError, match=r"names 'baseline' twice"):
        planning.families(["baseline", str(tmp_path / "baseline.py")])


def version_in_copy(root: Path, edited: str | None, source: str) -> str:
    """The code version that a copy of the library computes after one file got a comment."""
    if edited:
        with (root / "gengap" / edited).open("a") as file:
            file.write("# an edit\n")
    command = f"from gengap import planning; print(planning.code_version({source!r}))"
    return subprocess.run(
        [sys.executable, "-c", command], cwd=root, capture_output=True, text=True, check=True
    ).stdout


def test_the_code_version_sees_exactly_the_modules_that_are_reached(
    root: Path, tmp_path: Path
) -> None:
    shutil.copytree(root / "src" / "gengap", tmp_path / "gengap")
    source = "gengap.measures.baseline"
    first = version_in_copy(tmp_path, None, source)
    assert version_in_copy(tmp_path, None, source) == first
    assert version_in_copy(tmp_path, "figures/style.py", source) == first
    second = version_in_copy(tmp_path, "networks/weights.py", source)
    assert second != first
    assert version_in_copy(tmp_path, "errors.py", source) not in {first, second}


def test_planning_imports_nothing_heavy() -> None:
    command = (
        "import sys, gengap.planning; "
        "print([m for m in ('numpy', 'torch', 'pandas', 'sklearn') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_a_published_task_says_how_many_networks_it_has() -> None:
    assert planning.pgdl_networks("task2_v1", None) == 54
    assert planning.pgdl_networks("task2_v1", 9) == 9
    assert planning.pgdl_networks("mine", 9) == 9
    assert sum(planning.pgdl_networks(task, None) for task in planning.PGDL_NETWORKS) == 550


@pytest.mark.parametrize(
    ("task", "wanted", "sentence"),
    [("mine", None, "set 'networks'"), ("task9", 33, "is 33, but 32 were published")],
)
def test_networks_that_nobody_knows_of_are_refused(
    task: str, wanted: int | None, sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        planning.pgdl_networks(task, wanted)


@pytest.mark.parametrize(
    ("settings", "megabytes"),
    [({}, 3000 + 4096), ({"memory_gib": 8}, 3000 + 16384), ({"memory_gib": 0.5}, 3000 + 1024)],
)
def test_a_runs_memory_follows_its_budget(settings: dict[str, float], megabytes: int) -> None:
    assert planning.megabytes_of_run(settings) == megabytes


def test_budgets_have_one_name_and_defaults_that_fit_the_memory_asked_for(root: Path) -> None:
    """A default is either one graph's, or that of each of two kernels."""
    defaults = {}
    studies = root / "src" / "gengap" / "studies"
    for path in sorted(studies.glob("*/**/*.py")):
        text = path.read_text()
        assert not re.search(r"^    (gibibytes|gib|megabytes|mem_\w+): ", text, re.M), path
        found = re.search(r"^    memory_gib: float = ([\d.]+),?$", text, re.M)
        if found and "def run(" in text:
            study = path.relative_to(studies).parts[0]
            defaults[study, path.stem] = float(found[1])
    assert {study: gib for (study, _), gib in defaults.items()} == {
        "corneanu2020": 4.0,
        "ortizjimenez2021": 2.0,
    }


def test_a_role_needs_a_hyper_parameter_of_the_grid() -> None:
    planning.check_roles("a", {"within": "depth", "strata": None}, ["depth"])
    with pytest.raises(GengapError, match=r"'strata' of task 'a' is 'width'.*choose one of depth"):
        planning.check_roles("a", {"within": "depth", "strata": "width"}, ["depth"])
