"""The conda environments and the dependencies have the versions of the constraints file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins.items()}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_a_conda_environment_has_the_versions_of_the_constraints(path: Path) -> None:
    *conda, pip = yaml.safe_load(path.read_text())["dependencies"]
    assert conda == ["python=3.11", "pip"]
    pins = constraints()
    assert pip["pip"]
    for requirement in map(Requirement, pip["pip"]):
        version = pins[canonicalize_name(requirement.name)]
        assert str(requirement.specifier) == f"=={version}", requirement.name


def test_every_rule_that_computes_names_an_environment_that_exists() -> None:
    named = set()
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        named |= set(re.findall(r'"\.\./\.\./envs/(\w+)\.yaml"', path.read_text()))
    assert named == {path.stem for path in ENVIRONMENTS}


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        named += extra
    names = {canonicalize_name(Requirement(text).name) for text in named} - {"gengap"}
    assert names <= set(constraints())
    assert constraints()["torch"] == "2.13.0"


def scripts() -> Iterator[tuple[str, str]]:
    """Yield the script of each rule that has one, and its environment."""
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for block in re.split(r"\n *rule\b", path.read_text())[1:]:
            script = re.search(r'"\.\./\.\./scripts/(\w+)\.py"', block)
            if script is not None:
                environment = re.search(r'"\.\./\.\./envs/(\w+)\.yaml"', block)
                assert environment, f"{path.name}: {script.group(1)} has no environment"
                yield script.group(1), environment.group(1)


def pins_of(environment: str) -> set[str]:
    pins = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())
    return {Requirement(text).name for text in pins["dependencies"][-1]["pip"]}


def test_scripts_import_what_their_environment_has() -> None:
    """Each script's third-party imports, one level deep, are pinned in its rule's environment."""
    for script, environment in scripts():
        source = (ROOT / "scripts" / f"{script}.py").read_text()
        modules = set(re.findall(r"^(?:import|from) (\w+)", source, re.M))
        third = modules - sys.stdlib_module_names - {"gengap", "checkout", "snakemake"}
        names = pins_of(environment)
        assert third <= names, f"{script} imports {sorted(third - names)}"


@pytest.mark.parametrize(
    "script",
    sorted({script for script, environment in scripts() if "torch" not in pins_of(environment)}),
)
def test_a_script_whose_environment_has_no_torch_loads_none(script: str) -> None:
    tree = ast.parse((ROOT / "scripts" / f"{script}.py").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    lines = [*map(ast.unparse, imports), "import sys", "assert 'torch' not in sys.modules"]
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
