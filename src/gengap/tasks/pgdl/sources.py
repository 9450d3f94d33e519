"""Archives from which members are fetched: on a server, by byte ranges, or on a disk."""

from __future__ import annotations

import hashlib
import io
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from tqdm import tqdm

from gengap.errors import GengapError
from gengap.pgdl_layout import archive_in, is_url
from gengap.tasks.pgdl.archives import CorruptMemberError, Member, matches, unpack
from gengap.tasks.pgdl.published import ETAGS, TASKS
from gengap.tasks.pgdl.remote import RangeReader, RemoteFile, RetryPolicy

log = logging.getLogger(__name__)

DIRECTORY_BUFFER = 1 << 16
MD5, SHA256 = 32, 64  # hexadecimal digits


class Archive:
    """An archive from which members are fetched.

    Attributes:
        name: its URL or path.
        size: bytes of the archive.
        etag, md5: checksums that a server states; "" where it states none.
    """

    name: str
    size: int
    etag: str = ""
    md5: str = ""

    def directory(self) -> IO[bytes]:
        """Open the archive as a seekable file, from which its directory is read."""
        raise NotImplementedError

    def fetch_one(self, member: Member, target: Path, advance: Callable[[int], object]) -> None:
        """Fetch and unpack one member; call ``advance`` with the number of each block's bytes."""
        raise NotImplementedError

    def fetch(self, members: Sequence[tuple[str, Member]], folder: Path) -> None:
        """Fetch and unpack members, except those that already lie in the folder.

        Args:
            members: name of each target file, relative to ``folder``, and its member.
            folder: where the files are made.

        Raises:
            GengapError: a member is corrupt, or the server or the disk fails.
        """
        missing = [
            (folder / name, member)
            for name, member in members
            if not matches(member, folder / name)
        ]
        _refuse_small_disk(folder, sum(member.size for _, member in missing))
        total = sum(member.stop - member.start for _, member in missing)
        with tqdm(total=total, unit="B", unit_scale=True, disable=None) as progress:
            for target, member in missing:
                log.info("%s: %s, %d bytes", self.name, member.name, member.size)
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self.fetch_one(member, target, progress.update)
                except OSError as error:
                    raise GengapError(
                        f"Cannot copy {member.name} from {self.name} to {target} "
                        f"({error.strerror}): make room or correct the folder and run again; "
                        "what was received is kept."
                    ) from error


class RemoteArchive(Archive):
    """An archive on a server; the received bytes of a member are kept until it is complete."""

    def __init__(self, url: str, retry_policy: RetryPolicy) -> None:
        self._remote = RemoteFile(url, retry_policy)
        self.name, self.size = url, self._remote.size
        self.etag, self.md5 = self._remote.etag, self._remote.md5

    def directory(self) -> IO[bytes]:
        """Open the archive as a file; each read of it is one request."""
        return io.BufferedReader(RangeReader(self._remote), DIRECTORY_BUFFER)

    def fetch_one(self, member: Member, target: Path, advance: Callable[[int], object]) -> None:
        """Fetch and unpack one member, a second time if it arrives corrupt."""
        # The CRC in the name prevents bytes of two versions from being joined.
        part = target.with_name(f".{target.name}.{member.crc:08x}.part")
        for outdated in set(target.parent.glob(f".{target.name}.*.part")) - {part}:
            outdated.unlink()
        try:
            self._receive(member, part, target, advance)
        except CorruptMemberError:
            log.warning(
                "%s: %s arrived corrupt; fetching it once more from its start",
                self.name,
                member.name,
            )
            part.unlink()
            try:
                self._receive(member, part, target, advance)
            except CorruptMemberError:
                part.unlink()
                raise
        part.unlink()

    def _receive(
        self, member: Member, part: Path, target: Path, advance: Callable[[int], object]
    ) -> None:
        with part.open("ab") as file:
            advance(file.tell())
            for block in self._remote.stream(member.start + file.tell(), member.stop):
                file.write(block)
                advance(len(block))
        with part.open("rb") as record:
            unpack(record, member, target)


class LocalArchive(Archive):
    """An archive on a disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name, self.size = str(path), path.stat().st_size

    def directory(self) -> IO[bytes]:
        """Open the archive."""
        return self._path.open("rb")

    def fetch_one(self, member: Member, target: Path, advance: Callable[[int], object]) -> None:
        """Unpack one member."""
        with self._path.open("rb") as record:
            record.seek(member.start)
            unpack(record, member, target)
        advance(member.stop - member.start)


def open_archive(
    source: str, task: str, checksum: str | None, retry_policy: RetryPolicy
) -> Archive:
    """Open the archive that holds a task, and check its checksum.

    Args:
        source: see :func:`gengap.tasks.pgdl.download`; not an unpacked folder.
        task: the task's name.
        checksum: hexadecimal, or None.
        retry_policy: when to retry a failed request and when to give up.

    Returns:
        The archive, remote or local.

    Raises:
        GengapError: there is no such archive, or it has another checksum.
    """
    if is_url(source):
        url = source
        if not source.endswith(".zip"):
            url = f"{source.rstrip('/')}/{_archive_name(task)}"
        archive = RemoteArchive(url, retry_policy)
        _check_stated(archive, checksum)
        return archive
    path = archive_in(source, task) if Path(source).is_dir() else Path(source)
    if not path.is_file():
        raise GengapError(
            f"{path} does not exist: give a URL, a zip archive or a folder as the source."
        )
    _check_computed(path, checksum)
    return LocalArchive(path)


def _archive_name(task: str) -> str:
    if task not in TASKS:
        raise GengapError(
            f"'{task}' is in none of the published archives (they hold {', '.join(TASKS)}): "
            "give the zip archive itself as the source."
        )
    return TASKS[task].archive


def _check_stated(archive: Archive, checksum: str | None) -> None:
    """Compare with what the server states: parts of an archive do not give the whole's hash."""
    name = archive.name.rpartition("/")[2]
    if checksum is None:
        if archive.etag and ETAGS.get(name, archive.etag) != archive.etag:
            log.warning("%s: ETag %s, formerly %s", archive.name, archive.etag, ETAGS[name])
        log.info("%s: %d bytes, ETag %s", archive.name, archive.size, archive.etag or "none")
    elif checksum.lower() not in (archive.etag.lower(), archive.md5):
        raise GengapError(
            f"{archive.name}: the server states ETag '{archive.etag}' and MD5 '{archive.md5}', but "
            f"the configured checksum is '{checksum}': correct the checksum, or give a local "
            "archive as the source to have its bytes checked."
        )


def _check_computed(path: Path, checksum: str | None) -> None:
    if checksum is None:
        return
    if len(checksum) not in (MD5, SHA256):
        raise GengapError(
            f"The checksum '{checksum}' of {path} is neither an MD5 (32 hexadecimal digits) nor a "
            "SHA-256 (64): correct it."
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "md5" if len(checksum) == MD5 else "sha256").hexdigest()
    if digest != checksum.lower():
        raise GengapError(
            f"{path} has the checksum {digest}, but {checksum} is configured: fetch the archive "
            "again, or correct the checksum."
        )


def _refuse_small_disk(folder: Path, needed: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GengapError(
            f"The folder {folder} cannot be made ({error.strerror}): choose another one."
        ) from error
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise GengapError(
            f"{folder} has {free} bytes free, but {needed} are needed: make room, choose another "
            "folder or fewer networks."
        )
