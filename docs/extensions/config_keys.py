"""The directive ``config-keys``: every key of the configuration, from its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from command_line import prose
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
MOST_VALUES = 24
"""Values of an enumeration that are listed."""

Schema = Mapping[str, Any]


class ConfigKeys(SphinxDirective):
    """Writes a section for each key at the top of a config, and one for each shared part."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        self.env.note_dependency(str(SCHEMA))
        lines = list(page(yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))))
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def page(schema: Schema) -> Iterator[str]:
    """Yield the page as lines of Markdown.

    Args:
        schema: the schema of the configuration.
    """
    yield from ("## At the top", "")
    for key, part in schema["properties"].items():
        yield from described(key, part, schema, key in schema["required"])
    for key, part in [*schema["properties"].items(), *schema["$defs"].items()]:
        if nested(part, schema):
            yield from section(key, part, schema)


def section(key: str, part: Schema, schema: Schema, mark: str = "##") -> Iterator[str]:
    """Yield the section of a key that has keys of its own, and those of the keys within it."""
    if reference(part):
        return  # the shared part has its own section
    inner = part if "properties" in part else part["items"]
    yield from (f"({anchor(key)})=", f"{mark} {key}", "")
    yield from (prose(str(part.get("description", ""))), "")
    for name, child in inner["properties"].items():
        yield from described(name, child, schema, name in inner.get("required", []))
    for name, child in inner["properties"].items():
        if nested(child, schema):
            yield from section(name, child, schema, "###")


def described(key: str, part: Schema, schema: Schema, required: bool) -> Iterator[str]:
    """Yield a key, what values it takes, and what it is for."""
    target = reference(part)
    whole = {**resolved(part, schema), **{k: v for k, v in part.items() if k != "$ref"}}
    facts = []
    if target and nested(schema["$defs"][target], schema):
        facts.append(f"see [{target}](#{anchor(target)})")
    elif nested(part, schema):
        facts.append(f"see [{key}](#{anchor(key)})")
    values = [word for word in (values_of(whole),) if word]
    if required:
        facts.append("required")
    elif "default" in whole and whole["default"] not in ({}, []):
        facts.append(f"default `{shown(whole['default'])}`")
    yield f"`{key}`"
    text = prose(str(whole.get("description", "")))
    notes = "; ".join(values + facts)
    yield f": {text}" + (f" *({notes})*" if notes else "")
    yield ""


def values_of(part: Schema) -> str:
    """Say which values a key takes."""
    if "enum" in part:
        listed = part["enum"][:MOST_VALUES]
        more = ", ..." if len(part["enum"]) > MOST_VALUES else ""
        return ", ".join(f"`{shown(value)}`" for value in listed) + more
    kinds = part.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    words = {"array": "list", "object": "mapping", "boolean": "true or false", "string": "text"}
    text = " or ".join(words.get(kind, kind) for kind in kinds)
    low, high = part.get("minimum"), part.get("maximum")
    if "exclusiveMinimum" in part:
        text += f" above {part['exclusiveMinimum']}"
    elif low is not None and high is None:
        text += f", at least {low}"
    if low is not None and high is not None:
        text += f", {low} to {high}"
    if "exclusiveMaximum" in part:
        text += f", below {part['exclusiveMaximum']}"
    return text.removeprefix(", ")


def shown(value: object) -> str:
    """Return a value as a config has it."""
    return (
        str(yaml.safe_dump(value, default_flow_style=True)).removesuffix("\n").removesuffix("\n...")
    )


def reference(part: Schema) -> str:
    """Return the name of the shared part that a schema, its items or its branch refer to."""
    for place in (part, part.get("items", {}), part.get("then", {})):
        if isinstance(place, Mapping) and str(place.get("$ref", "")).count("/") == 2:
            return str(place["$ref"]).rpartition("/")[2]
    return ""


def resolved(part: Schema, schema: Schema) -> Schema:
    """Return a part, or the one that it refers to."""
    while "$ref" in part:
        found: Any = schema
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def nested(part: Schema, schema: Schema) -> bool:
    """Whether a part has keys of its own."""
    if target := reference(part):
        return nested(schema["$defs"][target], schema)
    keys = part.get("properties") or part.get("items", {}).get("properties", {})
    return any("$ref" not in child.get("items", child) for child in keys.values())


def anchor(key: str) -> str:
    """Return the name of a section."""
    return f"config-{key.replace('_', '-')}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("config-keys", ConfigKeys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
