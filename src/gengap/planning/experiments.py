"""The experiments of a study: their runs, and what of their settings can be known beforehand."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.names import OFFICIAL_DATASETS
from gengap.planning.grid import grid_points
from gengap.planning.networks import RECIPES, check_loss, check_nested
from gengap.planning.settings import Settings


@dataclass(frozen=True)
class ExperimentPlan:
    """One experiment of a study, with one job for each grid point and seed.

    Attributes:
        study: the study's name, which is that of its package in :mod:`gengap.studies`.
        entry: the experiment's entry in the study's settings.
    """

    study: str
    entry: Settings

    @property
    def name(self) -> str:
        """Name of the experiment, and of its folder under the study's results."""
        name: str = self.entry["name"]
        return name

    @property
    def module(self) -> str:
        """Name of the experiment's module in the study's package."""
        module: str = self.entry["experiment"] or self.entry["name"]
        return module

    @property
    def module_path(self) -> str:
        """The experiment's module, in full."""
        return f"gengap.studies.{self.study}.experiments.{self.module}"

    @cached_property
    def runs(self) -> list[tuple[int, Settings]]:
        """The place of each run among the seeds of its grid point, and its keywords."""
        points = grid_points(self.entry["grid"], self.entry["seeds"])
        shared: Mapping[str, Any] = self.entry["settings"]
        return [(point.pop("replicate"), {**shared, **point}) for point in points]

    @property
    def files(self) -> list[str]:
        """The outcomes of the runs."""
        return [f"results/{self.study}/runs/{self.name}/{run}.npz" for run in range(len(self.runs))]

    def official_data(self, number: int) -> list[str]:
        """Return the names of the official datasets that a run reads."""
        datasets = [value for value in self.run(number)[1].values() if isinstance(value, dict)]
        return sorted({data["name"] for data in datasets if data.get("name") in OFFICIAL_DATASETS})

    def run(self, number: int) -> tuple[int, Settings]:
        """Return the place of one run among the seeds of its grid point, and its keywords.

        Raises:
            GengapError: the experiment has no such run.
        """
        if number not in range(len(self.runs)):
            raise GengapError(
                f"The experiment {self.name} of {self.study} has runs 0 to {len(self.runs) - 1}, "
                f"not {number}."
            )
        return self.runs[number]


YAML_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "int": ("an integer", (int,)),
    "float": ("a number", (int, float)),
    "bool": ("true or false", (bool,)),
    "str": ("a text", (str,)),
    "None": ("null", (type(None),)),
    "Sequence": ("a list", (list,)),
    "Mapping": ("a mapping", (dict,)),
    "NetworkSettings": ("a mapping", (dict,)),
    "TrainingSettings": ("a mapping", (dict,)),
}
"""What a setting may be in YAML, in words and in Python, by its annotation."""


def check_experiments(root: Path, study: str, settings: Settings, origin: str) -> None:
    """Refuse a study of experiments with a fault that can be known before anything is run.

    Args:
        root: the folder that holds ``src/`` and ``workflow/schemas/``.
        study: the study's name.
        settings: its validated settings.
        origin: where they stand, the beginning of a sentence.

    Raises:
        GengapError: the fault, by the name of the experiment and the key.
    """
    names = [entry["name"] for entry in settings["experiments"]]
    if len(set(names)) < len(names):
        raise GengapError(
            f"The experiments {names} of {study} do not all differ in name: rename one."
        )
    folder = root / "src" / "gengap" / "studies" / study / "experiments"
    schema = root / "workflow" / "schemas" / "config.schema.yaml"
    for entry in settings["experiments"]:
        plan = ExperimentPlan(study, entry)
        where = f"{origin}, experiment {plan.name}"
        if not (folder / f"{plan.module}.py").is_file():
            raise GengapError(
                f"{origin} names the experiment '{plan.module}': choose a module of {folder}."
            )
        try:
            _ = plan.runs
        except GengapError as error:
            raise GengapError(f"{where}: {error}") from None
        fields = settings_fields(folder / f"{plan.module}.py")
        _check_keys(entry, fields, where)
        for _, keywords in plan.runs:
            for key, value in keywords.items():
                _check_type(value, key, fields[key].annotation, where)
            recipes = (keywords, *(keywords.get(key, {}) for key in RECIPES))
            for network, recipe in itertools.product(_networks(keywords), recipes):
                check_loss(network, recipe.get("loss"), where)
        for key, value in [*entry["settings"].items(), *entry["grid"].items()]:
            if "Mapping[" in fields[key].annotation:
                check_nested(value, key, schema, where)


@dataclass(frozen=True)
class Field:
    """A setting of an experiment.

    Attributes:
        annotation: its type, as it is written.
        default: its default, as it is written; None where it must be set.
    """

    annotation: str
    default: str | None


@cache
def settings_fields(path: Path) -> dict[str, Field]:
    """Return the settings of an experiment, read from its source without importing it.

    Args:
        path: of the module, with a dataclass ``Settings``.

    Returns:
        The fields of the dataclass, by name.
    """
    body = ast.parse(path.read_text(encoding="utf-8")).body
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    return {
        node.target.id: Field(
            ast.unparse(node.annotation), ast.unparse(node.value) if node.value else None
        )
        for node in classes["Settings"].body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _check_keys(entry: Settings, fields: Mapping[str, Field], where: str) -> None:
    given = {**entry["settings"], **entry["grid"]}
    for key in given:
        if key not in fields:
            raise GengapError(f"{where} has no setting '{key}': choose among {', '.join(fields)}.")
    for key, field in fields.items():
        if field.default is None and key not in given:
            raise GengapError(f"{where} needs '{key}': set it.")


def _check_type(value: Any, key: str, annotation: str, where: str) -> None:
    """Refuse a value of another type than its field; of types that are not in YAML nothing is said.

    Raises:
        GengapError: the type is wrong.
    """
    names = [name.partition("[")[0] for name in annotation.split(" | ")]
    if set(names) <= set(YAML_TYPES) and not any(_is_a(value, name) for name in names):
        words = " or ".join(YAML_TYPES[name][0] for name in names)
        raise GengapError(f"{where} sets '{key}' to {value!r}: give {words}.")


def _is_a(value: Any, name: str) -> bool:
    types = YAML_TYPES[name][1]
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _networks(keywords: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = keywords.get("networks", [])
    return [keywords.get("network", {}), *(listed if isinstance(listed, list) else [])]
