"""Fetching a task: by byte ranges from a server, from a local archive, or in place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gengap.errors import GengapError
from gengap.files import writing
from gengap.pgdl_layout import (
    MODEL_FILES,
    REFERENCE,
    is_unpacked,
    locate,
    missing_shard,
)
from gengap.tasks.pgdl.archives import Member, read_members
from gengap.tasks.pgdl.published import BASE_URL
from gengap.tasks.pgdl.reference import Reference, read_reference
from gengap.tasks.pgdl.remote import RetryPolicy
from gengap.tasks.pgdl.sources import Archive, open_archive


@dataclass(frozen=True)
class Receipt:
    """What was received, and from where.

    Attributes:
        task: the task's name.
        tree: the folder in which :func:`gengap.tasks.pgdl.locate` finds the task.
        source: URL or path of the archive, or the folder of the unpacked task.
        size: bytes of the archive; None without an archive.
        etag, md5: checksums that the server states; "" where it states none.
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
        """Write the receipt as JSON."""
        with writing(path) as part:
            part.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> Receipt:
        """Read a receipt that :meth:`write` wrote.

        Args:
            path: the file.

        Returns:
            The receipt.

        Raises:
            GengapError: the file is missing or broken.
        """
        try:
            return cls(**json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise GengapError(
                f"{path} is not the receipt of a download: run the download again."
            ) from error


def download(
    task: str,
    folder: str | Path,
    *,
    source: str | Path = BASE_URL,
    networks: Sequence[int] | None = None,
    checksum: str | None = None,
    retry_policy: RetryPolicy | None = None,
    accept: Callable[[Reference], object] = lambda reference: None,
) -> Receipt:
    """Fetch the files of a task: its data, its reference file and the selected networks.

    Files that exist with the size and CRC-32 of the archive's directory are not fetched again. A
    file whose download was interrupted is continued.

    Args:
        task: the task's name, e.g. "task1_v4".
        folder: the folder in which ``input_data`` and ``reference_data`` are made.
        source: base URL of the published archives, URL of one archive, a local archive, a folder
            of local archives, or a folder in which the task lies unpacked (nothing is copied).
        networks: positions of the networks (numeric order of their ids); None for all.
        checksum: the archive's ETag or MD5 as the server states it, or the MD5 or SHA-256 of a
            local archive, hexadecimal; None to record only what is received.
        retry_policy: when to retry a failed request; None for the defaults.
        accept: called with the reference file's content before the rest is fetched; an exception
            that it raises ends the download.

    Returns:
        The receipt, which lists every file of the task.

    Raises:
        GengapError: the source, archive, member or disk fails; the message says which, and what
            to do. No half-written file is left under a final name.
    """
    source = str(source)
    if is_unpacked(source, task):
        return _unpacked(task, source, networks, accept)
    folder = Path(folder)
    archive = open_archive(source, task, checksum, retry_policy or RetryPolicy())
    members = _members_of(task, archive)
    reference_name = f"reference_data/{task}/{REFERENCE}"
    archive.fetch(_selected(members, [reference_name], archive), folder)
    reference = read_reference(folder / reference_name, task)
    accept(reference)
    positions = range(len(reference.networks)) if networks is None else networks
    names = [
        f"input_data/{task}/model_{reference.id_at(position)}/{name}"
        for position in positions
        for name in MODEL_FILES
    ]
    names += _shard_names(members, task, archive, reference.parts)
    archive.fetch(_selected(members, names, archive), folder)
    return Receipt(
        task=task,
        tree=str(folder),
        source=archive.name,
        size=archive.size,
        etag=archive.etag,
        md5=archive.md5,
        files=[reference_name, *names],
    )


def _members_of(task: str, archive: Archive) -> dict[str, Member]:
    """Find the task's members, by their names below the folder that may enclose the tree."""
    pattern = re.compile(
        rf"(?:[^/]+/)?((?:input_data|reference_data)/{re.escape(task)}/.+)", re.DOTALL
    )
    members: dict[str, Member] = {}
    with archive.directory() as file:
        directory = read_members(file, archive.name)
    for member in directory:
        if match := pattern.fullmatch(member.name):
            if match[1] in members:
                raise GengapError(f"{archive.name} holds {match[1]} twice: give another source.")
            members[match[1]] = member
    if not members:
        raise GengapError(
            f"{archive.name} holds no input_data/{task}: give the archive that holds the task."
        )
    return members


def _selected(
    members: dict[str, Member], names: Sequence[str], archive: Archive
) -> list[tuple[str, Member]]:
    """Select members by their names, or say which name the archive lacks."""
    for name in names:
        if name not in members:
            raise GengapError(f"{archive.name} holds no {name}: give another source.")
    return [(name, members[name]) for name in names]


def _shard_names(
    members: dict[str, Member], task: str, archive: Archive, parts: Sequence[str]
) -> list[str]:
    """List the names of the task's shards, in the order of their numbers."""
    names: list[str] = []
    for part in parts:
        pattern = re.compile(
            rf"input_data/{re.escape(task)}/dataset_1/{part}/shard_(\d+)\.tfrecord"
        )
        shards = {int(match[1]): name for name in members if (match := pattern.fullmatch(name))}
        missing = missing_shard(shards)
        if missing is not None:
            raise GengapError(
                f"{archive.name} holds no "
                f"input_data/{task}/dataset_1/{part}/shard_{missing}.tfrecord: give another source."
            )
        names += [shards[number] for number in sorted(shards)]
    return names


def _unpacked(
    task: str,
    folder: str,
    networks: Sequence[int] | None,
    accept: Callable[[Reference], object],
) -> Receipt:
    """Make the receipt of a task that lies unpacked, or name the file that is missing."""
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
    shards = [shard for part in reference.parts for shard in tree.shards(part)]
    files = [tree.reference, *files, *shards]
    return Receipt(
        task=task,
        tree=folder,
        source=folder,
        size=None,
        etag="",
        md5="",
        files=[str(path.relative_to(folder)) for path in files],
    )
