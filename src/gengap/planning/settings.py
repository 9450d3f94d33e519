"""Settings from YAML: validated against a schema, defaults filled in, keys in one order."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from gengap.errors import GengapError

Settings = dict[str, Any]

# Where the order of the keys has a meaning: it numbers networks, and sets are shown in it.
ORDERED = ("grid", "feature_sets")
# Snakemake reads the settings in every job, and the parser in C is many times faster.
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Properties = Callable[[Validator, Any, Any, Any], Iterator[ValidationError]]


def read_yaml(path: Path) -> Settings:
    """Return the mapping in a YAML file.

    Raises:
        GengapError: the file cannot be read, is not YAML, or holds no mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except OSError as error:
        raise GengapError(
            f"{path} cannot be read ({error.strerror}): name another file."
        ) from error
    except yaml.YAMLError as error:
        raise GengapError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise GengapError(f"{path} holds no mapping of keys: write 'key: value' lines.")
    return content


def validated(settings: Mapping[str, Any], origin: str, schema: Path, part: str = "") -> Settings:
    """Return settings that are valid, with defaults filled in and keys sorted.

    Args:
        settings: what the user wrote; it is left as it is.
        origin: where it stands, the beginning of the sentence that tells of a fault.
        schema: the file of a JSON schema (draft 2020-12) in YAML.
        part: the schema's definition to hold the settings against, such as ``dataset``; the whole
            schema if empty.

    Returns:
        A new mapping; only grids and sets of features keep the order of their keys.

    Raises:
        GengapError: a key or a value that the schema refuses, named by its place.
    """
    filled = copy.deepcopy(dict(settings))
    fault = next(iter(_validator(schema, part).iter_errors(filled)), None)
    if fault is not None:
        raise GengapError(
            f"{origin} is not valid at '{fault.json_path}': {fault.message}{_meant(fault)}; "
            f"every key is described in {schema}."
        )
    return {key: _in_order(key, value) for key, value in sorted(filled.items())}


def _meant(fault: ValidationError) -> str:
    """Return a question that names the key that an unknown one resembles, or nothing."""
    if fault.validator != "additionalProperties":
        return ""
    known = list(fault.schema["properties"])
    unknown = (key for key in fault.instance if key not in known)
    meant = [similar for key in unknown for similar in get_close_matches(str(key), known, n=1)]
    return f" (do you mean '{meant[0]}'?)" if meant else ""


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> Settings:
    """Return settings with changes laid over them: mappings are merged, other values replaced.

    A mapping over a list of named entries, such as a study's experiments or tasks, changes those
    entries whose names are its keys.

    Raises:
        GengapError: such a mapping names an entry that does not exist, or its change to an entry is
            no mapping.
    """
    result = dict(settings)
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        elif isinstance(value, Mapping) and _are_named(below):
            result[key] = _merged_entries(key, below, value)
        else:
            result[key] = value
    return result


def taken_over(given: Mapping[str, Any], config: Mapping[str, Any]) -> Settings:
    """Return the part of the command line's ``--config`` that Snakemake has put into a config.

    Snakemake lays it over the config of the workflow that it runs. That may be another one, which
    has this workflow as a module with a config of its own. Then nothing is taken over.

    Args:
        given: what the command line gives.
        config: of this workflow.
    """
    there = {key: value for key, value in given.items() if key in config}
    return {key: value for key, value in there.items() if _has(config[key], value)}


def _has(value: Any, given: Any) -> bool:
    if isinstance(value, Mapping) and isinstance(given, Mapping):
        return all(key in value and _has(value[key], part) for key, part in given.items())
    return bool(value == given)


def typed(value: Any) -> Any:
    """Return a value of ``--config`` with numbers in place of texts below its first level.

    Snakemake reads ``a=3`` as a number, but leaves what is inside of a mapping or a list as text.
    """
    if isinstance(value, Mapping):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if not isinstance(value, str):
        return value
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    return read if read is None or isinstance(read, bool | int | float) else value


def _are_named(entries: Any) -> TypeGuard[list[Settings]]:
    return isinstance(entries, list) and all(
        isinstance(entry, Mapping) and "name" in entry for entry in entries
    )


def _merged_entries(
    key: str, entries: list[Settings], changes: Mapping[str, Any]
) -> list[Settings]:
    names = [entry["name"] for entry in entries]
    for name, change in changes.items():
        if name not in names:
            raise GengapError(
                f"The changes to '{key}' name '{name}': choose among {', '.join(names)}, or give "
                "a list, which replaces them all."
            )
        if not isinstance(change, Mapping):
            raise GengapError(
                f"The change to '{name}' of '{key}' is {change!r}: give a mapping of its keys."
            )
    return [merged(entry, changes.get(entry["name"], {})) for entry in entries]


def keys_of(schema: Path, part: str) -> tuple[str, ...]:
    """Return the sorted keys that a schema's definition describes, such as those of ``network``."""
    return tuple(sorted(read_yaml(schema)["$defs"][part]["properties"]))


@cache
def _validator(schema: Path, part: str) -> Validator:
    content = read_yaml(schema)
    if part:
        content = {
            "$schema": content["$schema"],
            "$ref": f"#/$defs/{part}",
            "$defs": content["$defs"],
        }
    return _with_defaults(content)


def _with_defaults(schema: Settings) -> Validator:
    """Return a validator that fills in each property's default before it looks at the property.

    An integral float becomes an integer where the schema asks for one, as 16.0 networks in a job.
    """
    of_properties: _Properties = Draft202012Validator.VALIDATORS["properties"]

    def fill_in(
        validator: Validator, properties: Any, instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        if isinstance(instance, dict):
            for name, described in properties.items():
                if "default" in described:
                    instance.setdefault(name, copy.deepcopy(described["default"]))
                value = instance.get(name)
                if isinstance(value, float) and value.is_integer():
                    is_integer = "integer" in described.get("type", ())
                    instance[name] = int(value) if is_integer else value
        yield from of_properties(validator, properties, instance, schema)

    types = Draft202012Validator.TYPE_CHECKER.redefine("number", _is_finite_number)
    return extend(Draft202012Validator, {"properties": fill_in}, type_checker=types)(schema)


def _is_finite_number(_checker: object, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _in_order(key: str, value: Any) -> Any:
    """Return the value of a key with sorted keys, so that their order in a file does not matter."""
    if isinstance(value, list):
        return [_in_order("", entry) for entry in value]
    if not isinstance(value, dict) or key in ORDERED:
        return value
    return {name: _in_order(name, entry) for name, entry in sorted(value.items())}
