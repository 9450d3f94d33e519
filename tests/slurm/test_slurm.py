"""The pipeline on a SLURM cluster of one node, with the project's own profile.

Its own target, ``make test-slurm``: it needs root and Debian's slurm-wlm and munge, and it takes
some minutes. ``start_cluster.sh`` beside this file starts the cluster.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="starting a SLURM cluster needs root"),
    pytest.mark.slurm,
]

WORKFLOW = [
    str(Path(sys.executable).with_name("snakemake")),
    f"--snakefile={ROOT / 'Snakefile'}",
    f"--configfile={ROOT / 'tests' / 'workflow' / 'reduced.yaml'}",
    f"--cores={min(4, os.cpu_count() or 1)}",
]
# What a user of this cluster would write into the profile: its partition, no account, no sacct.
CLUSTER = [
    f"--workflow-profile={ROOT / 'profiles' / 'slurm'}",
    "--default-resources=slurm_partition=main",
    "--slurm-no-account",
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=2",
]
TASK = "results/reduced/task.json"
MEASURES = "results/reduced/measures.csv"
SAMPLES = "results/reduced/topology/activations/*/*.safetensors"


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    start_cluster()
    yield
    subprocess.run([HERE / "stop_cluster.sh"], check=True)


@pytest.fixture(scope="module")
def local(finished: Path) -> dict[str, bytes]:
    """The results of a run without a cluster."""
    return results(finished)


def start_cluster() -> None:
    subprocess.run([HERE / "start_cluster.sh"], check=True)


def results(folder: Path) -> dict[str, bytes]:
    """Every file under results, logs and benchmarks left out, for they hold times."""
    files = (path.relative_to(folder) for path in (folder / "results").rglob("*"))
    return {
        str(path): (folder / path).read_bytes()
        for path in files
        if (folder / path).is_file() and not {"logs", "benchmarks"} & set(path.parts)
    }


def modification_times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def log_of(folder: Path) -> str:
    """What Snakemake wrote in a folder in which it ran once."""
    (log,) = (folder / ".snakemake" / "log").glob("*.log")
    return log.read_text()


def kill_node() -> None:
    """What a power cut does to the node: its daemon and all processes of its jobs are gone."""
    steps = [step for step in psutil.process_iter() if step.name() == "slurmstepd"]
    victims = [psutil.Process(int(Path("/run/slurmd.pid").read_text())), *steps]
    for step in steps:
        with contextlib.suppress(psutil.NoSuchProcess):
            victims += step.children(recursive=True)
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()


def jobs_in(state: str) -> int:
    command = ["squeue", "--noheader", f"--states={state}"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    return len(listed.stdout.splitlines())


def wait_until(condition: Callable[[], bool], *, seconds: float = 3000) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


@pytest.mark.usefixtures("cluster")
def test_a_cluster_gives_the_bytes_of_a_local_run(local: dict[str, bytes], tmp_path: Path) -> None:
    subprocess.run([*WORKFLOW, *CLUSTER], cwd=tmp_path, check=True)

    found = results(tmp_path)
    assert sorted(found) == sorted(local)
    assert [name for name in local if found[name] != local[name]] == []
    # Four groups of jobs, and the gathering of the measures: so many SLURM jobs.
    assert log_of(tmp_path).count("has been submitted with SLURM jobid") == 5


@pytest.mark.usefixtures("cluster")
def test_a_node_that_dies_costs_only_what_it_was_doing(
    local: dict[str, bytes], tmp_path: Path
) -> None:
    command = [*WORKFLOW, *CLUSTER, "--retries=0", MEASURES]
    run = subprocess.Popen(command, cwd=tmp_path)
    try:
        wait_until(lambda: (tmp_path / TASK).exists() and any(tmp_path.glob(SAMPLES)))
        finished = modification_times(tmp_path / "results" / "reduced" / "networks")
        kill_node()
        wait_until(lambda: jobs_in("NODE_FAIL") > 0)
        start_cluster()
        assert run.wait(timeout=3000) != 0
    finally:
        run.terminate()
    assert len(finished) == 8 * 7
    assert not (tmp_path / MEASURES).exists()

    subprocess.run(command, cwd=tmp_path, check=True)

    found = results(tmp_path)
    assert [name for name in found if found[name] != local[name]] == []
    assert MEASURES in found
    assert modification_times(tmp_path / "results" / "reduced" / "networks") == finished
