"""What every job of the workflow does around its own work: logging, threads, recorded failures.

A job works on a shard of networks. A network that fails for a reason that lies in itself is
recorded (:mod:`gengap.failures`), and the others of its shard go on.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.errors import GengapError
from gengap.failures import Failure, is_fault_of_network, read_failures, write_failures
from gengap.threads import using_threads

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

log = logging.getLogger("gengap")


class Shard:
    """The networks that a job works on.

    Iterating gives the ids of those that no earlier stage lists as failed. The work on each is
    done within :meth:`attempt`; a network that fails is recorded, and the others go on::

        shard = Shard(snakemake)
        for network in shard:
            with shard.attempt(network):
                ...
        shard.write_failures()

    The job's rule has the params ``networks`` and ``failures`` (``record`` or ``stop``), the output
    ``failed``, and, if a stage precedes it, the input ``failed``.
    """

    def __init__(self, snakemake: Snakemake, failed: str | Path | None = None) -> None:
        """Read what earlier stages recorded.

        Args:
            snakemake: the job.
            failed: where the failures are written; by default, the rule's output ``failed``.

        Raises:
            GengapError: a network failed before, and the run is to stop.
        """
        self._stage = snakemake.rule
        self._recording = snakemake.params.failures == "record"
        self._path = failed or snakemake.output.failed
        self._networks = [str(network) for network in snakemake.params.networks]
        before = snakemake.input.get("failed")
        self._failures = {entry.network: entry for entry in read_failures(before)} if before else {}
        for failure in self._failures.values():
            log.warning("network %s was left out before: %s", failure.network, failure.reason)
            if not self._recording:
                raise GengapError(failure.reason)

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of the networks that have not failed yet."""
        return iter([network for network in self._networks if network not in self._failures])

    @contextlib.contextmanager
    def attempt(self, network: str) -> Iterator[None]:
        """Record what the work on one network raises, if the fault lies in that network."""
        try:
            yield
        except Exception as error:
            if not self._recording or not is_fault_of_network(error):
                raise
            reason = str(error) or type(error).__name__
            sentence = "network %s is left out: %s"
            log.warning(sentence, network, reason, exc_info=not isinstance(error, GengapError))
            self._failures[network] = Failure(self._stage, network, reason)

    def write_failures(self) -> None:
        """Write the failures of this stage and of those before it under the rule's output."""
        order = [network for network in self._networks if network in self._failures]
        write_failures(self._path, [self._failures[network] for network in order])


def run(snakemake: Snakemake, work: Callable[[], None]) -> None:
    """Run the work of a job: its threads, a log file, and one sentence where the input is bad."""
    _log_to(snakemake.log[0] if snakemake.log else None)
    try:
        with using_threads(snakemake.threads):
            work()
    except GengapError as error:
        log.error("%s", error)
        sys.exit(1)
    except Exception:
        log.exception("rule %s failed", snakemake.rule)
        raise


def _log_to(path: str | None) -> None:
    """Send the library's messages to the rule's log file, and what matters to the terminal."""
    # A log that cannot be written (a full disk) must not hide what is said on the terminal.
    logging.raiseExceptions = False
    terminal = logging.StreamHandler(sys.stderr)
    terminal.addFilter(_matters)
    handlers: list[logging.Handler] = [terminal]
    if path:
        handlers.append(logging.FileHandler(path, mode="w"))
    logging.basicConfig(
        level=logging.INFO,
        format="%(name)s %(levelname)s: %(message)s",
        handlers=handlers,
        force=True,
    )


def _matters(record: logging.LogRecord) -> bool:
    """Tell whether a message is for the terminal, too: a failure, or a network that is left out.

    Args:
        record: the message.

    Returns:
        True for errors, and for warnings of this module. What a measure says of its own work goes
        to the log file alone.
    """
    least = logging.WARNING if record.name == log.name else logging.ERROR
    return record.levelno >= least
