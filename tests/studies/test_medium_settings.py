"""The settings whose runs judge: seeds of their own, as many as decide, and every claim's runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gengap import datasets
from gengap.planning.plan import Plan
from gengap.seeding import derive

STUDIES = ("corneanu2020", "maddox2020", "ortizjimenez2021", "sabanayagam2023")

DECIDING = {
    "corneanu2020": {"law_images": 22, "law_vectors": 22},
    "ortizjimenez2021": {"torch_initialisation": 5},
    "sabanayagam2023": {"complexity": 11, "images": 8},
}
"""Seeds that would decide at the effects that the small settings showed."""

WITHOUT_CLAIM = {"intro"}


def settings(root: Path, study: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((root / "studies" / f"{study}.yaml").read_text())
    return content


def seeds(study: str, setting: dict[str, Any]) -> set[int]:
    """The seeds of all runs, as the workflow derives them."""
    most = max(entry["seeds"] for entry in setting["experiments"])
    return {derive(setting["seed"], study, place) for place in range(most)}


@pytest.mark.parametrize("study", STUDIES)
def test_no_seed_of_medium_is_one_of_another_setting(root: Path, study: str) -> None:
    content = settings(root, study)
    of_medium = seeds(study, content["medium"])
    assert not of_medium & (seeds(study, content["small"]) | seeds(study, content["paper"]))


@pytest.mark.parametrize("study", STUDIES)
def test_medium_has_the_runs_behind_every_claim_of_small(root: Path, study: str) -> None:
    content = settings(root, study)
    medium = {entry["name"]: entry for entry in content["medium"]["experiments"]}
    for entry in content["small"]["experiments"]:
        if entry["name"] in WITHOUT_CLAIM:
            continue
        judging = medium[entry["name"]]
        assert judging["settings"] == entry["settings"]
        assert judging.get("grid", {}) == entry.get("grid", {})
        assert judging["seeds"] > max(entry["seeds"], DECIDING.get(study, {}).get(entry["name"], 0))


def named_datasets(content: Any) -> Iterator[dict[str, Any]]:
    """Every dataset that a part of a setting names."""
    if isinstance(content, list):
        for each in content:
            yield from named_datasets(each)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key in ("dataset", "noisy"):
                yield from value if isinstance(value, list) else [value]
            else:
                yield from named_datasets(value)


@pytest.mark.slow
@pytest.mark.parametrize("study", [*STUDIES, "ballester2023"])
def test_a_part_of_cifar10_is_enough_for_medium(
    root: Path, shared: Callable[[str], Path], study: str
) -> None:
    """One of the five training batches, and a thousand test images."""
    folder = shared("data")
    named = {repr(each): each for each in named_datasets(settings(root, study)["medium"])}
    assert named
    for dataset in named.values():
        loaded = datasets.load(**dataset, data_dir=folder)
        assert len(loaded.train.labels) == dataset.get("train_size", len(loaded.train.labels))
        assert len(loaded.test.labels) == dataset.get("test_size", len(loaded.test.labels))


def test_all_networks_that_the_setting_asks_for_are_kept(root: Path) -> None:
    config = yaml.safe_load((root / "config.yaml").read_text())
    plan = Plan(root, {**config, "setting": "medium"})
    for zoo, networks in ("vgg", 96), ("nin", 54):
        tasks = [plan.task(f"ballester2023/{zoo}{neurons}") for neurons in ("", "_500", "_1000")]
        kept = {path.name for task in tasks for path in task.kept.values()}
        assert len(kept) == 3 * networks
        folder = root / "studies" / "medium" / "ballester2023" / zoo
        assert kept == {path.name for path in folder.iterdir()}
