"""How long the training of a reference's zoo will take, said before it is run."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from gengap.planning.plan import Plan
from gengap.planning.targets import receipts, reference_names
from gengap.planning.tasks import TaskPlan

TIMED = 4
"""Most networks of a zoo whose training is timed."""
PATIENCE = 300
"""Seconds after which the timing is given up."""


def size_of_reference(plan: Plan) -> str:
    """Say how many networks ``snakemake reference`` trains, and how long that takes.

    Args:
        plan: of the run.

    Returns:
        A sentence. The time is that of the networks trained so far; where there are none, of one
        epoch of some of them, on a part of the data, and then only a bound.
    """
    task = plan.task(reference_names(plan)[0])
    draws = task.own["zoo"]["replicates"]
    networks = f"{task.count} networks ({task.count // draws} settings x {draws} draws of the data)"
    return f"{task.name}: {networks}; {_time(plan.root, task, plan.config['data_dir'])}"


def _time(root: Path, task: TaskPlan, data_dir: str | None) -> str:
    done = _trained(task)
    if done:
        seconds, networks = done
        hours = f"{seconds / networks * task.count / 3600:.2g}"
        return f"training takes about {hours} hours on one core, as {networks} of them took"
    timed = _timed(root, json.dumps(_job(task, data_dir), sort_keys=True))
    if not isinstance(timed, float):
        return f"the time of training is not known: {timed}"
    hours = f"{timed * task.count / 3600:.2g}"
    return f"training takes at most {hours} hours on one core, by one timed epoch of some of them"


def _trained(task: TaskPlan) -> tuple[float, int] | None:
    """Return the seconds of the shards that were trained, and their number of networks."""
    seconds, networks = 0.0, 0
    for receipt in map(Path, receipts(task)):
        benchmark = receipt.parents[1] / "benchmarks" / "train" / f"{receipt.stem}.tsv"
        if receipt.is_file() and benchmark.is_file():
            seconds += measured_seconds(benchmark)
            networks += len(task.networks(int(receipt.stem)))
    return (seconds, networks) if networks else None


def measured_seconds(benchmark: Path) -> float:
    """Return the seconds that a job took, from Snakemake's table of its benchmark.

    Raises:
        OSError, StopIteration, KeyError, ValueError: there is no such number.
    """
    with benchmark.open(encoding="utf-8") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


def _job(task: TaskPlan, data_dir: str | None) -> dict[str, Any]:
    """Return what is timed: the data, and networks from all over the grid."""
    settings = [entry for entry in task.entries if entry["point"]["replicate"] == 0]
    step = math.ceil(len(settings) / TIMED)
    return {
        "dataset": task.dataset,
        "data_dir": data_dir,
        "draw": task.draw,
        "seed": task.run["seed"],
        "entries": settings[step // 2 :: step],
    }


@cache
def _timed(root: Path, job: str) -> float | str:
    """Return the mean seconds of training one network, or why they are not known."""
    command = [sys.executable, "-m", "gengap.tasks.timing"]
    try:
        result = subprocess.run(
            command, input=job, capture_output=True, text=True, timeout=PATIENCE, check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), *sys.path])},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"one epoch of some of them takes more than {PATIENCE} seconds"
    if result.returncode:
        return result.stderr.strip().splitlines()[-1] if result.stderr else "the timing failed"
    return float(result.stdout.strip().splitlines()[-1])
