"""Failure records: why one network has no result, written in the place of that result.

Whatever reads such a file passes the record on, and the task's ``failed.csv`` lists it.
"""

from __future__ import annotations

import errno
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from gengap.errors import GengapError, MachineError
from gengap.files import writing

FIRST_LINE = b"gengap failure record\n"

NETWORK_FAULTS = (GengapError, ArithmeticError, np.linalg.LinAlgError)
"""What a network can cause by itself; anything else is a fault of the program or of the machine
(too little memory: a repeat may have more) and stops the run."""

UNREADABLE = {
    errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EREMOTEIO, errno.ENOTCONN, errno.EHOSTDOWN,
    errno.ENODEV, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
}  # fmt: skip
"""Error numbers of transient failures to read a file that is sound."""

# safetensors passes on the number only in words.
NUMBER_IN_WORDS = re.compile(r"os error (\d+)")


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


def is_fault_of_network(error: Exception) -> bool:
    """Whether an error lies in the network itself, so that the other networks can go on.

    A file that could not be read may be readable the next time, so that is no fault of a network.
    """
    cause = error.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    if number is None and (words := NUMBER_IN_WORDS.search(str(cause))):
        number = int(words[1])
    of_machine = number in UNREADABLE or isinstance(error, MachineError)
    return isinstance(error, NETWORK_FAULTS) and not of_machine
