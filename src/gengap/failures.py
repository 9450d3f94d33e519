"""Failure records: why single networks have no result, in a file beside the results of the others.

Each stage works on a shard of networks. It passes over the networks that an earlier stage lists,
adds those that fail in it, and writes the whole list beside its results. The task's ``failed.csv``
gathers these lists.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from gengap.errors import GengapError, MachineError
from gengap.files import writing

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


def is_fault_of_network(error: Exception) -> bool:
    """Tell whether an error lies in the network itself, so that the other networks can go on.

    A file that could not be read may be readable the next time, so that is no fault of a network.

    Args:
        error: what the work on the network raised.

    Returns:
        False for a fault of the program or of the machine.
    """
    cause = error.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    if number is None and (words := NUMBER_IN_WORDS.search(str(cause))):
        number = int(words[1])
    of_machine = number in UNREADABLE or isinstance(error, MachineError)
    return isinstance(error, NETWORK_FAULTS) and not of_machine
