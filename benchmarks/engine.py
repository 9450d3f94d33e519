"""The persistence engine against the others that are installed, on trained networks.

    python benchmarks/engine.py [--giotto-python PATH] [--sizes 500 1000 2000 3000]

Trains four networks on scikit-learn's digits (kept under results/benchmarks/engine/matrices), takes
1 - |correlation| of n sampled neurons' activations on all 1797 images, and runs each engine in a
process of its own, one at a time: H0 and H1, defaults, one thread. Writes engine.csv, engine.md and
engine.png to results/benchmarks/engine and prints the table and the ratios. Stops if any two
engines disagree in a single bit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from gengap.figures import save as save_figure
from gengap.figures.style import (
    DOUBLE_COLUMN,
    MARKERS,
    PALETTE,
    legend_below,
    new_figure,
    styled,
)
from gengap.files import writing

ENGINES = ("gengap", "GUDHI", "giotto-ph", "ripser.py")
REFERENCE = "giotto-ph"
FOLDER = Path("results/benchmarks/engine")
RUNNER = Path(__file__).with_name("engine_run.py")
# The smaller matrices are parts of one sample of so many neurons.
SAMPLED = 3000
NOISE_POINTS, NOISE_INPUTS = 300, 2000
# The biases of every other hidden channel are lowered by this before training: most of them never
# fire again.
DEADENING = 1.0
RATIOS_FROM = 2000


def networks() -> dict[str, Callable[[], tuple]]:
    """Name to a function that trains: returns the network and the inputs."""
    from gengap.datasets import Split, load
    from gengap.networks import build, convolutional, dense
    from gengap.training import Recipe, train

    digits = load("digits")
    parts = (digits.train, digits.test)
    data = Split(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.labels for part in parts]),
        digits.classes,
    )
    shape = data.inputs.shape[1:]
    convolutions = convolutional(shape, digits.classes, width=64, depth=3)

    def trained(spec, recipe: Recipe, lowered: float = 0.0):
        network = build(spec)
        start = train(network, digits.train, replace(recipe, epochs=1)).initial
        hidden = [name for name in start if name.endswith("bias")][:-1]
        for name in hidden:
            start[name][::2] -= lowered
        result = train(network, digits.train, recipe, start=start)
        print("   ", result.history[-1], flush=True)
        return network.eval(), data.inputs

    adam = {"optimiser": "adam", "learning_rate": 1e-3, "batch_size": 64}
    memorise = {**adam, "label_corruption": 0.9, "stop_at_loss": 0.05}
    return {
        "well-fitted CNN": lambda: trained(convolutions, Recipe(**adam, epochs=10)),
        "overfitted CNN": lambda: trained(convolutions, Recipe(**memorise, epochs=80)),
        "overfitted MLP": lambda: trained(
            dense(shape, digits.classes, width=1200, depth=3), Recipe(**memorise, epochs=80)
        ),
        "many dead neurons": lambda: trained(convolutions, Recipe(**adam, epochs=10), DEADENING),
    }


def matrices(folder: Path, sizes: list[int]) -> list[tuple[str, int, Path]]:
    """Name, number of points and file of each matrix, made where they are not there yet."""
    from gengap.seeding import generator
    from gengap.topology import correlation_dissimilarity

    largest = max(*sizes, SAMPLED)
    made = []
    for name, make in networks().items():
        whole = folder / f"{name}, n={largest} of {largest}.npy"
        if not whole.exists():
            from gengap.activations import sample

            print(f"training: {name}", flush=True)
            network, inputs = make()
            rng = generator(0, "benchmark", name)
            drawn = sample(network, inputs, neurons=largest, draws=1, sampling="uniform", rng=rng)
            rows = rng.permutation(drawn.draws[0])
            save(whole, correlation_dissimilarity(drawn.activations[rows]))
        for n in sizes:
            path = folder / f"{name}, n={n} of {largest}.npy"
            if not path.exists():
                save(path, np.ascontiguousarray(np.load(whole, mmap_mode="r")[:n, :n]))
            made.append((name, n, path))
    path = folder / f"Gaussian noise, n={NOISE_POINTS}.npy"
    if not path.exists():
        noise = generator(0, "benchmark", "noise").standard_normal((NOISE_POINTS, NOISE_INPUTS))
        save(path, correlation_dissimilarity(noise))
    made.append(("Gaussian noise", NOISE_POINTS, path))
    return made


def save(path: Path, matrix: np.ndarray) -> None:
    with writing(path) as part:
        np.save(part, matrix)


def run(python: str, engine: str, matrix: Path, diagrams: Path) -> dict:
    threads = {f"{kind}_NUM_THREADS": "1" for kind in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        [python, str(RUNNER), engine, str(matrix), str(diagrams)],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{engine} failed on {matrix}:\n{done.stderr}")
    return json.loads(done.stdout)


def installed(python: str, engine: str) -> bool:
    check = f"from engine_run import prepare; prepare({engine!r})"
    folder = RUNNER.parent
    return not subprocess.run([python, "-c", check], cwd=folder, capture_output=True).returncode


def measure(interpreters: dict[str, str], todo: list[tuple[str, int, Path]]) -> pd.DataFrame:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, n, matrix in todo:
            agreed = None
            for engine, python in interpreters.items():
                diagrams = Path(folder, "diagrams.npz")
                row = run(python, engine, matrix, diagrams)
                with np.load(diagrams) as loaded:
                    bars = {dimension: loaded[dimension] for dimension in ("h0", "h1")}
                content = {dimension: array.tobytes() for dimension, array in bars.items()}
                if content != (agreed := agreed or content):
                    raise SystemExit(
                        f"{engine} disagrees with {next(iter(interpreters))}: {matrix}"
                    )
                counts = {f"{dimension}_bars": len(array) for dimension, array in bars.items()}
                rows.append({"matrix": name, "n": n, "engine": engine, **row, **counts})
                print(f"{name}, n={n}, {engine}: {row['cpu_s']:.2f} s CPU", flush=True)
    return pd.DataFrame(rows)


def ratios(table: pd.DataFrame) -> str:
    """The reference's cost divided by ours."""
    if not {"gengap", REFERENCE} <= set(table["engine"]):
        return f"{REFERENCE} is not installed: no ratios.\n"
    costs = table.assign(
        own=table["peak_mb"] - table["files_mb"], added=table["peak_mb"] - table["before_mb"]
    )
    pivot = costs.pivot(
        index=["matrix", "n"], columns="engine", values=["cpu_s", "peak_mb", "own", "added"]
    )

    def ratio(cost: str) -> pd.Series:
        return pivot[cost][REFERENCE] / pivot[cost]["gengap"]

    cpu = ratio("cpu_s")
    largest = table["n"].max()
    big = cpu[cpu.index.get_level_values("n") >= RATIOS_FROM]
    lines = [
        f"Over n >= {RATIOS_FROM}, {REFERENCE} takes {geometric_mean(big):.1f} times our CPU"
        f" time (geometric mean; at least {big.min():.1f} times)."
        if len(big)
        else "",
        f"Smallest CPU ratio on any matrix: {cpu.min():.1f}.",
        f"Its memory at n = {largest}, divided by ours:",
        *(
            f"- {what}: {said(ratio(cost).xs(largest, level='n'))}"
            for cost, what in {
                "peak_mb": "peak of the process",
                "own": "of that its own, without the pages of libraries' files",
                "added": "added by the call",
            }.items()
        ),
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def geometric_mean(values: pd.Series) -> float:
    return float(np.exp(np.log(values).mean()))


def said(ratios: pd.Series) -> str:
    each = ", ".join(f"{matrix} {value:.1f}" for matrix, value in ratios.items())
    return f"{geometric_mean(ratios):.1f} (geometric mean; {each})"


def markdown(table: pd.DataFrame) -> str:
    engines = [engine for engine in ENGINES if engine in set(table["engine"])]
    versions = table.groupby("engine")["version"].first()
    head = ["matrix", "n", "H0", "H1", *(f"{engine} {versions[engine]}" for engine in engines)]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for (name, n), rows in table.groupby(["matrix", "n"], sort=False):
        cells = rows.set_index("engine")
        first = cells.iloc[0]
        lines.append(
            f"{name} | {n} | {first['h0_bars']} | {first['h1_bars']} | "
            + " | ".join(
                f"{cells.loc[e, 'cpu_s']:.2f} ({cells.loc[e, 'peak_mb']:.0f})" for e in engines
            )
        )
    body = "\n".join(f"| {line} |" for line in lines)
    return f"CPU seconds of one call (peak MB of its process).\n\n{body}\n\n{ratios(table)}"


@styled
def figure(table: pd.DataFrame) -> Figure:
    trained = table[table["n"] != NOISE_POINTS]
    names = list(trained["matrix"].unique())
    drawn = new_figure(DOUBLE_COLUMN, 3.6)
    axes = drawn.subplots(2, len(names), sharex=True, sharey="row", squeeze=False)
    for column, name in enumerate(names):
        axes[0, column].set_title(name)
        axes[1, column].set_xlabel("points n")
        for engine, colour, marker in zip(ENGINES, PALETTE, MARKERS, strict=False):
            rows = trained[(trained["matrix"] == name) & (trained["engine"] == engine)]
            for row, value in enumerate(("cpu_s", "peak_mb")):
                style = {"color": colour, "marker": marker, "markersize": 3}
                if len(rows):
                    axes[row, column].loglog(rows["n"], rows[value], label=engine, **style)
        sizes = sorted(trained["n"].unique())
        axes[1, column].set_xticks(sizes, sizes)
        axes[1, column].minorticks_off()
    axes[0, 0].set_ylabel("CPU seconds")
    axes[1, 0].set_ylabel("peak memory (MB)")
    for row in (0, 1):
        axes[row, 0].yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes[row, 0].yaxis.set_major_formatter("{x:g}")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    legend_below(drawn, handles)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--giotto-python", default=sys.executable, help="Python with giotto-ph")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000, 2000, 3000])
    chosen = parser.parse_args()
    pythons = {e: chosen.giotto_python if e == REFERENCE else sys.executable for e in ENGINES}
    interpreters = {e: python for e, python in pythons.items() if installed(python, e)}
    print("engines:", ", ".join(interpreters), flush=True)
    table = measure(interpreters, matrices(FOLDER / "matrices", sorted(chosen.sizes)))

    with writing(FOLDER / "engine.csv") as part:
        table.to_csv(part, index=False)
    with writing(FOLDER / "engine.md") as part:
        part.write_text(markdown(table))
    save_figure(figure(table), FOLDER / "engine.png")
    print(f"\n{markdown(table)}")


if __name__ == "__main__":
    main()
