"""What happens before the first job: the last faults are found, and the folders are prepared."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Collection, Iterable, Set
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
PGDL_SCRIPTS = {"export", "import_dataset", "import_networks"}


def prepare(plan: Plan, jobs: Iterable[tuple[str, Any]], *, needs_packages: bool) -> None:
    """Do what is to be done before the first job.

    Args:
        plan: of the run.
        jobs: the name of the script and the wildcards of every job of the run.
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
        require_pgdl_packages({script for script, _ in jobs})
    arrange_networks(results, _tasks_with(plan, jobs, "train"))
    remove_outdated_shards(results, _tasks_with(plan, jobs, "measures"))


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


def require_pgdl_packages(scripts: Collection[str]) -> None:
    """Stop where PGDL's files are to be read or written, and cannot be.

    Args:
        scripts: names of the scripts that this run executes.

    Raises:
        GengapError: a package is missing.
    """
    missing = [name for name in PGDL_PACKAGES if find_spec(name) is None]
    if missing and any(script in PGDL_SCRIPTS for script in scripts):
        raise GengapError(
            f"PGDL's files cannot be read or written without {' and '.join(missing)}: "
            "install it by 'make pgdl', or add --sdm conda."
        )


def arrange_networks(results: Path, tasks: Iterable[TaskPlan]) -> None:
    """Move the networks of zoos whose grid has changed to their new positions.

    A network's folder is named by its position, and a grid that grows shifts positions. The folder
    of a network that is still in the plan is moved to where the plan has it, so that it need not be
    trained again. Networks that are no longer in the plan are kept under ``networks/unused``.

    Before a network moves, ``task.json`` and the receipts that name its position are removed. If
    the run is killed, or the config is changed back, the next run then makes them again; none of
    them ever describes another network's files.

    Args:
        results: the folder of results.
        tasks: the zoos of this run.
    """
    for task in tasks:
        folder = results / task.name / "networks"
        unused = folder / "unused"
        identities = {path: _identity(path) for path in folder.glob("*") if path != unused}
        if not identities and not unused.is_dir():
            continue
        planned = {
            folder / str(network): entry["identity"]
            for shard in task.shards
            for network, entry in zip(task.networks(shard), task.shard_entries(shard), strict=True)
        }
        # A folder without a sound receipt stays where it is, to be made anew.
        misplaced = {
            path: name
            for path, name in identities.items()
            if name is not None and planned.get(path) != name
        }
        if misplaced:
            _remove_descriptions(results / task.name, {path.name for path in misplaced})
            unused.mkdir(exist_ok=True)
            log.info("%s: the grid has changed; networks were moved to their positions", task.name)
        for path, name in misplaced.items():
            if not (unused / name).exists():
                path.rename(unused / name)
        for target, name in planned.items():
            kept = unused / name
            if kept.exists() and _identity(target) is None:
                shutil.rmtree(target, ignore_errors=True)
                kept.rename(target)


def remove_outdated_shards(results: Path, tasks: Iterable[TaskPlan]) -> None:
    """Remove the files of shards that the plan lacks, if other shards have their networks now.

    With more networks in each job, a task has fewer shards. What is left of the others would stand
    beside the new files of the same networks. The shards of networks that have left the plan stay,
    since they are right again once the networks come back.

    Args:
        results: the folder of results.
        tasks: those whose measures this run gathers, so that it makes all their shards.
    """
    for task in tasks:
        folder = results / task.name
        for receipt, networks in _receipts(folder).items():
            planned = (int(network) for network in networks if int(network) < task.count)
            # Those of networks that were kept since are still right.
            superseded = not networks or any(network not in task.kept for network in planned)
            if int(receipt.stem) in task.shards or not superseded:
                continue
            for parent in ("topology/*", "measures/*", "measures", "shards"):
                # The receipt goes last: a killed run leaves it to the next.
                for path in sorted(folder.glob(f"{parent}/{receipt.stem}.*")):
                    path.unlink()


def _tasks_with(plan: Plan, jobs: Iterable[tuple[str, Any]], script: str) -> list[TaskPlan]:
    names = {wildcards.task for name, wildcards in jobs if name == script}
    return [plan.task(name) for name in sorted(names)]


def _remove_descriptions(folder: Path, networks: Set[str]) -> None:
    """Remove what describes networks by their positions: ``task.json`` and receipts of shards."""
    (folder / "task.json").unlink(missing_ok=True)
    for receipt, listed in _receipts(folder).items():
        if not networks.isdisjoint(listed):
            receipt.unlink()


def _receipts(folder: Path) -> dict[Path, set[str]]:
    """Return the receipts of a task's shards, each with the networks that it lists."""
    paths = [path for path in folder.glob("shards/*.json") if path.stem.isdigit()]
    return {path: set(_read(path).get("networks", {})) for path in paths}


def _identity(folder: Path) -> str | None:
    identity = _read(folder / NETWORK_RECEIPT).get("identity")
    return None if identity is None else str(identity)


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON object; an empty one where the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
