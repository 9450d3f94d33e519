"""Registries of networks have the names that planning knows, and the config's schema the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gengap import names
from gengap.networks import ARCHITECTURES, LAYERS, TEMPLATES
from gengap.networks.activation_functions import ACTIVATIONS
from gengap.networks.initialisation import SCHEMES


def keywords(function: Callable[..., Any]) -> tuple[str, ...]:
    """The keyword-only parameters of a function, in order."""
    return tuple(
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    )


@pytest.fixture(scope="module")
def schema(root: Path) -> dict[str, Any]:
    text = (root / "workflow" / "schemas" / "config.schema.yaml").read_text()
    definitions: dict[str, Any] = yaml.safe_load(text)["$defs"]
    return definitions


@pytest.mark.parametrize(
    ("registry", "known"),
    [
        (ARCHITECTURES, names.ARCHITECTURES),
        (TEMPLATES, names.TEMPLATES),
        (LAYERS, names.LAYERS),
    ],
    ids=["architectures", "templates", "layers"],
)
def test_registries_have_the_known_names_and_keywords(
    registry: dict[str, Callable[..., Any]], known: dict[str, tuple[str, ...]]
) -> None:
    assert {name: keywords(function) for name, function in registry.items()} == known


def test_activations_and_initialisations_are_the_known_ones() -> None:
    assert tuple(ACTIVATIONS) == names.ACTIVATIONS
    assert (*SCHEMES, names.OWN_INITIALISATION) == names.INITIALISATIONS


def test_only_layers_ignore_keywords() -> None:
    assert set(names.IGNORED_KEYWORDS) <= set(names.LAYERS)


def test_the_schema_names_the_templates_and_their_keywords(schema: dict[str, Any]) -> None:
    network = schema["network"]["properties"]
    assert tuple(network["template"]["enum"]) == tuple(names.TEMPLATES)
    of_templates = {key for listed in names.TEMPLATES.values() for key in listed}
    assert tuple(network["activation"]["enum"]) == names.ACTIVATIONS
    by_template = schema["zoo"]["then"]["properties"]["network"]
    assert set(by_template["propertyNames"]["enum"]) == {"template"} | of_templates
    assert set(network) == {"template", "architecture", "model_config"} | of_templates
    defaults = {
        key: parameter.default
        for function in TEMPLATES.values()
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
    }
    stated = {key: entry["default"] for key, entry in by_template["properties"].items()}
    # A default is filled in for every template, so it stands in the schema only if all take it.
    for_all = set.intersection(*map(set, names.TEMPLATES.values()))
    assert stated == {key: value for key, value in defaults.items() if key in for_all}
    for key in set(defaults) - for_all:
        assert network[key]["description"].endswith(f"; {defaults[key]} by default.")


def test_keys_of_numbers_are_those_of_the_schema(schema: dict[str, Any]) -> None:
    stated = {**schema["network"]["properties"], **schema["training"]["properties"]}
    of_type: dict[str, set[str]] = {"number": set(), "integer": set()}
    for key, entry in stated.items():
        for form in [entry, *entry.get("anyOf", [])]:
            types = form.get("type", [])
            for kind in [types] if isinstance(types, str) else types:
                of_type.setdefault(kind, set()).add(key)
    known = set(stated)
    assert set(names.FLOAT_KEYS) & known == of_type["number"]
    assert set(names.INTEGER_KEYS) & known == of_type["integer"]


def test_every_keyword_of_an_architecture_is_a_word_or_a_number_of_one_kind() -> None:
    words = {"activation", "padding", "pooling"}
    listed = {key for keys in names.ARCHITECTURES.values() for key in keys} - words
    numbers = set(names.FLOAT_KEYS) | set(names.INTEGER_KEYS)
    assert listed <= numbers
    assert not set(names.FLOAT_KEYS) & set(names.INTEGER_KEYS)
