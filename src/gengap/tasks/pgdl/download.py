"""Fetching of a task: from a server by byte ranges, from a local archive, or already unpacked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gengap.errors import GengapError
from gengap.files import writing
from gengap.pgdl_layout import MODEL_FILES, PARTS, REFERENCE, locate, missing_shard
from gengap.tasks.pgdl.archives import Member, read_members
from gengap.tasks.pgdl.published import BASE_URL
from gengap.tasks.pgdl.reference import Reference, read_reference
from gengap.tasks.pgdl.remote import RetryPolicy
from gengap.tasks.pgdl.sources import Archive, archive_in, is_url, open_archive


@dataclass(frozen=True)
class Receipt:
    """What was received, and from where.

    Attributes:
        task: the task's name.
        tree: the folder in which :func:`gengap.tasks.pgdl.locate` finds it.
        source: URL or path of the archive, or the folder that was there already.
        size: the archive's bytes; None without an archive.
        etag, md5: what the server states of it; "" if nothing.
        files: the task's files, relative to ``tree``.
    """

    task: str
    tree: str
    source: str
    size: int | None
    etag: str
    md5: str
    files: list[str]

    def write(self, path: str | Path) -> None:
        """Write as JSON."""
        with writing(path) as part:
            part.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> Receipt:
        """Read what :meth:`write` wrote.

        Raises:
            GengapError: the file is missing or broken.
        """
        try:
            return cls(**json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise GengapError(f"{path} is not the receipt of a download: run it again.") from error


def download(
    task: str,
    folder: str | Path,
    *,
    source: str | Path = BASE_URL,
    networks: Sequence[int] | None = None,
    checksum: str | None = None,
    patience: RetryPolicy | None = None,
    accept: Callable[[Reference], object] = lambda reference: None,
) -> Receipt:
    """Have the files of a task: its data, its reference file and the networks asked for.

    Files that are there already, with the size and CRC-32 of the archive's directory, are not
    fetched again; one that was broken off is continued.

    Args:
        task: the task's name, e.g. "task1_v4".
        folder: where ``input_data`` and ``reference_data`` are made.
        source: base URL of the published archives, URL of one archive, a local archive, a folder
            of local archives, or a folder in which the task lies unpacked (nothing is copied).
        networks: positions of the networks (numeric order of their ids); None for all.
        checksum: the archive's ETag or MD5 as the server states it, or the MD5 or SHA-256 of a
            local archive, hexadecimal; None to record only what is received.
        patience: with the server.
        accept: called with the reference file's content before the rest is fetched; what it raises
            ends the download.

    Raises:
        GengapError: source, archive, member or disk fails (the message says which and what to
            do); nothing half-written is left under a final name.
    """
    source = str(source)
    if not is_url(source) and Path(source).is_dir() and not archive_in(source, task).is_file():
        return _unpacked(task, source, networks, accept)
    folder = Path(folder)
    archive = open_archive(source, task, checksum, patience or RetryPolicy())
    members = _members_of(task, archive)
    reference_name = f"reference_data/{task}/{REFERENCE}"
    archive.fetch([_wanted(members, reference_name, archive)], folder)
    reference = read_reference(folder / reference_name, task)
    accept(reference)
    positions = range(len(reference.networks)) if networks is None else networks
    wanted = [
        f"input_data/{task}/model_{reference.id_at(position)}/{name}"
        for position in positions
        for name in MODEL_FILES
    ]
    wanted += _shard_names(members, task, archive)
    archive.fetch([_wanted(members, name, archive) for name in wanted], folder)
    return Receipt(
        task=task,
        tree=str(folder),
        source=archive.name,
        size=archive.size,
        etag=archive.etag,
        md5=archive.md5,
        files=[reference_name, *wanted],
    )


def _members_of(task: str, archive: Archive) -> dict[str, Member]:
    """The task's members of an archive, by their names below any one folder around the tree."""
    pattern = re.compile(
        rf"(?:[^/]+/)?((?:input_data|reference_data)/{re.escape(task)}/.+)", re.DOTALL
    )
    found: dict[str, Member] = {}
    with archive.directory() as file:
        members = read_members(file, archive.name)
    for member in members:
        if match := pattern.fullmatch(member.name):
            if match[1] in found:
                raise GengapError(f"{archive.name} holds {match[1]} twice: give another source.")
            found[match[1]] = member
    if not found:
        raise GengapError(
            f"{archive.name} holds no input_data/{task}: give the archive that holds the task."
        )
    return found


def _wanted(members: dict[str, Member], name: str, archive: Archive) -> tuple[str, Member]:
    if name not in members:
        raise GengapError(f"{archive.name} holds no {name}: give another source.")
    return name, members[name]


def _shard_names(members: dict[str, Member], task: str, archive: Archive) -> list[str]:
    names: list[str] = []
    for part in PARTS:
        pattern = re.compile(
            rf"input_data/{re.escape(task)}/dataset_1/{part}/shard_(\d+)\.tfrecord"
        )
        numbers = {int(match[1]): name for name in members if (match := pattern.fullmatch(name))}
        missing = missing_shard(numbers)
        if missing is not None:
            raise GengapError(
                f"{archive.name} holds no "
                f"input_data/{task}/dataset_1/{part}/shard_{missing}.tfrecord: give another source."
            )
        names += [numbers[number] for number in sorted(numbers)]
    return names


def _unpacked(
    task: str,
    folder: str,
    networks: Sequence[int] | None,
    accept: Callable[[Reference], object],
) -> Receipt:
    """A receipt for files that are there already; says which one is not."""
    tree = locate(folder, task)
    reference = read_reference(tree.reference, task)
    accept(reference)
    positions = range(len(reference.networks)) if networks is None else networks
    files = [
        tree.model(reference.id_at(position)) / name
        for position in positions
        for name in MODEL_FILES
    ]
    for path in files:
        if not path.is_file():
            raise GengapError(f"{path} is missing: download the task again.")
    files = [tree.reference, *files, *(shard for part in PARTS for shard in tree.shards(part))]
    return Receipt(
        task=task,
        tree=folder,
        source=folder,
        size=None,
        etag="",
        md5="",
        files=[str(path.relative_to(folder)) for path in files],
    )
