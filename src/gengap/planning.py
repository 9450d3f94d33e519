"""What will be run, known before anything is run: standard library only.

The Snakefile calls this module each time it is read, also inside every job, so it stays cheap and
imports none of the rooms.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.names import FAMILIES, STAGED_FAMILY

__all__ = ["FAMILIES", "STAGED_FAMILY"]

LIBRARY = Path(__file__).parent
IMPORT = re.compile(
    r"^\s*(?:from\s+(gengap[\w.]*)\s+import\s+(\([^)]*\)|.+)|import\s+(gengap[\w.]*))", re.M
)


# Of a run of an experiment, besides its kernels or graphs; and the budget that is assumed for one.
BASE_MEGABYTES = 3000
DEFAULT_GIB = 2

# Fewer networks leave fewer than four in the training half of a fold of the cross-validation.
LEAST_NETWORKS = 8

# How many networks each published task of PGDL has (Jiang et al. 2020, arXiv:2012.07976): its jobs
# are planned before the first of its files is there.
PGDL_NETWORKS = {
    "task1_v4": 96,
    "task2_v1": 54,
    "task4": 96,
    "task5": 64,
    "task6": 96,
    "task7": 48,
    "task8": 64,
    "task9": 32,
}


def families(named: Sequence[str] | str) -> dict[str, str]:
    """The families that a config names.

    Args:
        named: ``all``, or names from :data:`FAMILIES` and paths of Python files with measures.

    Returns:
        The entries, by the family's name (for a file: its name without ``.py``).

    Raises:
        GengapError: neither a family of the library nor a file that exists, or one named twice.
    """
    chosen: dict[str, str] = {}
    for entry in FAMILIES if named == "all" else named:
        name = Path(entry).stem if entry.endswith(".py") else entry
        if name in chosen or (name != entry and name in FAMILIES):
            raise GengapError(f"'families' names '{name}' twice: rename one of them.")
        family_source(entry)
        chosen[name] = entry
    return chosen


def family_source(entry: str) -> str:
    """The module or file of one family.

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


def pgdl_networks(task: str, wanted: int | None) -> int:
    """How many networks are imported from a PGDL task: the wanted ones, or all published ones.

    Raises:
        GengapError: more are wanted than were published, or nothing says how many there are.
    """
    published = PGDL_NETWORKS.get(task)
    if wanted is None and published is None:
        raise GengapError(
            f"'{task}' is none of PGDL's published tasks ({', '.join(PGDL_NETWORKS)}), so the "
            "number of its networks is not known: set 'networks'."
        )
    if wanted is not None and published is not None and wanted > published:
        raise GengapError(
            f"'networks' of {task} is {wanted}, but {published} were published: lower it."
        )
    return wanted or published or 0


def check_roles(task: str, roles: Mapping[str, str | None], grid: Collection[str]) -> None:
    """Refuse a hyper-parameter that a task gives a role to, but does not have.

    Args:
        task: the task's name.
        roles: the hyper-parameter of each role (``correlate_within``, ``rank_within``, ``colour``) or None.
        grid: the hyper-parameters that the task has.

    Raises:
        GengapError: one is not in the grid.
    """
    for role, name in roles.items():
        if name is not None and name not in grid:
            raise GengapError(
                f"'{role}' of task '{task}' is '{name}', which is not in its grid: "
                f"choose one of {', '.join(grid)}, or null."
            )


def grid_points(grid: Mapping[str, Sequence[Any]], replicates: int = 1) -> list[dict[str, Any]]:
    """Every combination of a grid's values, in the order of its keys, the last key fastest.

    Args:
        grid: the values of each hyper-parameter.
        replicates: how many networks each combination gets; they differ by seed alone.

    Returns:
        One mapping a network, ``{hyper-parameter: value, ..., "replicate": r}``: its place in the
        list is the network's position.

    Raises:
        GengapError: a hyper-parameter without values, or with one given twice.
    """
    for name, values in grid.items():
        if not values or len({repr(value) for value in values}) != len(values):
            raise GengapError(
                f"The grid's '{name}' is {list(values)}: give each value once, and at least one."
            )
    return [
        dict(zip(grid, point, strict=True)) | {"replicate": replicate}
        for point in itertools.product(*grid.values())
        for replicate in range(replicates)
    ]


def megabytes_of_run(settings: Mapping[str, Any]) -> int:
    """What one run of a study's experiment may take of memory.

    Args:
        settings: keywords of the experiment; ``memory_gib`` is its budget of each kernel or graph.

    Returns:
        3000 for the libraries, data and networks, and twice the budget, since one kernel is made
        from another. Without a budget 4 GiB: two kernels of 2 or a graph's diagrams of 4, which are
        the experiments' defaults.
    """
    return int(BASE_MEGABYTES + 2 * 1024 * settings.get("memory_gib", DEFAULT_GIB))


def split_grid_point(
    point: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    network_keys: Sequence[str],
    training_keys: Sequence[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The network's and the training's keywords of one grid point.

    Args:
        point: hyper-parameters of one network; ``replicate`` is left out.
        network: keywords that all networks share.
        training: recipe entries that all networks share.
        network_keys: names that may vary in the network.
        training_keys: names that may vary in the recipe.

    Raises:
        GengapError: a hyper-parameter that is neither a network's nor a recipe's.
    """
    unknown = sorted(set(point) - {"replicate", *network_keys, *training_keys})
    if unknown:
        raise GengapError(
            f"The grid names '{unknown[0]}', which is neither a network's keyword "
            f"({', '.join(network_keys)}) nor a training recipe's ({', '.join(training_keys)})."
        )
    of_network = {name: value for name, value in point.items() if name in network_keys}
    of_training = {name: value for name, value in point.items() if name in training_keys}
    return {**network, **of_network}, {**training, **of_training}


def code_version(*sources: Path | str) -> str:
    """A digest of Python sources and of every gengap module that they import, however deep.

    Snakemake does not see library modules; as a parameter of a rule this makes an edit of the
    library rerun exactly the jobs whose script reaches the edited module.

    Args:
        sources: files, or names of gengap's modules where one is reached by name at run time.

    Returns:
        Sixteen hexadecimal digits.
    """
    pending = [
        path
        for source in sources
        for path in ([Path(source)] if _is_file(source) else _module_files(str(source)))
    ]
    seen: set[Path] = set()
    while pending:
        path = pending.pop()
        if path not in seen:
            seen.add(path)
            pending.extend(imported for imported in _imports(path) if imported not in seen)
    digest = hashlib.sha256()
    for path in sorted(seen):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _is_file(source: Path | str) -> bool:
    return isinstance(source, Path) or source.endswith(".py")


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Files of the gengap modules that one file imports."""
    files: list[Path] = []
    for package, names, module in IMPORT.findall(path.read_text(encoding="utf-8")):
        if module:
            files += _module_files(module)
            continue
        files += _module_files(package)
        for name in re.findall(r"\w+", names):
            files += _module_files(f"{package}.{name}")
    return tuple(files)


@cache
def _module_files(module: str) -> tuple[Path, ...]:
    """The file of a gengap module and of each package around it; nothing for other names."""
    parts = module.split(".")[1:]
    files = [LIBRARY.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    files.append(LIBRARY.joinpath(*parts).with_suffix(".py"))
    return tuple(path for path in files if path.is_file())
