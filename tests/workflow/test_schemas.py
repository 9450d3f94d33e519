"""The schemas describe every key, and a grid's values are held to the keys that they are of."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml

from gengap.names import TOGETHER

SCHEMAS = ("config", "experiments")


def schema_of(root: Path, name: str) -> dict[str, Any]:
    path = root / "workflow" / "schemas" / f"{name}.schema.yaml"
    return yaml.safe_load(path.read_text())  # type: ignore[no-any-return]


def keys(schema: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that a schema knows, by its place, with its own schema."""
    for name, entry in schema.get("properties", {}).items():
        yield f"{place}.{name}", entry
        yield from keys(entry, f"{place}.{name}")
    if "items" in schema:
        yield from keys(schema["items"], f"{place}[]")
    for name, entry in schema.get("$defs", {}).items():
        yield from keys(entry, name)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_is_described(name: str, root: Path) -> None:
    schema = schema_of(root, name)
    found = dict(keys(schema))
    assert len(found) > 5
    for place, entry in found.items():
        # A reference is described where it leads; a grid's keys are those of network and training.
        if "$ref" in entry:
            entry = functools.reduce(getitem, entry["$ref"].removeprefix("#/").split("/"), schema)
        assert entry.get("description") or ".grid." in place, place


def test_a_grid_knows_the_keys_of_network_and_training(root: Path) -> None:
    definitions = schema_of(root, "config")["$defs"]
    expected = {
        key: {"items": {"$ref": f"#/$defs/{owner}/properties/{key}"}}
        for owner in ("network", "training")
        for key in definitions[owner]["properties"]
        if key != TOGETHER
    }
    assert definitions["zoo"]["properties"]["grid"]["properties"] == expected
