"""What happens around the work of a job: logs, recorded failures, stopping."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gengap import jobs
from gengap.activations import read_sample
from gengap.datasets import read_split
from gengap.errors import GengapError, MachineError
from gengap.failures import Failure, read_failure, write_failure
from gengap.topology import read_diagrams


class Named(list):  # type: ignore[type-arg]
    """Stands for Snakemake's lists with names."""

    def get(self, name: str, default: object = None) -> object:
        return getattr(self, name, default)


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    def make(inputs: list[str], failures: str | None = None) -> SimpleNamespace:
        params = Named()
        if failures:
            params.failures = failures  # type: ignore[attr-defined]
        wildcards = Named()
        wildcards.network = "3"  # type: ignore[attr-defined]
        return SimpleNamespace(
            input=Named(inputs),
            output=Named([str(tmp_path / "a.csv"), str(tmp_path / "b.npz")]),
            log=Named([str(tmp_path / "job.log")]),
            params=params,
            wildcards=wildcards,
            rule="diagrams",
        )

    return make


def fail() -> None:
    raise GengapError("The weights are not finite.")


def test_a_fault_of_a_network_is_recorded_under_every_output(
    job: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    jobs.run(job([], "record"), fail)
    expected = Failure("diagrams", "3", "The weights are not finite.")
    assert read_failure(tmp_path / "a.csv") == expected
    assert read_failure(tmp_path / "b.npz") == expected
    assert "The weights are not finite." in (tmp_path / "job.log").read_text()


def test_a_failure_is_passed_on_with_its_first_reason(
    job: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    first = Failure("train_network", "3", "Training diverged.")
    write_failure(tmp_path / "weights", first)
    jobs.run(job([str(tmp_path / "weights")], "record"), lambda: pytest.fail("must not run"))
    assert read_failure(tmp_path / "a.csv") == first


def test_stop_ends_the_job_with_one_sentence_and_writes_nothing(
    job: Callable[..., SimpleNamespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        jobs.run(job([], "stop"), fail)
    assert not (tmp_path / "a.csv").exists()
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "The weights are not finite." in error


def test_a_fault_of_the_program_is_never_recorded(
    job: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    with pytest.raises(TypeError):
        jobs.run(job([], "record"), lambda: len(3))  # type: ignore[arg-type]
    assert not (tmp_path / "a.csv").exists()
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_too_little_memory_is_never_recorded(
    job: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    """The job is tried again, and with more memory."""

    def exhaust() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        jobs.run(job([], "record"), exhaust)
    assert not (tmp_path / "a.csv").exists()


def test_what_the_machine_lacks_stops_the_run_and_is_never_recorded(
    job: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    def lack() -> None:
        raise MachineError("There is no GPU here.")

    with pytest.raises(SystemExit):
        jobs.run(job([], "record"), lack)
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize(
    ("number", "recorded"),
    [(errno.ESTALE, False), (errno.EIO, False), (errno.ENOENT, True), (errno.EINVAL, True)],
)
def test_a_file_that_the_system_cannot_read_is_no_networks_fault(
    job: Callable[..., SimpleNamespace],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    recorded: bool,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(np, "load", fails)
    stopped = contextlib.nullcontext() if recorded else pytest.raises(SystemExit)
    with stopped:
        jobs.run(job([], "record"), lambda: read_diagrams(tmp_path / "diagrams.npz"))
    assert (tmp_path / "a.csv").exists() is recorded


# A process's own memory opens as a file, but gives no byte (EIO) and cannot be mapped (ENODEV).
MEMORY = "/proc/self/mem"


@pytest.mark.parametrize("read", [read_sample, read_split])
def test_nor_is_one_that_safetensors_cannot_read(
    job: Callable[..., SimpleNamespace], tmp_path: Path, read: Callable[[str], object]
) -> None:
    with pytest.raises(SystemExit):
        jobs.run(job([], "record"), lambda: read(MEMORY))
    assert not (tmp_path / "a.csv").exists()


def test_nor_is_an_input_that_cannot_be_read(
    job: Callable[..., SimpleNamespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        jobs.run(job([MEMORY], "record"), lambda: pytest.fail("must not run"))
    assert not (tmp_path / "a.csv").exists()
    sentence = f"{MEMORY} cannot be read (Input/output error)"
    assert sentence in capsys.readouterr().err
    assert sentence in (tmp_path / "job.log").read_text()


def test_a_real_result_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("measure,value\n")
    (tmp_path / "empty").write_text("")
    assert read_failure(tmp_path / "a.csv") is None
    assert read_failure(tmp_path / "empty") is None
