"""The runs of an experiment by the points of its grid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gengap.studies.corneanu2020.experiments.law import name_of
from gengap.studies.outcomes import RunT, group_runs, setting, varying_settings


def by_point(runs: Sequence[RunT], *together: str) -> dict[str, list[RunT]]:
    """Return the runs by the settings in which they differ, seeds of one point together.

    Args:
        runs: of one experiment.
        together: settings that do not part the runs.

    Returns:
        The runs by a label such as ``lenet, inputs 300``, in the order of their first runs; a
        single, empty label where nothing differs.
    """
    names = [name for name in varying_settings(runs) if name not in together]
    points = group_runs(
        runs, lambda run: tuple(repr(setting(run.settings, name)) for name in names)
    )
    labelled: dict[str, list[RunT]] = {}
    for group in points.values():
        parts = [_label(name, setting(group[0].settings, name)) for name in names]
        label = ", ".join(parts)
        while label in labelled:
            label += " (other)"
        labelled[label] = group
    return labelled


def file_name(figure: str, label: str) -> str:
    """Return the name of a figure of one point of the grid, such as ``betti_1_lenet``."""
    return "_".join([figure, *re.findall(r"[a-z0-9]+", label.lower())])


def dataset_label(dataset: Mapping[str, Any]) -> str:
    """Return a dataset's name, with its number of groups of labels where it has some."""
    groups = dataset.get("groups")
    return f"{dataset['name']} in {len(groups)} groups" if groups else str(dataset["name"])


def _label(name: str, value: Any) -> str:
    if name == "network":
        return name_of(value)
    if name == "dataset":
        size = value.get("train_size")
        return dataset_label(value) + (f" ({size})" if size else "")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return f"{name.replace('_', ' ')} {value}"
