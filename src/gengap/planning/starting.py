"""What happens before the first job: the last faults are found, and the folders are prepared."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Collection, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.files import remove_partial_files
from gengap.names import NETWORK_RECEIPT
from gengap.planning.plan import Plan
from gengap.planning.tasks import TaskPlan

log = logging.getLogger(__name__)

PGDL_PACKAGES = ("tensorflow", "h5py")
PGDL_RULES = {"export", "import_dataset", "import_networks"}


def prepare(plan: Plan, jobs: Iterable[tuple[str, Any]], *, needs_packages: bool) -> None:
    """Do what is to be done before the first job.

    Args:
        plan: of the run.
        jobs: the rule and the wildcards of every job of the run.
        needs_packages: whether the jobs run in the environment that runs the workflow.

    Raises:
        GengapError: the results cannot be written, or a package is missing.
    """
    results, jobs = Path("results"), list(jobs)
    require_writable(results)
    removed = remove_partial_files(results)
    if removed:
        log.info("%d unfinished files of an earlier run were removed", removed)
    if needs_packages:
        require_pgdl_packages({rule for rule, _ in jobs})
    zoos = {wildcards.task for rule, wildcards in jobs if rule == "train"}
    arrange_networks(results, [plan.task(name) for name in sorted(zoos)])


def require_writable(folder: Path) -> None:
    """Make the folder of results where it is missing, and stop where nothing can be written.

    Raises:
        GengapError: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise GengapError(
            f"Cannot write to {folder.resolve()} ({error.strerror}): make it writable, or choose "
            "another folder with --directory."
        ) from None


def require_pgdl_packages(rules: Collection[str]) -> None:
    """Stop where PGDL's files are to be read or written, and cannot be.

    Args:
        rules: names of the rules that have jobs in this run.

    Raises:
        GengapError: a package is missing.
    """
    missing = [name for name in PGDL_PACKAGES if find_spec(name) is None]
    if missing and any(rule in PGDL_RULES for rule in rules):
        raise GengapError(
            f"PGDL's files cannot be read or written without {' and '.join(missing)}: "
            "install it by 'make pgdl', or add --sdm conda."
        )


def arrange_networks(results: Path, tasks: Iterable[TaskPlan]) -> None:
    """Move the networks of zoos whose grid has changed to their new positions.

    A network's folder is named by its position, and a grid that grows shifts positions. The folder
    of a network that is still in the plan is moved to where the plan has it, so that it need not be
    trained again. Networks that are no longer in the plan are kept under ``networks/unused``.

    Args:
        results: the folder of results.
        tasks: the zoos of this run.
    """
    for task in tasks:
        folder = results / task.name / "networks"
        found = {path: _identity(path) for path in folder.glob("*") if path.name != "unused"}
        found |= {path: _identity(path) for path in folder.glob("unused/*")}
        if not found:
            continue
        planned = {
            folder / str(network): entry["identity"]
            for shard in task.shards
            for network, entry in zip(task.networks(shard), task.shard_entries(shard), strict=True)
        }
        misplaced = [path for path, name in found.items() if planned.get(path) != name]
        aside = [path for path in misplaced if path.parent == folder]
        for path in aside:
            _set_aside(path, folder / "unused", found[path])
        for target, name in planned.items():
            kept = folder / "unused" / name
            if not target.exists() and kept.exists():
                kept.rename(target)
        if aside:
            log.info("%s: the grid has changed; networks were moved to their positions", task.name)


def _set_aside(path: Path, unused: Path, name: str | None) -> None:
    """Move a network out of the way; one without a sound receipt is left to be made anew."""
    if name is None:
        return
    unused.mkdir(exist_ok=True)
    if not (unused / name).exists():
        path.rename(unused / name)


def _identity(folder: Path) -> str | None:
    try:
        receipt = json.loads((folder / NETWORK_RECEIPT).read_text(encoding="utf-8"))
        return str(receipt["identity"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
