"""Official files of a dataset: where they are, and how they are recognised."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """An official file: its name, its size in bytes, and a digest by which it is recognised.

    The digest is the SHA-256 in hexadecimal or, where none is published, ``md5:`` and the MD5.
    """

    name: str
    size: int
    digest: str

    def matches(self, path: Path) -> bool:
        """Return whether a path is a file of this size and digest."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        algorithm, _, expected = self.digest.rpartition(":")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm or "sha256").hexdigest() == expected


@dataclass(frozen=True)
class Download:
    """An official file to fetch from any of ``urls``; an archive also names what to unpack.

    ``members`` are the only files taken from the archive, where they lie in ``member_folder``.
    """

    file: File
    urls: tuple[str, ...]
    member_folder: str = ""
    members: tuple[File, ...] = ()

    @property
    def contents(self) -> tuple[File, ...]:
        """The files that a reader opens: the archive's members, or the file itself."""
        return self.members or (self.file,)


Source = tuple[Download, ...]


def from_mirrors(folders: tuple[str, ...], name: str, size: int, sha256: str) -> Download:
    """Describe a file of the same name in each of several folders.

    Args:
        folders: URLs, each with its closing slash.
        name: name of the file.
        size: size in bytes.
        sha256: SHA-256 in hexadecimal.

    Returns:
        The download, without members.
    """
    return Download(File(name, size, sha256), tuple(folder + name for folder in folders))
