"""Networks of an exported zoo that were measured before, found again by what they were made from.

A folder of the project keeps a file for each network whose measures took hours. Its name is a
digest of all that the plan says of the network: hyper-parameters, data and settings. So the file of
other settings is never taken for it. The library's code is no part of the digest: whoever changes
what a measure computes must delete the files. Each file tells the code that it was made by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gengap.errors import GengapError
from gengap.names import FAMILIES
from gengap.planning.datasets import data_version
from gengap.planning.grid import canonical_point
from gengap.planning.settings import Settings

if TYPE_CHECKING:
    from gengap.planning.tasks import TaskPlan

FORMAT = 1
"""Number of the files' format; another one makes all of them stale."""

SETTINGS = ("seed", "activations", "slow")
"""Settings of a run that measures depend on, besides its families and its topology."""

DIGITS = 24
"""Hexadecimal digits of the digest in the name of a file."""


def measured_from(zoo: TaskPlan, task: TaskPlan, network: int) -> Settings:
    """Return everything in the plan that the measures of a network follow from.

    Args:
        zoo: the zoo that trains the network.
        task: the import that measures it.
        network: its position in both.
    """
    entry = zoo.marked(zoo.entries[network])
    labels = zoo.own["zoo"]["test_labels"]
    return {
        "format": FORMAT,
        "task": task.stream,
        "dataset": zoo.dataset,
        "files": data_version(zoo.dataset),
        **{part: canonical_point(entry[part]) for part in ("point", "network", "training")},
        **{name: task.run[name] for name in SETTINGS},
        # All engines give the same diagrams.
        "topology": {name: task.run["topology"][name] for name in ("max_dim", "threshold")},
        "families": sorted(task.families),
        "recompute": task.own["pgdl"]["recompute"],
        # Only what is no default, so that files have the names that they had before.
        **({} if labels == "clean" else {"test_labels": labels}),
    }


def kept_file(made_from: Mapping[str, Any]) -> str:
    """Return the name of the file of a network that was measured from this."""
    text = json.dumps(made_from, sort_keys=True)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}.json.xz"


def check_kept(task: TaskPlan) -> None:
    """Refuse to keep networks of which the plan does not tell all that their measures follow from.

    Args:
        task: an import of an exported task.

    Raises:
        GengapError: the task is none of a study, whose sources are not evaluated; what is exported
            is no zoo; or a family of measures is a user's own.
    """
    pgdl, origin = task.own["pgdl"], f"'kept' of task '{task.own['name']}'"
    if not pgdl["kept"]:
        return
    exported = [own for own in task.run["tasks"] if own["name"] == pgdl.get("exported")]
    if "/" not in task.name or not any("zoo" in own for own in exported):
        raise GengapError(
            f"{origin} names a folder of networks that were measured before, which only an import "
            "of a zoo of the same study can have: leave it out."
        )
    for entry in task.families.values():
        if entry not in FAMILIES:
            raise GengapError(
                f"{origin} cannot be combined with the family {entry}, since nobody knows by what "
                "code its kept values were computed: leave out one of the two."
            )
