"""Registries of training have the names that planning knows, and the config's schema the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gengap import names
from gengap.seeding import torch_generator
from gengap.training import Recipe
from gengap.training.augmentation import augment
from gengap.training.losses import LOSSES
from gengap.training.optimisers import KINDS, Schedule, optimiser


@pytest.fixture(scope="module")
def stated(root: Path) -> dict[str, Any]:
    text = (root / "workflow" / "schemas" / "config.schema.yaml").read_text()
    properties: dict[str, Any] = yaml.safe_load(text)["$defs"]["training"]["properties"]
    return properties


def test_registries_have_the_known_names() -> None:
    assert tuple(LOSSES) == names.LOSSES
    assert tuple(KINDS) == names.OPTIMISERS


@pytest.mark.parametrize("name", names.SCHEDULES)
def test_every_known_schedule_lowers_the_rate(name: str) -> None:
    schedule: dict[str, Any] = {
        "name": name,
        **{k: 1 for k in names.SCHEDULES[name] if k in ("every", "patience")},
    }
    if name == "multistep":
        schedule["milestones"] = [2]
    recipe = Recipe(schedule=schedule, epochs=4)
    steps = optimiser([torch.zeros(1, requires_grad=True)], recipe)
    made = Schedule(steps, recipe)
    for _ in range(4):
        torch.autograd.backward(torch.zeros(1, requires_grad=True))
        steps.step()
        made.end_of_epoch(1.0)
    assert steps.param_groups[0]["lr"] < recipe.learning_rate


@pytest.mark.parametrize("name", names.AUGMENTATIONS)
def test_every_known_augmentation_changes_images(name: str) -> None:
    images = torch.rand(8, 6, 6, 1, generator=torch_generator(0))
    assert not torch.equal(augment(images, [name], torch_generator(1)), images)


def test_the_schema_names_the_same_choices(stated: dict[str, Any]) -> None:
    assert tuple(stated["loss"]["enum"]) == names.LOSSES
    assert tuple(stated["optimiser"]["enum"]) == names.OPTIMISERS
    assert tuple(stated["initialisation"]["enum"]) == names.INITIALISATIONS
    assert tuple(stated["augmentation"]["items"]["enum"]) == names.AUGMENTATIONS
    schedule = stated["schedule"]["properties"]
    assert tuple(schedule["name"]["enum"]) == tuple(names.SCHEDULES)
    of_schedules = {key for keywords in names.SCHEDULES.values() for key in keywords}
    assert set(schedule) == {"name"} | of_schedules


def test_linear_and_cyclic_rates_epoch_by_epoch() -> None:
    """By hand: equal steps to 0; and up to the peak at 0.4 of five epochs, then down."""
    rates: dict[str, list[float]] = {}
    for name in ("linear", "cyclic"):
        recipe = Recipe(schedule={"name": name}, epochs=5, learning_rate=1.0)
        steps = optimiser([torch.zeros(1, requires_grad=True)], recipe)
        made = Schedule(steps, recipe)
        rates[name] = []
        for _ in range(5):
            rates[name].append(steps.param_groups[0]["lr"])
            steps.step()
            made.end_of_epoch(1.0)
    assert rates["linear"] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])
    assert rates["cyclic"] == pytest.approx([1 / 4, 3 / 4, 5 / 6, 1 / 2, 1 / 6])
