"""The description of the workflow for WorkflowHub."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml


def entities(root: Path) -> dict[str, dict[str, Any]]:
    graph = json.loads((root / "ro-crate-metadata.json").read_text())["@graph"]
    by_name = {entity["@id"]: entity for entity in graph}
    assert len(by_name) == len(graph)
    return by_name


def references(value: Any) -> set[str]:
    """Every name that a value refers to."""
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            return {value["@id"]}
        return set().union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_file_that_it_names_exists(root: Path) -> None:
    parts = {part["@id"] for part in entities(root)["./"]["hasPart"]}
    assert len(parts) > 10
    for part in parts:
        assert (root / part).is_dir() if part.endswith("/") else (root / part).is_file(), part
        tracked = ["git", "ls-files", "--error-unmatch", part]
        if (root / ".git").exists():
            subprocess.run(tracked, cwd=root, check=True, capture_output=True)


def test_every_reference_is_described(root: Path) -> None:
    described = entities(root)
    for name, entity in described.items():
        assert references([*entity.values()]) <= set(described), name


def test_it_is_a_workflow_crate(root: Path) -> None:
    described = entities(root)
    profiles = references(described["ro-crate-metadata.json"]["conformsTo"])
    assert "https://w3id.org/workflowhub/workflow-ro-crate/1.0" in profiles
    workflow = described[described["./"]["mainEntity"]["@id"]]
    assert workflow["@id"] == "Snakefile"
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} == set(workflow["@type"])
    assert described[workflow["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert described["./"]["version"] == workflow["version"] == citation["version"]
    assert described["./"]["datePublished"] == str(citation["date-released"])
