"""What every job of the workflow does around its own work: log, threads, recorded failures.

A job that works on one network and fails for a reason that lies in that network writes a
*failure record* under the names of its outputs, so that the other networks go on. Whatever reads
such a file passes the record on, and the task's ``failed.csv`` lists it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from gengap.errors import GengapError
from gengap.failures import (
    NETWORK_FAULTS,
    Failure,
    is_fault_of_network,
    read_failure,
    write_failure,
)

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

log = logging.getLogger("gengap")


def run(snakemake: Snakemake, work: Callable[[], None]) -> None:
    """Run the work of a job: one thread, a log file, and one sentence where the input is bad.

    A rule whose params hold ``failures`` is a rule of one network: with ``record`` a fault of that
    network is written as a failure record under the rule's outputs, with ``stop`` it stops the run.
    """
    _log_to(snakemake.log[0] if snakemake.log else None)
    keep_going = snakemake.params.get("failures") == "record"
    try:
        if keep_going and (failure := _first_failure(_paths(snakemake.input))):
            log.warning("%s", failure.reason)
            _record(snakemake, failure)
            return
        with threadpool_limits(1):
            if torch := sys.modules.get("torch"):
                torch.set_num_threads(1)
            work()
    except NETWORK_FAULTS as error:
        reason = str(error) or type(error).__name__
        if keep_going and is_fault_of_network(error):
            log.warning("left out: %s", reason, exc_info=not isinstance(error, GengapError))
            network = snakemake.wildcards.get("network", "")
            _record(snakemake, Failure(stage=snakemake.rule, network=network, reason=reason))
            return
        if not isinstance(error, GengapError):
            log.exception("%s", reason)
            raise
        log.error("%s", reason)
        sys.exit(1)
    except Exception:
        log.exception("rule %s failed", snakemake.rule)
        raise


def _log_to(path: str | None) -> None:
    """Send the library's messages to the rule's log file and to the terminal."""
    # A log that cannot be written (a full disk) must not hide what is said on the terminal.
    logging.raiseExceptions = False
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if path:
        handlers.append(logging.FileHandler(path, mode="w"))
    logging.basicConfig(
        level=logging.INFO,
        format="%(name)s %(levelname)s: %(message)s",
        handlers=handlers,
        force=True,
    )


def _paths(named: Any) -> list[str]:
    return [str(path) for path in named]


def _first_failure(paths: Iterable[str]) -> Failure | None:
    for path in paths:
        if failure := read_failure(path):
            return failure
    return None


def _record(snakemake: Snakemake, failure: Failure) -> None:
    for path in _paths(snakemake.output):
        write_failure(path, failure)
