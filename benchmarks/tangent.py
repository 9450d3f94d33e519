"""The empirical tangent kernel of LeNet on 1000 images: gengap against neural-tangents.

    python benchmarks/tangent.py --jax-python /path/to/python

28x28 and 8x8 inputs, a process each, one after another, one thread. Without --jax-python, this
interpreter is asked for neural-tangents. Stops if two kernels differ by more than rounding.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from gengap.networks import build, initialise, weights_of
from gengap.seeding import generator, torch_generator

FOLDER = Path("results/benchmarks/tangent")
INPUTS = 1000
SIDES = (28, 8)
OURS = ("structured", "jacobian")
THEIRS = ("nt-1", "nt-3")
LARGEST_DIFFERENCE = 1e-4  # of the largest entry

ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def has_neural_tangents(python: str) -> bool:
    check = [python, "-c", "import neural_tangents"]
    return subprocess.run(check, env=ENVIRONMENT, capture_output=True).returncode == 0


def write_case(side: int) -> tuple[Path, Path]:
    network = build({"architecture": "lenet", "input_shape": [side, side, 1], "classes": 1})
    initialise(network, "lecun", torch_generator(0, "benchmark"))
    weights, inputs = FOLDER / f"weights_{side}.npz", FOLDER / f"inputs_{side}.npy"
    np.savez(weights, **{name: value.numpy() for name, value in weights_of(network).items()})
    images = generator(0, "benchmark", side).standard_normal((INPUTS, side, side, 1))
    np.save(inputs, images.astype(np.float32))
    return weights, inputs


def measure(
    python: str, method: str, side: int, paths: tuple[Path, Path]
) -> dict[str, object] | None:
    kernel = FOLDER / f"kernel_{side}_{method}.npy"
    command = [python, "benchmarks/tangent_run.py", method, *map(str, paths), str(kernel)]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    if run.returncode and method in THEIRS:
        # Implementations of neural-tangents do not run with every version of JAX.
        print(f"{method} failed: {run.stderr.strip().splitlines()[-1]}")
        return None
    if run.returncode:
        raise SystemExit(f"{method} failed:\n{run.stderr}")
    row = {"inputs": f"{side}x{side}", "method": method}
    return row | json.loads(run.stdout.splitlines()[-1])


def check(side: int, methods: list[str]) -> None:
    kernels = {m: np.load(FOLDER / f"kernel_{side}_{m}.npy").squeeze() for m in methods}
    reference = kernels["jacobian"]
    for method, kernel in kernels.items():
        difference = np.abs(kernel - reference).max() / np.abs(reference).max()
        if not difference < LARGEST_DIFFERENCE:
            raise SystemExit(f"The kernel of {method} is off by {difference:.2g} at side {side}.")


def main() -> None:
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
        pairs = [*((sys.executable, method) for method in OURS), *((python, m) for m in theirs)]
        done = [measure(interpreter, method, side, paths) for interpreter, method in pairs]
        rows += [row for row in done if row is not None]
        check(side, [str(row["method"]) for row in done if row is not None])
    table = pd.DataFrame(rows)
    table["added"] = table.peak - table.before
    table.to_csv(FOLDER / "tangent.csv", index=False)
    print(table.round(2).to_string(index=False))
    for side, some in table.groupby("inputs", sort=False):
        seconds = some.set_index("method").cpu_seconds
        others = seconds.index.intersection(THEIRS)
        if len(others):
            best = seconds[others].idxmin()
            ratio = seconds[best] / seconds["structured"]
            print(f"{side}: the fastest of neural-tangents ({best}) takes {ratio:.1f} times ours.")


if __name__ == "__main__":
    main()
