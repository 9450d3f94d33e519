"""What a run prints while it works, from events as Snakemake logs them."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gengap.planning.progress import CLEAR, SECONDS, Progress, duration, seconds, show_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def event(name: str, **more: Any) -> logging.LogRecord:
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, "a wall of files", None, None)
    record.__dict__.update(event=SimpleNamespace(name=name), **more)
    return record


def begin(progress: Progress, job: int, message: str | None) -> None:
    progress.emit(event("JOB_INFO", jobid=job, rule_msg=message))


def end(progress: Progress, job: int) -> None:
    progress.emit(event("JOB_FINISHED", job_id=job))


def test_a_stage_that_is_done_is_one_line() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress({1: 10.0, 2: 30.0, 3: 0.0}, 2, stream, clock)
    begin(progress, 1, "digits: reading the dataset")
    clock.now += 12.0
    end(progress, 1)
    begin(progress, 3, None)  # the rule that asks for everything does nothing
    end(progress, 3)
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("1/3  digits: reading the dataset (12 s)")
    assert CLEAR not in stream.getvalue()


def test_the_rest_is_estimated_from_the_pace_so_far() -> None:
    clock = Clock()
    progress = Progress({1: 10.0, 2: 30.0, 3: 40.0, 4: 2.0}, 2, io.StringIO(), clock)
    assert progress.estimate() is None
    begin(progress, 1, "one")
    begin(progress, 2, "two")
    clock.now += 20.0
    end(progress, 1)
    # Twice as slow as expected: 60 - 20, 80 and 4 seconds are left, on two cores.
    assert progress.estimate() == pytest.approx(80.0)
    begin(progress, 3, "three")
    clock.now += 70.0
    # The second takes longer than was thought; the third has 10 left, the fourth 4.
    assert progress.estimate() == pytest.approx(10.0)
    assert progress.line() == f"[{'#' * 6}{'.' * 18}] 1/4  about 10 s left  two, three"


def test_the_bar_makes_room_for_other_lines_and_goes_at_the_end() -> None:
    log = logging.Logger("snakemake")
    stream = Terminal()
    handler = logging.StreamHandler(stream)
    handler.name = "DefaultStreamHandler"
    log.addHandler(handler)
    show_progress(log, [(1, "train", None), (2, None, None)], 1)
    log.handle(event("JOB_INFO", jobid=1, rule_msg="digits: training"))
    assert "0/2  digits: training" in stream.getvalue()
    log.error("Error in rule train")
    log.info("Select jobs to execute...")
    log.handle(event("JOB_FINISHED", job_id=1))
    log.handle(event("JOB_FINISHED", job_id=2))
    printed = stream.getvalue()
    assert f"{CLEAR}Error in rule train\n" in printed
    assert "a wall of files" not in printed
    assert "Select jobs" not in printed
    assert printed.endswith(CLEAR)
    log.handlers[-1].close()


def test_a_plugin_that_prints_is_left_alone() -> None:
    log = logging.Logger("snakemake")
    log.addHandler(logging.NullHandler())
    show_progress(log, [(1, "train", None)], 1)
    assert [type(handler) for handler in log.handlers] == [logging.NullHandler]


def test_a_stage_takes_what_it_took(tmp_path: Path) -> None:
    table = tmp_path / "train.tsv"
    table.write_text("s\th:m:s\n12.5\t0:00:12\n")
    assert seconds("train", str(table)) == 12.5
    assert seconds("train", str(tmp_path / "none.tsv")) == SECONDS["train"]
    table.write_text("")
    assert seconds("train", str(table)) == SECONDS["train"]
    assert seconds(None, None) == 0.0


@pytest.mark.parametrize(
    ("span", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (1200, "20 min"), (9000, "2.5 h")],
)
def test_durations_are_written_for_a_reader(span: float, text: str) -> None:
    assert duration(span) == text
