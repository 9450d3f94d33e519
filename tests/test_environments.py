"""The conda environments and the dependencies have the versions of the constraints file."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def constraints(python: str = "3.11") -> dict[str, str]:
    """The versions that are pinned for a version of Python."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = [
        pin for pin in pins if pin.marker is None or pin.marker.evaluate({"python_version": python})
    ]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in here}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_a_conda_environment_has_the_versions_of_the_constraints(path: Path) -> None:
    *conda, pip = yaml.safe_load(path.read_text())["dependencies"]
    assert conda == ["python=3.11", "pip"]
    pins = constraints()
    assert pip["pip"]
    for requirement in map(Requirement, pip["pip"]):
        version = pins[canonicalize_name(requirement.name)]
        assert str(requirement.specifier) == f"=={version}", requirement.name


@pytest.mark.slow
@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_a_conda_environment_can_be_solved(path: Path, tmp_path: Path) -> None:
    solvers = [name for name in ("mamba", "conda", "micromamba") if shutil.which(name)]
    if not solvers:
        pytest.skip("conda, mamba and micromamba are not installed")
    create = [] if solvers[0] == "micromamba" else ["env"]
    command = [solvers[0], *create, "create", "--dry-run", "--prefix", str(tmp_path / "solved")]
    result = subprocess.run([*command, "--file", str(path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_rule_that_computes_names_an_environment_that_exists(rules: list[Any]) -> None:
    named = {Path(rule.conda_env).name for rule in rules if rule.script}
    assert named == {path.name for path in ENVIRONMENTS}


@pytest.mark.parametrize("python", ["3.11", "3.14"])
def test_every_dependency_is_pinned(python: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = ["torchvision", *project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        named += extra
    names = {canonicalize_name(Requirement(text).name) for text in named} - {"gengap"}
    assert names <= set(constraints(python))
    # Each release of torchvision is for one of torch: 0.28 for 2.13, and so on.
    pins = constraints(python)
    torch, torchvision = pins["torch"], pins["torchvision"]
    assert int(torchvision.split(".")[1]) == int(torch.split(".")[1]) + 15


def pins_of(environment: Path) -> set[str]:
    pins = yaml.safe_load(environment.read_text())
    return {Requirement(text).name for text in pins["dependencies"][-1]["pip"]}


def scripts(rules: list[Any]) -> dict[Path, set[str]]:
    """The pinned packages of the environment of each script."""
    return {
        ROOT / "scripts" / Path(rule.script).name: pins_of(
            ROOT / "envs" / Path(rule.conda_env).name
        )
        for rule in rules
        if rule.script
    }


def imports_of(script: Path) -> list[ast.stmt]:
    tree = ast.parse(script.read_text())
    return [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def test_scripts_import_what_their_environment_has(rules: list[Any]) -> None:
    """Each script's third-party imports, one level deep, are pinned in its rule's environment."""
    for script, pins in scripts(rules).items():
        modules = set(re.findall(r"^(?:import|from) (\w+)", script.read_text(), re.M))
        third = modules - sys.stdlib_module_names - {"gengap", "checkout", "snakemake"}
        assert third <= pins, f"{script} imports {sorted(third - pins)}"


@pytest.mark.slow
def test_a_script_whose_environment_has_no_torch_loads_none(rules: list[Any]) -> None:
    without = [script for script, pins in scripts(rules).items() if "torch" not in pins]
    assert len(without) >= 10
    # In one process: what the first script has not loaded was not there for the second, either.
    lines = ["import sys"]
    for script in without:
        lines += map(ast.unparse, imports_of(script))
        lines += [f"assert 'torch' not in sys.modules, {script.name!r}"]
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
