"""Relative paths of a config, each relative to the config file that names it.

Paths are rewritten once, when the config is read: afterwards every relative path is relative to the
working directory, so that whoever opens the file need not know which config named it. They stay
relative, since a project that is moved as a whole must not look like another one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gengap.names import REFERENCE_SUFFIX
from gengap.pgdl_layout import is_url
from gengap.planning.settings import Settings, read_yaml

PATHS: dict[str, tuple[str, ...]] = {
    "": ("data_dir",),
    "checkpoints": ("table",),
    "dataset": ("from", "test"),
    "network": ("factory", "keras"),
    "pgdl": ("source", "kept"),
    "unlabelled": ("from",),
}
"""The keys of a config that are paths, by the key of the mapping that holds them; "" is the top."""

LEFT_ALONE = ("keywords",)
"""Mappings that are handed to a user's function as they are written."""

OWN_FAMILY = ".py"
"""How an entry of ``families`` ends that is a path, not the name of a family."""

_NOWHERE = Path(os.sep, "no", "folder")


def resolved(
    config: Mapping[str, Any],
    files: Sequence[str | Path] = (),
    given: Mapping[str, Any] | None = None,
) -> Settings:
    """Return a config whose relative paths are relative to the working directory.

    Mappings of several files are merged. A list or a single value comes whole from the last file
    that has it, and its paths are relative to the folder of that file. A value that comes from no
    file, as in a config that an outer workflow makes in Python, is left as it is: its paths are
    relative to the working directory already.

    Args:
        config: the merged config, unchecked; it is left as it is.
        files: the config files that were merged, a later one over an earlier one.
        given: what the command line's ``--config`` lays over them; its paths are relative to the
            working directory.

    Returns:
        A new config.

    Raises:
        GengapError: a config file cannot be read.
    """
    if relative_to(_NOWHERE, config) == config:  # it does not matter which file names what
        return dict(config)
    places = [(Path(file).absolute().parent, read_yaml(Path(file))) for file in files]
    return _resolved(config, (), [*places, (Path.cwd(), given or {})])


def relative_to(folder: Path, settings: Mapping[str, Any]) -> Settings:
    """Return settings whose paths were relative to a folder, and now are to the working directory.

    Args:
        folder: of the file that holds the settings.
        settings: tasks and what else a config has.
    """
    moved: Settings = _moved(settings, "", "", folder)
    return moved


def _resolved(
    config: Mapping[str, Any],
    keys: tuple[str, ...],
    places: Sequence[tuple[Path, Mapping[str, Any]]],
) -> Settings:
    """Rewrite each value that is no mapping by the folder of the last place that has it."""
    settings: Settings = {}
    parent = keys[-1] if keys else ""
    for key, value in config.items():
        here = (*keys, key)
        if isinstance(value, Mapping) and key not in LEFT_ALONE:
            settings[key] = _resolved(value, here, places)
        else:
            named = (folder for folder, place in reversed(places) if _at(place, here) == value)
            settings[key] = _moved(value, key, parent, next(named, Path.cwd()))
    return settings


def _at(settings: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        settings = settings.get(key) if isinstance(settings, Mapping) else None
    return settings


def _moved(value: Any, key: str, parent: str, folder: Path) -> Any:
    """Return a value with its paths rewritten; ``parent`` is the key of the mapping around it."""
    if key in LEFT_ALONE:
        return value
    if isinstance(value, Mapping):
        return {name: _moved(entry, name, key, folder) for name, entry in value.items()}
    if isinstance(value, list):
        # The mappings in a list of tasks stand under no key of their own.
        return [
            _moved(entry, "" if isinstance(entry, Mapping) else key, parent, folder)
            for entry in value
        ]
    return os.path.relpath(folder / value) if _is_relative(value, key, parent) else value


def _is_relative(value: Any, key: str, parent: str) -> bool:
    if not isinstance(value, str) or os.path.isabs(value) or is_url(value):
        return False
    if key == "families":
        return value.endswith(OWN_FAMILY)
    if key == "reference":
        return value.endswith(REFERENCE_SUFFIX)
    return key in PATHS.get(parent, ())
