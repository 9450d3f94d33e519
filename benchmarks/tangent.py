"""Compare gengap with neural-tangents: the empirical tangent kernel of LeNet on 1000 images.

    python benchmarks/tangent.py --jax-python /path/to/python

Inputs are 28x28 and 8x8. Each method runs in a process of its own, one at a time, on one thread.
Without --jax-python, this interpreter is searched for neural-tangents. The script stops if two
kernels differ by more than rounding.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gengap.networks import build, initialise, weights_of
from gengap.seeding import generator, torch_generator

FOLDER = Path("results/benchmarks/tangent")
INPUTS = 1000
SIDES = (28, 8)
OURS = ("structured", "jacobian")
THEIRS = ("nt-1", "nt-3")
LARGEST_DIFFERENCE = 1e-4
"""Largest difference between two kernels, as a fraction of the largest entry."""

ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def has_neural_tangents(python: str) -> bool:
    """Whether an interpreter has neural-tangents."""
    check = [python, "-c", "import neural_tangents"]
    return subprocess.run(check, env=ENVIRONMENT, capture_output=True).returncode == 0


def write_case(side: int) -> tuple[Path, Path]:
    """Write the weights and inputs of one size.

    Args:
        side: pixels of an image's side.

    Returns:
        The files of the weights and of the inputs.
    """
    network = build({"architecture": "lenet", "input_shape": [side, side, 1], "classes": 1})
    initialise(network, "lecun", torch_generator(0, "benchmark"))
    weights, inputs = FOLDER / f"weights_{side}.npz", FOLDER / f"inputs_{side}.npy"
    arrays: dict[str, Any] = {name: value.numpy() for name, value in weights_of(network).items()}
    np.savez(weights, **arrays)
    images = generator(0, "benchmark", side).standard_normal((INPUTS, side, side, 1))
    np.save(inputs, images.astype(np.float32))
    return weights, inputs


def measure(python: str, method: str, side: int, paths: tuple[Path, Path]) -> dict[str, Any] | None:
    """Run one method in a process of its own.

    Args:
        python: the interpreter that has the method.
        method: its name.
        side: pixels of an image's side.
        paths: the files of the weights and of the inputs.

    Returns:
        Inputs, method, CPU seconds and memory; None where neural-tangents fails.

    Raises:
        SystemExit: our own method fails.
    """
    kernel = FOLDER / f"kernel_{side}_{method}.npy"
    command = [python, "benchmarks/tangent_run.py", method, *map(str, paths), str(kernel)]
    process = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    if process.returncode and method in THEIRS:
        # Not every implementation of neural-tangents runs with every version of JAX.
        print(f"{method} failed: {process.stderr.strip().splitlines()[-1]}")
        return None
    if process.returncode:
        raise SystemExit(f"{method} failed:\n{process.stderr}")
    costs: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return {"inputs": f"{side}x{side}", "method": method, **costs}


def check(side: int, methods: list[str]) -> None:
    """Compare the kernels of all methods with that of the plain Jacobian.

    Args:
        side: pixels of an image's side.
        methods: their names.

    Raises:
        SystemExit: a kernel differs by more than rounding.
    """
    kernels = {name: np.load(FOLDER / f"kernel_{side}_{name}.npy").squeeze() for name in methods}
    reference = kernels["jacobian"]
    for method, kernel in kernels.items():
        difference = np.abs(kernel - reference).max() / np.abs(reference).max()
        if not difference < LARGEST_DIFFERENCE:
            raise SystemExit(f"The kernel of {method} differs by {difference:.2g} at side {side}.")


def main() -> None:
    """Measure all methods at both sizes, and print the table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jax-python", default=sys.executable)
    python = parser.parse_args().jax_python
    theirs = THEIRS if has_neural_tangents(python) else ()
    if not theirs:
        print(f"{python} has no neural-tangents: gengap alone is measured.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    for side in SIDES:
        paths = write_case(side)
        interpreters = dict.fromkeys(OURS, sys.executable) | dict.fromkeys(theirs, python)
        attempts = [
            measure(interpreter, method, side, paths)
            for method, interpreter in interpreters.items()
        ]
        rows += [row for row in attempts if row is not None]
        check(side, [row["method"] for row in attempts if row is not None])
    table = pd.DataFrame(rows)
    table["added"] = table["peak"] - table["before"]
    table.to_csv(FOLDER / "tangent.csv", index=False)
    print(table.round(2).to_string(index=False))
    for size in dict.fromkeys(row["inputs"] for row in rows):
        seconds = {row["method"]: row["cpu_seconds"] for row in rows if row["inputs"] == size}
        if measured := [method for method in THEIRS if method in seconds]:
            best = min(measured, key=seconds.__getitem__)
            ratio = seconds[best] / seconds["structured"]
            print(f"{size}: the fastest of neural-tangents ({best}) takes {ratio:.1f} times ours.")


if __name__ == "__main__":
    main()
