"""What is predicted from what, and whether it can be, before anything is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.limits import LEAST_REFERENCE
from gengap.names import PGDL_DATA, REFERENCE_SUFFIX
from gengap.planning.references import recipe_of
from gengap.planning.settings import Settings
from gengap.planning.tasks import TaskPlan


def check_predictions(run: Settings, tasks: Mapping[str, TaskPlan]) -> None:
    """Refuse predictions that cannot be made.

    Args:
        run: settings with ``predictions``.
        tasks: the plans of their tasks, by the names that these settings give them.

    Raises:
        GengapError: the fault, by the name of its task or file.
    """
    predicted = [entry["task"] for entry in run["predictions"]]
    for entry in run["predictions"]:
        name, reference = entry["task"], entry["reference"]
        if name not in tasks:
            raise GengapError(
                f"'predictions' names the task '{name}': choose among {', '.join(tasks)}."
            )
        if predicted.count(name) > 1:
            raise GengapError(
                f"'predictions' names the task '{name}' twice: keep one, since a task is predicted "
                "from one reference."
            )
        if reference == name:
            raise GengapError(
                f"The task '{name}' of 'predictions' is predicted by itself: name another task as "
                "its reference, or leave it out."
            )
        if reference in tasks:
            _check_task(tasks[name], tasks[reference])
        elif reference.endswith(REFERENCE_SUFFIX):
            check_recipe(tasks[name], recipe_of(Path(reference)), reference)
        else:
            raise GengapError(
                f"'predictions' gives '{name}' the reference '{reference}', which is no task of "
                f"this config: choose among {', '.join(tasks)}, or give a file "
                f"{REFERENCE_SUFFIX} that 'gengap reference' wrote."
            )


def _check_task(task: TaskPlan, reference: TaskPlan) -> None:
    own, other = task.own["name"], reference.own["name"]
    if not reference.has_gaps:
        raise GengapError(
            f"'{own}' is to be predicted from '{other}', whose gaps are not known, since it has "
            "no test data: name a reference that has."
        )
    if reference.count < LEAST_REFERENCE:
        raise GengapError(
            f"'{own}' is to be predicted from '{other}', which has {reference.count} networks, but "
            f"a reference needs at least {LEAST_REFERENCE}: add values to its grid, or replicates."
        )
    data = [PGDL_DATA.get(one.own.get("pgdl", {}).get("task", "")) for one in (task, reference)]
    if None not in data and data[0] != data[1]:
        raise GengapError(
            f"'{own}' ({data[0]}) is to be predicted from '{other}' ({data[1]}), a PGDL task of "
            "other data, so all its networks would be declined: name a reference on its data."
        )


def check_recipe(task: TaskPlan, recipe: Mapping[str, Any], path: str) -> None:
    """Refuse a task whose measures would not be computed like those of a reference file.

    Args:
        task: the task to predict.
        recipe: see :func:`gengap.planning.references.recipe_of`.
        path: the file.

    Raises:
        GengapError: what differs, and what to set.
    """
    origin = f"'{task.own['name']}' is to be predicted from {path}"
    lacking = [family for family in recipe["used"] if family not in task.families]
    if lacking:
        raise GengapError(
            f"{origin}, which needs the families {', '.join(recipe['used'])}: add "
            f"{', '.join(lacking)} to 'families'."
        )
    own = task.recipe
    for key in ("seed", "slow", "activations", "topology"):
        if recipe[key] != own[key] and not (key == "slow" and own[key]):
            raise GengapError(
                f"{origin}, whose measures were computed with {key}: {json.dumps(recipe[key])}: "
                f"set '{key}' so in the config, which has {json.dumps(own[key])}."
            )
