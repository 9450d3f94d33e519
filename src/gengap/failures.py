"""Failure records: why single networks have no result, in a file beside the results of the others.

Each stage works on a shard of networks. It passes over the networks that an earlier stage lists,
adds those that fail in it, and writes the whole list beside its results. The task's ``failed.csv``
gathers these lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from gengap.errors import GengapError, MachineError
from gengap.files import writing


@dataclass(frozen=True)
class Failure:
    """Why a network has no result.

    Attributes:
        stage: the stage (rule) that failed.
        network: the network's id.
        reason: one sentence.
    """

    stage: str
    network: str
    reason: str


def write_failures(path: str | Path, failures: Iterable[Failure]) -> None:
    """Write the failures of a shard as JSON, in the order given."""
    with writing(path) as part:
        part.write_text(json.dumps([asdict(failure) for failure in failures], indent=1) + "\n")


def read_failures(path: str | Path) -> list[Failure]:
    """Return the failures that :func:`write_failures` wrote.

    Raises:
        MachineError: the file cannot be read.
        GengapError: the file holds something else.
    """
    try:
        return [Failure(**entry) for entry in json.loads(Path(path).read_text(encoding="utf-8"))]
    except OSError as error:
        raise MachineError(
            f"{path} cannot be read ({error.strerror}): make it readable, then start again."
        ) from error
    except (ValueError, TypeError) as error:
        raise GengapError(
            f"{path} is no list of failures: remove it and run the workflow again."
        ) from error
