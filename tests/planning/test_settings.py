"""Settings: defaults, order of keys, and faults that are named by their place."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.planning.conftest import Config

from gengap.errors import GengapError
from gengap.planning.settings import keys_of, merged, read_yaml, taken_over, typed, validated

SCHEMA = """
$schema: "https://json-schema.org/draft/2020-12/schema"
type: object
additionalProperties: false
properties:
  count: {type: integer, minimum: 1, default: 3}
  inner:
    type: object
    default: {}
    properties:
      names: {type: array, default: [a]}
  grid: {type: object}
$defs:
  part: {type: object, properties: {b: {type: integer}, a: {default: 1}}}
"""


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "schema.yaml"
    path.write_text(SCHEMA)
    return path


def test_defaults_are_filled_in_however_deep(schema: Path) -> None:
    assert validated({}, "It", schema) == {"count": 3, "inner": {"names": ["a"]}}
    assert validated({}, "It", schema, "part") == {"a": 1}


def test_neither_the_input_nor_the_schemas_defaults_are_changed(schema: Path) -> None:
    settings: Config = {"inner": {}}
    first = validated(settings, "It", schema)
    first["inner"]["names"].append("b")
    assert settings == {"inner": {}}
    assert validated({}, "It", schema)["inner"] == {"names": ["a"]}


def test_keys_are_sorted_except_where_their_order_has_a_meaning(schema: Path) -> None:
    written = {"inner": {"z": 1, "b": 2}, "grid": {"z": [1], "a": [2]}, "count": 1}
    settings = validated(written, "It", schema)
    assert list(settings) == ["count", "grid", "inner"]
    assert list(settings["grid"]) == ["z", "a"]
    assert list(settings["inner"]) == ["b", "names", "z"]


def test_the_command_line_of_another_workflow_is_not_taken_over() -> None:
    config = {"seed": 7, "studies": {"a": {"only": "x", "seed": 1}}, "families": ["norms"]}
    given = {"seed": 7, "studies": {"a": {"only": "x"}}, "families": ["norms"]}
    assert taken_over(given, config) == given
    of_another = {"seed": 5, "other": 4, "studies": {"a": {"only": "y"}}, "families": ["margins"]}
    assert taken_over(of_another, config) == {}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"count": 0}, "It is not valid at '$.count': 0 is less than the minimum of 1; every key"),
        ({"inner": {"names": 1}}, "at '$.inner.names': 1 is not of type 'array'"),
        ({"coutn": 1}, "'coutn' was unexpected) (do you mean 'count'?); every key"),
        ({"else": 1}, "'else' was unexpected); every key"),
    ],
)
def test_a_fault_is_named_by_its_place(settings: Config, sentence: str, schema: Path) -> None:
    with pytest.raises(GengapError) as fault:
        validated(settings, "It", schema)
    assert sentence in str(fault.value)
    assert "\n" not in str(fault.value)


def test_changes_are_laid_over_mappings_and_replace_everything_else() -> None:
    settings = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    changed = merged(settings, {"a": {"y": [3]}, "c": {"z": 1}})
    assert changed == {"a": {"x": 1, "y": [3]}, "b": 1, "c": {"z": 1}}
    assert settings == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


def test_the_keys_of_a_part_are_sorted(schema: Path) -> None:
    assert keys_of(schema, "part") == ("a", "b")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("a: [1", "is not valid YAML"), ("- 1", "holds no mapping"), (None, "cannot be read")],
)
def test_a_file_that_holds_no_settings_is_named(
    content: str | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "settings.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(GengapError, match=f"settings.yaml {sentence}"):
        read_yaml(path)


def test_a_mapping_over_a_list_changes_the_entries_of_its_names() -> None:
    settings = {"tasks": [{"name": "a", "zoo": {"x": 1, "y": 2}}, {"name": "b"}]}
    changed = merged(settings, {"tasks": {"a": {"zoo": {"x": 3}}}})
    assert changed == {"tasks": [{"name": "a", "zoo": {"x": 3, "y": 2}}, {"name": "b"}]}
    assert merged(settings, {"tasks": [{"name": "c"}]}) == {"tasks": [{"name": "c"}]}
    with pytest.raises(GengapError, match="changes to 'tasks' name 'c': choose among a, b, or"):
        merged(settings, {"tasks": {"c": {}}})
    with pytest.raises(GengapError, match="change to 'a' of 'tasks' is 3: give a mapping"):
        merged(settings, {"tasks": {"a": 3}})


def test_texts_of_the_command_line_are_numbers_where_they_look_like_them() -> None:
    given = {
        "a": {"seeds": "1", "rate": "1.0e-3", "names": ["x", "2"], "none": "null"},
        "b": "9: :",
    }
    expected = {"a": {"seeds": 1, "rate": 1e-3, "names": ["x", 2], "none": None}, "b": "9: :"}
    assert typed(given) == expected
