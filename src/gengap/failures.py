"""Failure records, which say why one network has no result and are written in its place.

Every stage that reads such a file passes the record on, and the task's ``failed.csv`` lists it.
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
    """Why a network has no result.

    Attributes:
        stage: the rule that failed.
        network: the network's name in its task.
        reason: one sentence.
    """

    stage: str
    network: str
    reason: str


def read_failure(path: str | Path) -> Failure | None:
    """Read the failure that a file records, if it does.

    Args:
        path: a result of any kind, or a failure record in its place.

    Returns:
        The failure; None if the file holds a real result.

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
    """Write a failure record in the place of a result."""
    with writing(path) as part:
        part.write_bytes(FIRST_LINE + json.dumps(asdict(failure), indent=1).encode() + b"\n")
