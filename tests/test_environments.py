"""One set of versions: the conda environments agree with the constraints file."""

from __future__ import annotations

import re
import sys
import tomllib
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


def test_scripts_import_what_their_environment_has() -> None:
    """Each script's third-party imports, one level deep, are pinned in its rule's environment."""
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        text = path.read_text()
        for block in text.split("\nrule ")[1:]:
            script = re.search(r'"\.\./\.\./scripts/(\w+)\.py"', block)
            if script is None:
                continue
            environment = re.search(r'"\.\./\.\./envs/(\w+)\.yaml"', block)
            assert environment, f"{path.name}: {script.group(1)} has no environment"
            source = (ROOT / "scripts" / f"{script.group(1)}.py").read_text()
            modules = set(re.findall(r"^(?:import|from) (\w+)", source, re.M))
            third = modules - sys.stdlib_module_names - {"gengap", "checkout", "snakemake"}
            pins = yaml.safe_load((ROOT / "envs" / f"{environment.group(1)}.yaml").read_text())
            names = {Requirement(text).name for text in pins["dependencies"][-1]["pip"]}
            assert third <= names, f"{script.group(1)} imports {sorted(third - names)}"
