"""Receipts of measures, by which each family of a shard of networks is computed only once.

One job computes all families of a shard, so that they share the start of a process. Each family has
files of its own in ``measures/<family>/``: ``<shard>.csv``, its table; ``<shard>.failed.json``, the
networks that failed; and, written last, ``<shard>.json``, its receipt: the digest of everything
that these files were made from, and their SHA-256. A family whose receipt has the digest of what is
to be computed is kept, so that an edit of one family, or a further one, recomputes no other.
``measures/<shard>.json`` lists the families of a shard, for the stages that read their tables.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from gengap.errors import GengapError
from gengap.failures import Failure, read_failures
from gengap.files import read_json, writing
from gengap.tasks.shards import sha256

log = logging.getLogger(__name__)

COMPUTE_AGAIN = "delete it and run the workflow again"


@dataclass(frozen=True)
class FamilyReceipt:
    """What a family's files of one shard were made from, and what they hold.

    Attributes:
        digest: digest of everything that the files depend on.
        files: SHA-256 of each file, by its name.
    """

    digest: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class ShardMeasures:
    """The families of measures of a shard that were computed.

    Attributes:
        path: ``measures/<shard>.json`` of the task's folder.
        families: the files of each family, by its name: SHA-256 by name.
    """

    path: Path
    families: Mapping[str, Mapping[str, str]]

    def write(self) -> None:
        """Write the list as JSON."""
        with writing(self.path) as part:
            part.write_text(json.dumps({"families": self.families}, indent=1) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> ShardMeasures:
        """Return the list that :meth:`write` wrote.

        Args:
            path: ``measures/<shard>.json`` of the task's folder.

        Raises:
            GengapError: the file is missing or holds something else.
        """
        content = read_json(path, COMPUTE_AGAIN)
        if set(content) != {"families"} or not isinstance(content["families"], dict):
            raise GengapError(f"{path} is no list of families: {COMPUTE_AGAIN}.")
        return cls(Path(path), content["families"])

    def table(self, family: str) -> Path:
        """Return the path of a family's table, after checking it against the list.

        Raises:
            GengapError: the table is missing, or has changed since it was made.
        """
        return self._file(family, f"{self.path.stem}.csv")

    def failures(self, family: str) -> list[Failure]:
        """Return the networks that failed in a family or before it.

        Raises:
            GengapError: their list is missing, or has changed since it was made.
        """
        return read_failures(self._file(family, f"{self.path.stem}.failed.json"))

    def _file(self, family: str, name: str) -> Path:
        path = self.path.parent / family / name
        stated = self.families.get(family, {}).get(name)
        if stated is None or not path.is_file() or sha256(path) != stated:
            raise GengapError(
                f"{path} is not the file that the measures were written to: delete {self.path} "
                "and run the workflow again."
            )
        return path


def make_family(
    folder: str | Path, shard: str, digest: str, make: Callable[[Path, Path], object]
) -> Mapping[str, str]:
    """Make a family's files of a shard, unless they are there already.

    Args:
        folder: ``measures/<family>``.
        shard: the number of the shard.
        digest: digest of everything that the files depend on.
        make: writes the table and the list of failures to the two paths that it is given; what it
            raises is passed on.

    Returns:
        SHA-256 of each file, by its name.
    """
    folder = Path(folder)
    path = folder / f"{shard}.json"
    table, failed = folder / f"{shard}.csv", folder / f"{shard}.failed.json"
    receipt = _read_receipt(path)
    if receipt and receipt.digest == digest and _files(table, failed) == receipt.files:
        log.info("family %s is kept: it was computed from the same inputs", folder.name)
        return receipt.files
    # Values of other inputs must not stay under these names, whatever happens next.
    for file in (path, table, failed):
        file.unlink(missing_ok=True)
    make(table, failed)
    receipt = FamilyReceipt(digest, _files(table, failed))
    with writing(path) as part:
        part.write_text(json.dumps(asdict(receipt), indent=1) + "\n")
    return receipt.files


def _files(*paths: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in paths if path.is_file()}


def _read_receipt(path: Path) -> FamilyReceipt | None:
    try:
        return FamilyReceipt(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        # Without a valid receipt the family is computed anew.
        return None
