"""What a zip archive holds and where, and how one member is checked and unpacked.

:mod:`zipfile` reads the central directory from any seekable file, which includes HTTP ranges. A
member is unpacked here rather than by :mod:`zipfile`, because its packed bytes may come from a
download that was interrupted and continued.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from gengap.errors import GengapError
from gengap.files import writing

BLOCK = 1 << 18
LOCAL_HEADER = struct.Struct("<4s22xHH")
LOCAL_SIGNATURE = b"PK\x03\x04"
LONGEST_NAME_AND_EXTRA = 2 * 0xFFFF
ENCRYPTED = 0x1


@dataclass(frozen=True)
class Member:
    """One file of an archive.

    Attributes:
        archive: the archive's URL or path, for messages.
        name: its path in the archive, with forward slashes.
        start, stop: range of the archive's bytes in which its header and its packed bytes lie.
        packed: number of packed bytes.
        size: number of unpacked bytes.
        crc: CRC-32 of the unpacked bytes.
        deflated: whether the packed bytes are deflated; if not, they are stored unchanged.
    """

    archive: str
    name: str
    start: int
    stop: int
    packed: int
    size: int
    crc: int
    deflated: bool


class CorruptMemberError(GengapError):
    """The packed bytes of a member differ from what the archive's directory says."""

    def __init__(self, member: Member) -> None:
        super().__init__(
            f"{member.archive}: member {member.name} is truncated or corrupt (its size or CRC-32 "
            "is not what the archive's directory says): fetch the archive again, or give another "
            "source."
        )


def read_members(file: IO[bytes], archive: str) -> list[Member]:
    """List the files in an archive's central directory (zip64 too), without folders.

    Args:
        file: the archive, seekable.
        archive: its URL or path, for messages.

    Returns:
        The members, in the order of the directory.

    Raises:
        GengapError: the archive is not complete; or a member is a link, is encrypted, is packed by
            a method other than deflate, or has a name that points outside the target folder.
    """
    try:
        with zipfile.ZipFile(file) as opened:
            infos, end = opened.infolist(), opened.start_dir
    except GengapError:
        raise
    # A damaged entry may ask for a version of the format that does not exist.
    except (
        zipfile.BadZipFile, struct.error, EOFError, ValueError, OSError, NotImplementedError,
    ) as error:  # fmt: skip
        raise GengapError(
            f"{archive} is not a complete zip archive: fetch it again, or give another source."
        ) from error
    starts = sorted({info.header_offset for info in infos})
    stops = dict(zip(starts, [*starts[1:], end], strict=True))
    for info in infos:
        _refuse_unsafe(info, archive)
    return [
        _member(info, archive, stops[info.header_offset]) for info in infos if not info.is_dir()
    ]


def unpack(record: IO[bytes], member: Member, target: Path) -> None:
    """Write one member if its size and CRC-32 are right; otherwise write nothing.

    Args:
        record: a file, positioned at the member's local header.
        member: the member's entry in the directory.
        target: the file to write.

    Raises:
        CorruptMemberError: the bytes are not those of the member.
        MachineError: ``target`` cannot be written.
    """
    header = record.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or not header.startswith(LOCAL_SIGNATURE):
        raise CorruptMemberError(member)
    _, name_length, extra_length = LOCAL_HEADER.unpack(header)
    record.seek(name_length + extra_length, 1)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if member.deflated else None
    crc = size = 0
    left = member.packed
    with writing(target) as part, part.open("wb") as file:
        while left or (inflater and not inflater.eof):
            if inflater and inflater.unconsumed_tail:
                block = inflater.unconsumed_tail
            else:
                # With all input read, zlib may still hold output that did not fit into a block.
                block = record.read(min(BLOCK, left)) if left else b""
                if left and not block:
                    raise CorruptMemberError(member)
                left -= len(block)
            exhausted = not left and not block
            if inflater:
                try:
                    block = inflater.decompress(block, BLOCK)
                except zlib.error as error:
                    raise CorruptMemberError(member) from error
            size += len(block)
            if size > member.size or (exhausted and not block):
                raise CorruptMemberError(member)
            crc = zlib.crc32(block, crc)
            file.write(block)
        if size != member.size or crc != member.crc or (inflater and not inflater.eof):
            raise CorruptMemberError(member)


def matches(member: Member, path: Path) -> bool:
    """Whether a file already holds the member's bytes."""
    if not path.is_file() or path.stat().st_size != member.size:
        return False
    crc = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            crc = zlib.crc32(block, crc)
    return crc == member.crc


def _refuse_unsafe(info: zipfile.ZipInfo, archive: str) -> None:
    name = info.orig_filename
    parts = PurePosixPath(name).parts
    outside = name.startswith("/") or ".." in parts or "\\" in name or "\0" in name
    if outside or ":" in name.partition("/")[0]:
        raise GengapError(
            f"{archive} holds {name!r}, which points outside of the folder it is unpacked in: "
            "do not use this archive."
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise GengapError(
            f"{archive} holds the link {name!r}, which could point anywhere: "
            "do not use this archive."
        )


def _member(info: zipfile.ZipInfo, archive: str, stop: int) -> Member:
    if info.flag_bits & ENCRYPTED or info.compress_type not in (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
    ):
        raise GengapError(
            f"{archive}: member {info.filename} is encrypted or packed in an uncommon way: "
            "unpack the archive with another tool and give the folder as the source."
        )
    start = info.header_offset
    member = Member(
        archive=archive,
        name=info.filename,
        start=start,
        stop=min(stop, start + LOCAL_HEADER.size + LONGEST_NAME_AND_EXTRA + info.compress_size),
        packed=info.compress_size,
        size=info.file_size,
        crc=info.CRC,
        deflated=info.compress_type == zipfile.ZIP_DEFLATED,
    )
    if member.stop - member.start < LOCAL_HEADER.size + member.packed:
        raise CorruptMemberError(member)
    return member
