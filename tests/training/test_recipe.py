"""Recipes: defaults, refusals."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from gengap.errors import GengapError
from gengap.names import INITIALISATIONS, TOGETHER, TOGETHER_KEYS
from gengap.networks import build, convolutional, initialise
from gengap.seeding import torch_generator
from gengap.training import Recipe, recipe


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"lr": 0.1}, ["'lr'", "learning_rate", "seed"]),
        ({"loss": "bce"}, ["loss is 'bce'", "cross_entropy, mse, hinge, nll"]),
        ({"optimiser": "lion"}, ["optimiser is 'lion'", "sgd, adam, adamw"]),
        ({"initialisation": "zeros"}, ["initialisation is 'zeros'", "glorot"]),
        ({"learning_rate": "1e-3"}, ["learning_rate is the text '1e-3'", "1.0e-3"]),
        ({"learning_rate": 0}, ["learning_rate is 0", "above 0"]),
        ({"learning_rate": float("nan")}, ["learning_rate is nan"]),
        ({"learning_rate": True}, ["learning_rate is True"]),
        ({"momentum": 1.0}, ["momentum is 1.0", "below 1"]),
        ({"weight_decay": -1}, ["weight_decay is -1", "at least 0"]),
        ({"batch_size": 0}, ["batch_size is 0", "at least 1"]),
        ({"batch_size": 2.5}, ["batch_size is 2.5", "integer"]),
        ({"batch_size": "all"}, ["batch_size is 'all'", "at least 1, or full"]),
        ({"stop_at_accuracy": 1.5}, ["stop_at_accuracy is 1.5", "at most 1"]),
        ({"stop_at_accuracy": 0}, ["stop_at_accuracy is 0", "above 0"]),
        ({"epochs": 0}, ["epochs is 0"]),
        ({"seed": -1}, ["seed is -1"]),
        ({"stop_at_loss": -0.1}, ["stop_at_loss is -0.1"]),
        ({"label_corruption": 1.1}, ["label_corruption is 1.1", "at most 1"]),
        ({"augmentation": "crop"}, ["augmentation is 'crop'", "list"]),
        ({"augmentation": ["cutout"]}, ["augmentation is 'cutout'", "crop, flip"]),
        ({"nesterov": "yes"}, ["nesterov is 'yes'"]),
        ({"nesterov": True, "momentum": 0.0}, ["nesterov needs momentum"]),
        (
            {"schedule": "cosine"},
            ["schedule is 'cosine'", "step, multistep, cosine, linear, cyclic, plateau"],
        ),
        ({"schedule": {"name": "exponential"}}, ["schedule", "exponential"]),
        ({"schedule": {"name": "step", "gamma": 1}}, ["'gamma'", "step", "every, factor"]),
        ({"schedule": {"name": "step", "every": 0}}, ["schedule.every is 0"]),
        ({"schedule": {"name": "step", "factor": 1.5}}, ["schedule.factor is 1.5"]),
        ({"schedule": {"name": "multistep", "milestones": 5}}, ["milestones is 5", "a list"]),
        ({"schedule": {"name": "multistep", "milestones": [0]}}, ["milestones is [0]", "from 1"]),
        ({"schedule": {"name": "multistep", "milestones": [9, 5]}}, ["[9, 5]", "ascending"]),
        ({"schedule": {"name": "plateau", "patience": 1.5}}, ["schedule.patience is 1.5"]),
        ({"schedule": {"name": "cosine", "lowest": -1.0}}, ["schedule.lowest is -1.0"]),
    ],
)
def test_bad_recipes_are_refused_by_key(mapping: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(GengapError) as caught:
        Recipe.from_mapping(mapping)
    for word in words:
        assert word in str(caught.value)


def test_a_mapping_makes_the_same_recipe_and_goes_back() -> None:
    mapping = {
        "loss": "mse",
        "learning_rate": 1,
        "augmentation": ["crop", "flip"],
        "schedule": {"name": "step", "every": 5},
    }
    made = Recipe.from_mapping(mapping)
    assert made.augmentation == ("crop", "flip")
    assert made.schedule == {"name": "step", "every": 5, "factor": 0.1}
    assert Recipe.from_mapping(dataclasses.asdict(made)) == made
    assert mapping["schedule"] == {"name": "step", "every": 5}


def test_every_field_is_documented() -> None:
    documentation = Recipe.__doc__ or ""
    for field in dataclasses.fields(Recipe):
        assert f"\n        {field.name}: " in documentation


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_initialisations_are_those_of_networks(name: str) -> None:
    initialise(build(convolutional([4, 4, 1], 2, width=2, depth=1)), name, torch_generator(0))


def test_the_recipe_file_imports_no_torch() -> None:
    tree = ast.parse(Path(recipe.__file__).read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    ]
    assert not [name for name in modules if name and "torch" in name]
    assert [name for name in modules if name and "gengap" in name] == [
        "gengap.errors",
        "gengap.names",
    ]


def test_the_defaults_are_those_that_the_config_documents(root: Path) -> None:
    schema = yaml.safe_load((root / "workflow" / "schemas" / "config.schema.yaml").read_text())
    stated = schema["$defs"]["training"]["properties"]
    fields = {field.name: field.default for field in dataclasses.fields(Recipe)}
    assert stated.pop(TOGETHER)["default"] is False
    assert set(stated) == set(fields) - {"seed"}
    assert set(TOGETHER_KEYS) < set(fields)
    for name, entry in stated.items():
        default = entry["default"]
        assert (tuple(default) if isinstance(default, list) else default) == fields[name], name
