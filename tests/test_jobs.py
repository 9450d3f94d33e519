"""What happens around the work of a job: logs, recorded failures, stopping."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gengap import jobs
from gengap.activations import read_sample
from gengap.datasets import read_split
from gengap.errors import GengapError, MachineError
from gengap.failures import Failure, read_failures, write_failures
from gengap.topology import read_diagrams

Work = Callable[[str], object]
ALL = ["3", "4", "5"]
BEFORE = Failure("train", "4", "Training diverged.")


class Job:
    """A job on networks 3, 4 and 5 that does some work on each."""

    def __init__(self, folder: Path) -> None:
        self.failed = folder / "after.failed.json"
        self.log = folder / "job.log"
        self.before = folder / "before.failed.json"
        self.done: list[str] = []

    def run(self, work: Work, failures: str = "record") -> None:
        inputs = {"failed": str(self.before)} if self.before.exists() else {}
        snakemake: Any = SimpleNamespace(
            input=inputs,
            output=SimpleNamespace(failed=str(self.failed)),
            log=[str(self.log)],
            params=SimpleNamespace(networks=[3, 4, 5], failures=failures),
            rule="diagrams",
            threads=1,
        )

        def main() -> None:
            shard = jobs.Shard(snakemake)
            for network in shard:
                with shard.attempt(network):
                    work(network)
                    self.done.append(network)
            shard.write_failures()

        jobs.run(snakemake, main)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def raising(error: Exception, *networks: str) -> Work:
    """Work that fails on some networks, or on all."""

    def work(network: str) -> None:
        if not networks or network in networks:
            raise error

    return work


FAULT = GengapError("The weights are not finite.")


def test_a_fault_of_a_network_is_recorded_and_the_others_go_on(job: Job) -> None:
    job.run(raising(FAULT, "4"))
    assert job.done == ["3", "5"]
    assert read_failures(job.failed) == [Failure("diagrams", "4", str(FAULT))]
    assert "network 4 is left out: The weights are not finite." in job.log.read_text()


def test_a_network_that_failed_before_is_passed_over_and_stays_listed(job: Job) -> None:
    write_failures(job.before, [BEFORE])
    job.run(raising(FAULT, "3"))
    assert job.done == ["5"]
    assert read_failures(job.failed) == [Failure("diagrams", "3", str(FAULT)), BEFORE]


def test_where_all_networks_fail_the_list_is_still_written(job: Job) -> None:
    job.run(raising(FAULT))
    assert [failure.network for failure in read_failures(job.failed)] == ALL


def test_stop_ends_the_job_with_one_sentence_and_writes_nothing(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        job.run(raising(FAULT, "4"), "stop")
    assert not job.failed.exists()
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(FAULT) in error


def test_stop_refuses_what_was_recorded_before(job: Job) -> None:
    write_failures(job.before, [BEFORE])
    with pytest.raises(SystemExit):
        job.run(raising(FAULT), "stop")
    assert not job.failed.exists()
    assert BEFORE.reason in job.log.read_text()


@pytest.mark.parametrize("error", [TypeError("no len()"), MemoryError()])
def test_a_fault_of_the_program_or_too_little_memory_is_never_recorded(
    error: Exception, job: Job
) -> None:
    with pytest.raises(type(error)):
        job.run(raising(error, "4"))
    assert not job.failed.exists()
    assert "Traceback" in job.log.read_text()


def test_what_the_machine_lacks_stops_the_run_and_is_never_recorded(job: Job) -> None:
    with pytest.raises(SystemExit):
        job.run(raising(MachineError("There is no GPU here.")))
    assert not job.failed.exists()


@pytest.mark.parametrize(
    ("number", "recorded"),
    [(errno.ESTALE, False), (errno.EIO, False), (errno.ENOENT, True), (errno.EINVAL, True)],
)
def test_a_file_that_the_system_cannot_read_is_no_networks_fault(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, recorded: bool
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(np, "load", fails)
    path = tmp_path / "diagrams.npz"
    if recorded:
        job.run(lambda network: read_diagrams(path, network))
        assert [failure.network for failure in read_failures(job.failed)] == ALL
    else:
        with pytest.raises(SystemExit):
            job.run(lambda network: read_diagrams(path, network))
        assert not job.failed.exists()


# A process's own memory opens as a file, but gives no byte (EIO) and cannot be mapped (ENODEV).
MEMORY = "/proc/self/mem"


@pytest.mark.parametrize("read", [read_sample, read_split])
def test_nor_is_one_that_safetensors_cannot_read(read: Callable[[str], object], job: Job) -> None:
    with pytest.raises(SystemExit):
        job.run(lambda _: read(MEMORY))
    assert not job.failed.exists()


def test_nor_is_a_list_of_failures_that_cannot_be_read(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    job.before.symlink_to(MEMORY)
    with pytest.raises(SystemExit):
        job.run(lambda _: pytest.fail("must not run"))
    sentence = f"{job.before} cannot be read (Input/output error)"
    assert sentence in capsys.readouterr().err
    assert sentence in job.log.read_text()


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"network": "3"}]'])
def test_a_file_that_is_no_list_of_failures_is_refused(content: str, job: Job) -> None:
    job.before.write_text(content)
    with pytest.raises(GengapError, match=r"before\.failed\.json is no list of failures"):
        read_failures(job.before)
