"""The families of measures that a config names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gengap.errors import GengapError
from gengap.names import COMPARING_FAMILIES, FAMILIES, RESERVED_FAMILIES
from gengap.planning.sources import code_version


def families(named: Sequence[str] | str) -> dict[str, str]:
    """Return the families that a config names.

    Args:
        named: ``all``, or names from :data:`gengap.names.FAMILIES` and paths of Python files with
            measures.

    Returns:
        The entries, by the family's name (for a file: its name without ``.py``).

    Raises:
        GengapError: an entry is neither a family of the library nor a file that exists, two
            entries have one name, or a file's name is no name of a family or one of the
            evaluation's own (:data:`gengap.names.RESERVED_FAMILIES`).
    """
    chosen: dict[str, str] = {}
    for entry in FAMILIES if named == "all" else named:
        name = Path(entry).stem if entry.endswith(".py") else entry
        if name in chosen or (name != entry and name in FAMILIES):
            raise GengapError(f"'families' names '{name}' twice: rename one of them.")
        family_source(entry)
        if not re.fullmatch(r"\w+", name):
            raise GengapError(
                f"'families' names the file {entry}, whose name becomes that of a folder: give it "
                "a name of letters, digits and underscores."
            )
        if name in RESERVED_FAMILIES:
            raise GengapError(
                f"'families' names the file {entry}, but '{name}' is a row of the leaderboard by "
                "itself: rename the file."
            )
        chosen[name] = entry
    return chosen


def families_code(chosen: Mapping[str, str]) -> str:
    """Return a digest of the code that computes families of measures.

    Args:
        chosen: the entries of the families, by name.

    Returns:
        Sixteen hexadecimal digits.
    """
    return code_version("gengap.measures.recipe", *map(family_source, chosen.values()))


def family_source(entry: str) -> str:
    """Return the module of a family of the library, or the path of a user's own.

    Raises:
        GengapError: neither a family of the library nor a Python file that exists.
    """
    if entry in FAMILIES:
        return FAMILIES[entry]
    if not entry.endswith(".py") or not Path(entry).is_file():
        raise GengapError(
            f"Unknown family of measures '{entry}' in 'families': choose from "
            f"{', '.join(FAMILIES)}, or give the path of a Python file with measures."
        )
    return entry


def compares(entry: str) -> bool:
    """Tell whether the measures of a family may need siblings or unlabelled inputs.

    Args:
        entry: how the settings name the family.

    Returns:
        True also for a family of a user's own, of which nothing is known.
    """
    return entry in COMPARING_FAMILIES or entry not in FAMILIES
