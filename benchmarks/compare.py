"""Compare the CPU time of short benchmarks with that of the last tagged version.

    python benchmarks/compare.py
    python benchmarks/compare.py --against 0.1.0 --only hessian diagrams

The tag is checked out beside the working tree. Each benchmark runs in both, alternately, in the
environment of this Python: only gengap's own code differs. Each run is a process of its own on one
thread, and the fastest run counts. Only ratios are printed, since seconds depend on the machine and
its load. Caches of compiled code stay in a folder of their own.

A benchmark calls nothing but what the tag may have, too. It imports what it needs and makes its
inputs. Only the call that it returns is measured, after a first call that compiles and caches.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CALLS = 3

Call = Callable[[], object]


def digits(width: int = 16) -> tuple[Any, Any]:
    """Return a small convolutional network, trained for an epoch, and its 600 digits."""
    from gengap.datasets import load
    from gengap.networks import build, convolutional
    from gengap.training import Recipe, train

    data = load("digits", train_size=600, balanced=True).train
    network = build(convolutional(data.inputs.shape[1:], data.classes, width=width, depth=2))
    train(network, data, Recipe(epochs=1))
    return network.eval(), data


def training() -> Call:
    """Five epochs of a convolutional network on 600 digits."""
    from gengap.training import Recipe, train

    network, data = digits()
    return lambda: train(network, data, Recipe(epochs=5))


def sampling() -> Call:
    """Activations of 200 inputs, in two draws of 500 neurons."""
    import numpy as np

    from gengap.activations import sample

    network, data = digits()
    inputs = data.inputs[:200]
    return lambda: sample(network, inputs, neurons=500, draws=2, rng=np.random.default_rng(0))


def dissimilarity() -> Call:
    """The correlation dissimilarity of 1000 neurons on 1000 inputs."""
    import numpy as np

    from gengap.topology import correlation_dissimilarity

    activations = np.random.default_rng(0).standard_normal((1000, 1000)).astype(np.float32)
    return lambda: correlation_dissimilarity(activations)


def diagrams() -> Call:
    """Persistence diagrams in H0 and H1 of 800 rectified random neurons."""
    import numpy as np

    from gengap.topology import correlation_dissimilarity, persistence_diagrams

    rng = np.random.default_rng(0)
    activations = rng.standard_normal((200, 20)) @ rng.standard_normal((20, 800))
    matrix = correlation_dissimilarity(np.maximum(activations, 0).astype(np.float32).T)
    return lambda: persistence_diagrams(matrix)


def summaries() -> Call:
    """Every vectorisation of diagrams of 1000 bars."""
    import numpy as np

    from gengap.topology import vectorise

    births, lives = np.random.default_rng(0).random((2, 1000)) / 2
    h0 = np.column_stack([np.zeros(1000), births])
    return lambda: vectorise([h0, np.column_stack([births, births + lives])])


def hessian() -> Call:
    """The ten largest eigenpairs of a Hessian."""
    from gengap import curvature

    network, data = digits()
    return lambda: curvature.hessian(network, "cross_entropy", data).eigsh(10)


def tangent_kernel() -> Call:
    """The empirical tangent kernel of 300 digits."""
    from gengap.tangent import empirical_ntk

    network, data = digits()
    inputs = data.inputs[:300]
    return lambda: empirical_ntk(network, inputs, of="trace")


def baseline_measures() -> Call:
    """The measures of the family ``baseline`` of one network."""
    import numpy as np

    from gengap.measures import Subject, compute

    network, data = digits()
    return lambda: compute("baseline", Subject(network, None, data, np.random.default_rng(0)))


def leaderboard() -> Call:
    """The evaluation of 20 measures of 64 networks."""
    import numpy as np
    import pandas as pd

    from gengap.evaluation import evaluate

    rng = np.random.default_rng(0)
    names = [f"{network:03}" for network in range(64)]
    grid = pd.DataFrame({f"h{bit}": np.arange(64) >> bit & 1 for bit in range(4)}, index=names)
    gaps = pd.Series(grid.sum(axis=1) + rng.normal(size=64), index=names)
    measures = pd.DataFrame(
        {
            "task": "made",
            "network": np.tile(names, 20),
            "family": "made",
            "measure": np.repeat([f"m{i}" for i in range(20)], 64),
            "component": "value",
            "value": np.tile(gaps, 20) + np.repeat(range(20), 64) * rng.normal(size=1280),
        }
    )
    accuracy = pd.Series(1.0, index=names)
    return lambda: evaluate(measures, gaps, grid, training_accuracy=accuracy)


BENCHMARKS: dict[str, Callable[[], Call]] = {
    "training": training,
    "sampling": sampling,
    "dissimilarity": dissimilarity,
    "diagrams": diagrams,
    "summaries": summaries,
    "hessian": hessian,
    "tangent kernel": tangent_kernel,
    "baseline measures": baseline_measures,
    "leaderboard": leaderboard,
}


def seconds(call: Call) -> float:
    """Return the CPU seconds of the fastest of some calls, after a first one."""
    call()
    taken = []
    for _ in range(CALLS):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def last_tag() -> str:
    """Return the last tag that the checked-out commit descends from."""
    described = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if described.returncode:
        sys.exit("No tag is in the history: fetch it with 'git fetch --tags --unshallow'.")
    return described.stdout.strip()


def run(benchmark: str, checkout: Path, cache: Path) -> float | str:
    """Run a benchmark once with the gengap of a checkout.

    Returns:
        CPU seconds; or the error's last line, where it does not run.
    """
    environment = os.environ | {
        "PYTHONPATH": str(checkout / "src"),
        "NUMBA_CACHE_DIR": str(cache),
        "OMP_NUM_THREADS": "1",
    }
    result = subprocess.run(
        [sys.executable, __file__, "--measure", benchmark],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (result.stderr if result.returncode else result.stdout).strip().splitlines()
    return lines[-1] if result.returncode else float(lines[-1])


def ratio(benchmark: str, old: Path, cache: Path, rounds: int) -> str:
    """Return the ratio of CPU times, new to old, or why there is none."""
    fastest = {ROOT: float("inf"), old: float("inf")}
    for _ in range(rounds):
        for checkout in fastest:
            taken = run(benchmark, checkout, cache / checkout.name)
            if isinstance(taken, str):
                if checkout == ROOT:
                    sys.exit(f"{benchmark} does not run: {taken}")
                return f"does not run there ({taken.partition(':')[0]})"
            fastest[checkout] = min(fastest[checkout], taken)
    return f"{fastest[ROOT] / fastest[old]:.2f}"


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--against", metavar="TAG", help="default: the last tag")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=[*BENCHMARKS])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each version")
    parser.add_argument("--measure", choices=BENCHMARKS, help="measure one in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        print(seconds(BENCHMARKS[arguments.measure]()))
        return
    tag = arguments.against or last_tag()
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder, "old")
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(old), tag], check=True)
        try:
            print(f"| benchmark | CPU time, divided by that of {tag} |\n| --- | --- |", flush=True)
            for benchmark in arguments.only:
                result = ratio(benchmark, old, Path(folder, "numba"), arguments.rounds)
                print(f"| {benchmark} | {result} |", flush=True)
        finally:
            subprocess.run([*git, "remove", "--force", str(old)], check=True)


if __name__ == "__main__":
    main()
