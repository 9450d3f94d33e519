"""Compare the CPU time of short benchmarks with that of the last tagged version.

    python benchmarks/compare.py
    python benchmarks/compare.py --against 0.1.0 --only hessian diagrams

The tag is checked out beside the working tree. Each benchmark of ``compare_run.py`` runs in both,
alternately, in the environment of this Python: only gengap's own code differs. Each run is a
process of its own on one thread, and the fastest run counts. Only ratios are printed, since
seconds depend on the machine and its load. Caches of compiled code stay in a folder of their own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from compare_run import BENCHMARKS

ROOT = Path(__file__).parents[1]


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
    script = Path(__file__).with_name("compare_run.py")
    result = subprocess.run(
        [sys.executable, str(script), benchmark],
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
            seconds = run(benchmark, checkout, cache / checkout.name)
            if isinstance(seconds, str):
                if checkout == ROOT:
                    sys.exit(f"{benchmark} does not run: {seconds}")
                return f"not in this form there ({seconds[:60]})"
            fastest[checkout] = min(fastest[checkout], seconds)
    return f"{fastest[ROOT] / fastest[old]:.2f}"


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--against", metavar="TAG", help="default: the last tag")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=[*BENCHMARKS])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each version")
    arguments = parser.parse_args()
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
