"""Official files of a dataset: where they are, and how they are recognised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """An official file: its name, its size in bytes, its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


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
