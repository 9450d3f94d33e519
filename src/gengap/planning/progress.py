"""What a run prints while it works: each stage that is done, a bar, and how long the rest takes.

Snakemake logs each job with its files and the reason why it runs; all of that still goes to the
file under ``.snakemake/log``. The terminal gets one line for each job that is done, and below these
lines a bar with the jobs that run. Where the output is no terminal, there is no bar.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from gengap.planning.estimates import measured_seconds

SECONDS = {
    "measure": 90.0, "train": 54.0, "experiment": 60.0, "import_networks": 30.0,
    "adopt_networks": 30.0, "evaluate": 24.0, "left_out_predictions": 60.0,
}  # fmt: skip
"""What the long stages of the default run take, by script; only their ratios matter."""
OTHER_SECONDS = 5.0
"""What every other stage takes."""
BAR = 24  # characters
REDRAW = 1.0  # seconds
EARLIEST = 0.05
"""Share of the work that must be done before the rest is estimated."""
WORDY = {
    "JOB_INFO", "GROUP_INFO", "JOB_STARTED", "JOB_FINISHED", "PROGRESS", "RESOURCES_INFO",
    "SHELLCMD",
}  # fmt: skip
"""Snakemake's events that the terminal does not show."""
SELECTING = "Select jobs to execute"
CLEAR = "\r\x1b[2K"


@dataclass
class Stage:
    """A job that runs.

    Attributes:
        name: what is printed of it; empty for a job that does nothing.
        started: when it began, in seconds of a clock.
    """

    name: str
    started: float


class Progress(logging.Handler):
    """Follows Snakemake's events and prints the stages that are done.

    Attributes:
        expected: seconds that each job of the run may take, by its number.
    """

    def __init__(
        self,
        expected: Mapping[int, float],
        cores: int,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with no job done.

        Args:
            expected: seconds that each job may take, by its number; only ratios matter.
            cores: how many jobs run at a time.
            stream: where to print; the bar is drawn if it is a terminal.
            clock: seconds from any time on.
        """
        super().__init__()
        self.expected = dict(expected)
        self._cores = cores
        self._stream = stream
        self._clock = clock
        self._running: dict[int, Stage] = {}
        self._done: dict[int, float] = {}
        self._over = threading.Event()
        self._barred = stream.isatty()
        if self._barred:
            threading.Thread(target=self._redraw, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a job that begins or is done."""
        event = event_name(record)
        if event == "JOB_INFO":
            stage = Stage(record.__dict__["rule_msg"] or "", self._clock())
            self._running[record.__dict__["jobid"]] = stage
        elif event == "JOB_FINISHED":
            self._finish(record.__dict__["job_id"])
        self._draw()

    def close(self) -> None:
        """Remove the bar."""
        self._over.set()
        self.erase()
        super().close()

    def erase(self) -> None:
        """Remove the bar until it is drawn again."""
        if self._barred:
            self._stream.write(CLEAR)
            self._stream.flush()

    def estimate(self) -> float | None:
        """Return the seconds that the rest may take; None where too little is done to tell."""
        work = sum(self.expected.values())
        known = sum(self.expected.get(job, 0.0) for job in self._done)
        if not known or known < EARLIEST * work:
            return None
        now = self._clock()
        pace = sum(self._done[job] for job in self._done if job in self.expected) / known
        left = [
            max(0.0, pace * seconds - (now - self._running[job].started))
            if job in self._running
            else pace * seconds
            for job, seconds in self.expected.items()
            if job not in self._done
        ]
        return max(sum(left) / self._cores, *left) if left else 0.0

    def line(self) -> str:
        """Return the bar: how many jobs are done, how long the rest takes, and which jobs run."""
        count, total = len(self._done), max(len(self.expected), len(self._done))
        filled = BAR * count // max(1, total)
        left = self.estimate()
        names = ", ".join(stage.name for stage in self._running.values() if stage.name)
        parts = [
            f"[{'#' * filled}{'.' * (BAR - filled)}] {count}/{total}",
            *([] if left is None else [f"about {duration(left)} left"]),
            *([names] if names else []),
        ]
        return "  ".join(parts)

    def _finish(self, job: int) -> None:
        stage = self._running.pop(job, None)
        now = self._clock()
        self._done[job] = 0.0 if stage is None else now - stage.started
        if stage is None or not stage.name:
            return
        count = f"{len(self._done)}/{max(len(self.expected), len(self._done))}"
        took = duration(self._done[job])
        self.erase()
        self._stream.write(f"{time.strftime('%H:%M:%S')}  {count:>9}  {stage.name} ({took})\n")
        self._stream.flush()

    def _draw(self) -> None:
        if self._barred and not self._over.is_set():
            width = shutil.get_terminal_size().columns - 1
            ended = len(self._done) >= len(self.expected)
            self._stream.write(CLEAR if ended else f"{CLEAR}{self.line()[:width]}")
            self._stream.flush()

    def _redraw(self) -> None:
        while not self._over.wait(REDRAW):
            with self.lock or threading.RLock():
                self._draw()


class Quiet(logging.Filter):
    """Keeps what a person need not read from a handler of Snakemake's log."""

    def __init__(self, progress: Progress) -> None:
        """Quieten a handler that writes where ``progress`` draws its bar."""
        super().__init__()
        self._progress = progress

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is printed; the bar makes room for it."""
        text = str(record.msg)
        if event_name(record) in WORDY or text.startswith(SELECTING):
            return False
        self._progress.erase()
        return True


def show_progress(
    log: logging.Logger, jobs: Iterable[tuple[int, str | None, str | None]], cores: int
) -> None:
    """Print stages and a bar in place of Snakemake's own lines.

    Where a logger plugin prints in Snakemake's place, nothing changes.

    Args:
        log: Snakemake's logger.
        jobs: of each job of the run its number, the name of its script, and its benchmark, which
            an earlier run may have written.
        cores: how many jobs run at a time.
    """
    for handler in log.handlers:
        if handler.name == "DefaultStreamHandler" and isinstance(handler, logging.StreamHandler):
            expected = {number: seconds(script, benchmark) for number, script, benchmark in jobs}
            progress = Progress(expected, cores, handler.stream)
            handler.addFilter(Quiet(progress))
            log.addHandler(progress)
            return


def seconds(script: str | None, benchmark: str | None) -> float:
    """Return what a job may take: what it took in an earlier run, or what its stage takes.

    Args:
        script: name of its script; None for a job that does nothing.
        benchmark: Snakemake's table of the time that it took, if there is one.
    """
    if script is None:
        return 0.0
    try:
        return measured_seconds(Path(benchmark or ""))
    except (OSError, StopIteration, KeyError, ValueError):
        return SECONDS.get(script, OTHER_SECONDS)


def duration(span: float) -> str:
    """Write a number of seconds for a reader: ``8 s``, ``2 min 5 s``, ``30 min``, ``2.5 h``."""
    if span < 59.5:
        return f"{span:.0f} s"
    minutes, seconds = divmod(round(span), 60)
    if minutes < 10:
        return f"{minutes} min {seconds} s"
    return f"{minutes} min" if minutes < 90 else f"{span / 3600:.1f} h"


def event_name(record: logging.LogRecord) -> str:
    """Return the name of Snakemake's event that a record tells of; empty for plain text."""
    event: Any = getattr(record, "event", None)
    return str(getattr(event, "name", ""))
