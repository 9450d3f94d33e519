"""Failure records: why one network has no result, written in the place of that result.

Whatever reads such a file passes the record on, and the task's ``failed.csv`` lists it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gengap.errors import MachineError
from gengap.files import writing

FIRST_LINE = b"gengap failure record\n"


@dataclass(frozen=True)
class Failure:
    """Why a network has no result: the stage (rule) that failed and its one sentence."""

    stage: str
    network: str
    reason: str


def read_failure(path: str | Path) -> Failure | None:
    """The failure recorded under ``path``, or None if the file holds a real result.

    Raises:
        MachineError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            if file.read(len(FIRST_LINE)) != FIRST_LINE:
                return None
            return Failure(**json.load(file))
    except OSError as error:
        raise MachineError(
            f"{path} cannot be read ({error.strerror}): make it readable, then start again."
        ) from error


def write_failure(path: str | Path, failure: Failure) -> None:
    """Write a failure record where a result would lie."""
    with writing(path) as part:
        part.write_bytes(FIRST_LINE + json.dumps(asdict(failure), indent=1).encode() + b"\n")
