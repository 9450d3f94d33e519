"""Compare the persistence engine with the others that are installed, on trained networks.

    python benchmarks/engine.py [--giotto-python PATH] [--sizes 500 1000 2000 3000]
    python benchmarks/engine.py --h2

Four networks are trained on scikit-learn's digits. Their matrices hold 1 - |correlation| of the
activations of n sampled neurons on all 1797 images, and are kept under
results/benchmarks/engine/matrices. Each engine runs in a process of its own, one at a time: H0 and
H1, defaults, one thread. The script writes engine.csv, engine.md and engine.png to
results/benchmarks/engine, and prints the table and the ratios. It stops if any two engines disagree
in a single bit. With --h2 it measures H0 to H2 of functional graphs and of smaller matrices, and
writes engine_h2.csv and engine_h2.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

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

if TYPE_CHECKING:
    from gengap.networks import Network
    from gengap.training import Recipe

ENGINES = ("gengap", "GUDHI", "giotto-ph", "ripser.py")
REFERENCE = "giotto-ph"
FOLDER = Path("results/benchmarks/engine")
RUNNER = Path(__file__).with_name("engine_run.py")
SAMPLED = 3000
"""Number of neurons of the sample from which the smaller matrices are taken."""
NOISE_POINTS, NOISE_INPUTS = 300, 2000
DEADENING = 1.0
"""Amount by which the biases of every other hidden channel are lowered before training.

Most of these channels never fire again.
"""
RATIOS_FROM = 2000
"""The smallest number of points that counts in the mean ratio."""

H2_NETWORKS = ("well-fitted CNN", "overfitted MLP")
FUNCTIONAL_GRAPH = 0.6
"""Threshold of the published functional graphs: |r| >= 0.4."""
H2_SIZES = ((200, math.inf), (600, math.inf), (600, FUNCTIONAL_GRAPH), (1000, FUNCTIONAL_GRAPH))
"""Numbers of points and thresholds of each network."""
MIXTURE_POINTS, MIXTURE_INPUTS, MIXTURE_PARTS, MIXTURE_SIZE = 140, 400, 10, 20

Case = tuple[str, int, float, Path]
"""A matrix: its name, number of points, threshold, and file."""


def networks() -> dict[str, Callable[[], tuple[Network, NDArray[np.float32]]]]:
    """Name the networks.

    Returns:
        By name, a function that trains the network and returns it with all inputs.
    """
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

    def trained(
        spec: dict[str, Any], recipe: Recipe, lowered: float = 0.0
    ) -> tuple[Network, NDArray[np.float32]]:
        network = build(spec)
        start = train(network, digits.train, replace(recipe, epochs=1)).initial
        hidden = [name for name in start if name.endswith("bias")][:-1]
        for name in hidden:
            start[name][::2] -= lowered
        result = train(network, digits.train, recipe, start=start)
        print("   ", result.history[-1], flush=True)
        return network.eval(), data.inputs

    fitting = Recipe(optimiser="adam", learning_rate=1e-3, batch_size=64, epochs=10)
    memorising = replace(fitting, label_corruption=0.9, stop_at_loss=0.05, epochs=80)
    return {
        "well-fitted CNN": lambda: trained(convolutions, fitting),
        "overfitted CNN": lambda: trained(convolutions, memorising),
        "overfitted MLP": lambda: trained(
            dense(shape, digits.classes, width=1200, depth=3), memorising
        ),
        "many dead neurons": lambda: trained(convolutions, fitting, DEADENING),
    }


def matrices(folder: Path, sizes: Sequence[tuple[int, float]], names: Sequence[str]) -> list[Case]:
    """Make the matrices that do not exist yet.

    Args:
        folder: where the matrices are kept.
        sizes: numbers of points, each with a threshold.
        names: of the networks.

    Returns:
        The cases, network by network.
    """
    from gengap.seeding import generator
    from gengap.topology import correlation_dissimilarity

    largest = max(*(n for n, _ in sizes), SAMPLED)
    cases: list[Case] = []
    for name in names:
        make = networks()[name]
        whole = folder / f"{name}, n={largest} of {largest}.npy"
        if not whole.exists():
            from gengap.activations import sample

            print(f"training: {name}", flush=True)
            network, inputs = make()
            rng = generator(0, "benchmark", name)
            sampled = sample(network, inputs, neurons=largest, draws=1, sampling="uniform", rng=rng)
            rows = rng.permutation(sampled.draws[0])
            save(whole, correlation_dissimilarity(sampled.activations[rows]))
        for n, threshold in sizes:
            path = folder / f"{name}, n={n} of {largest}.npy"
            if not path.exists():
                save(path, np.ascontiguousarray(np.load(whole, mmap_mode="r")[:n, :n]))
            cases.append((name, n, threshold, path))
    return cases


def noise(folder: Path) -> Case:
    """Make the matrix of Gaussian noise, unless it exists."""
    from gengap.seeding import generator
    from gengap.topology import correlation_dissimilarity

    path = folder / f"Gaussian noise, n={NOISE_POINTS}.npy"
    if not path.exists():
        values = generator(0, "benchmark", "noise").standard_normal((NOISE_POINTS, NOISE_INPUTS))
        save(path, correlation_dissimilarity(values))
    return "Gaussian noise", NOISE_POINTS, math.inf, path


def mixture(folder: Path) -> Case:
    """Make the matrix of rectified random units on a mixture of Gaussians, unless it exists."""
    from gengap.seeding import generator
    from gengap.topology import correlation_dissimilarity

    path = folder / f"rectified mixture, n={MIXTURE_POINTS}.npy"
    if not path.exists():
        rng = generator(0, "benchmark", "mixture")
        centres = rng.standard_normal((MIXTURE_PARTS, MIXTURE_SIZE))
        inputs = centres[rng.integers(0, MIXTURE_PARTS, MIXTURE_INPUTS)]
        inputs += rng.standard_normal(inputs.shape)
        values = rng.standard_normal((MIXTURE_POINTS, MIXTURE_SIZE)) @ inputs.T
        save(path, correlation_dissimilarity(np.maximum(values, 0)))
    return "rectified mixture", MIXTURE_POINTS, math.inf, path


def save(path: Path, matrix: NDArray[np.floating]) -> None:
    """Write a matrix."""
    with writing(path) as part:
        np.save(part, matrix)


def run(
    python: str, engine: str, matrix: Path, diagrams: Path, max_dim: int, threshold: float
) -> dict[str, Any]:
    """Run one engine on one matrix in a process of its own.

    Args:
        python: the interpreter that has the engine.
        engine: its name.
        matrix: file of the matrix.
        diagrams: file to which the process writes the diagrams.
        max_dim: the highest dimension of homology.
        threshold: edges longer than this do not enter.

    Returns:
        What `engine_run.py` prints.

    Raises:
        SystemExit: the engine fails.
    """
    threads = {f"{kind}_NUM_THREADS": "1" for kind in ("OMP", "OPENBLAS", "MKL")}
    process = subprocess.run(
        [python, str(RUNNER), engine, str(matrix), str(diagrams), str(max_dim), str(threshold)],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        raise SystemExit(f"{engine} failed on {matrix}:\n{process.stderr}")
    row: dict[str, Any] = json.loads(process.stdout)
    return row


def installed(python: str, engine: str) -> bool:
    """Whether an interpreter has an engine."""
    check = f"from engine_run import prepare; prepare({engine!r})"
    folder = RUNNER.parent
    return not subprocess.run([python, "-c", check], cwd=folder, capture_output=True).returncode


def measure(interpreters: dict[str, str], cases: list[Case], max_dim: int = 1) -> pd.DataFrame:
    """Run every engine on every matrix.

    Args:
        interpreters: the interpreter of each engine.
        cases: the matrices.
        max_dim: the highest dimension of homology.

    Returns:
        One row for each matrix and engine.

    Raises:
        SystemExit: an engine fails, or two engines disagree in a bit.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, n, threshold, matrix in cases:
            agreed: dict[str, bytes] | None = None
            for engine, python in interpreters.items():
                diagrams = Path(folder, "diagrams.npz")
                row = run(python, engine, matrix, diagrams, max_dim, threshold)
                with np.load(diagrams) as loaded:
                    bars = {dimension: loaded[dimension] for dimension in loaded.files}
                content = {dimension: array.tobytes() for dimension, array in bars.items()}
                if content != (agreed := agreed or content):
                    raise SystemExit(
                        f"{engine} disagrees with {next(iter(interpreters))}: {matrix}"
                    )
                counts = {f"{dimension}_bars": len(array) for dimension, array in bars.items()}
                case = {"matrix": name, "n": n, "threshold": threshold}
                rows.append({**case, "engine": engine, **row, **counts})
                print(f"{name}, n={n}, {engine}: {row['cpu_s']:.2f} s CPU", flush=True)
    return pd.DataFrame(rows)


def ratios(table: pd.DataFrame) -> str:
    """Describe the reference's cost divided by ours."""
    if not {"gengap", REFERENCE} <= set(table["engine"]):
        return f"{REFERENCE} is not installed: no ratios.\n"
    costs = table.assign(
        own=table["peak_mb"] - table["files_mb"], added=table["peak_mb"] - table["before_mb"]
    )
    pivot = costs.pivot(
        index=["matrix", "n"], columns="engine", values=["cpu_s", "peak_mb", "own", "added"]
    )

    def ratio(cost: str) -> pd.Series[float]:
        costs: pd.Series[float] = pivot[cost][REFERENCE] / pivot[cost]["gengap"]
        return costs

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
            f"- {what}: {format_ratios(ratio(cost).xs(largest, level='n'))}"
            for cost, what in {
                "peak_mb": "peak of the process",
                "own": "the process's own part of that, without the pages of libraries' files",
                "added": "added by the call",
            }.items()
        ),
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def geometric_mean(values: pd.Series[float]) -> float:
    """Return the geometric mean of positive values."""
    return float(np.exp(np.log(values).mean()))


def format_ratios(ratios: pd.Series[float]) -> str:
    """Format the mean of several ratios, and each ratio with its matrix."""
    single = ", ".join(f"{matrix} {value:.1f}" for matrix, value in ratios.items())
    return f"{geometric_mean(ratios):.1f} (geometric mean; {single})"


def markdown(table: pd.DataFrame) -> str:
    """Format the table and the ratios in Markdown."""
    engines = [engine for engine in ENGINES if engine in set(table["engine"])]
    versions = table.groupby("engine")["version"].first()
    head = ["matrix", "n", "H0", "H1", *(f"{engine} {versions[engine]}" for engine in engines)]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for _, rows in table.groupby(["matrix", "n"], sort=False):
        first = rows.iloc[0]
        costs = rows.set_index("engine").to_dict("index")
        lines.append(
            f"{first['matrix']} | {first['n']} | {first['h0_bars']} | {first['h1_bars']} | "
            + " | ".join(
                f"{costs[engine]['cpu_s']:.2f} ({costs[engine]['peak_mb']:.0f})"
                for engine in engines
            )
        )
    body = "\n".join(f"| {line} |" for line in lines)
    return f"CPU seconds of one call (peak MB of its process).\n\n{body}\n\n{ratios(table)}"


def h2_markdown(table: pd.DataFrame) -> str:
    """Format the table of H0 to H2, and how the better of the others compares with ours."""
    others = [engine for engine in ENGINES[1:] if engine in set(table["engine"])]
    engines = [ENGINES[0], *others]
    versions = table.groupby("engine")["version"].first()
    titles = [f"{engine} {versions[engine]}" for engine in engines]
    head = ["matrix", "threshold", "n", "H1", "H2", *titles]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    costs = table.assign(added=table["peak_mb"] - table["before_mb"])
    ratios = []
    for _, rows in costs.groupby(["matrix", "n", "threshold"], sort=False):
        name, n, threshold = rows[["matrix", "n", "threshold"]].iloc[0]
        by_engine = rows.set_index("engine")[["cpu_s", "added"]]
        ratios.append(by_engine.loc[others].min() / by_engine.loc[ENGINES[0]])
        cells = [f"{cpu:.3g} ({added:.3g})" for cpu, added in by_engine.loc[engines].to_numpy()]
        limit = "none" if math.isinf(threshold) else f"{threshold:g}"
        counts = [str(rows[f"h{k}_bars"].iloc[0]) for k in (1, 2)]
        lines.append(" | ".join([name, limit, str(n), *counts, *cells]))
    body = "\n".join(f"| {line} |" for line in lines)
    cpu, added = (geometric_mean(column) for _, column in pd.DataFrame(ratios).items())
    return (
        f"CPU seconds of one call (MB that it adds to the process).\n\n{body}\n\nThe better of the "
        f"others takes {cpu:.1f} times our CPU time and {added:.1f} times what our call adds "
        "(geometric means).\n"
    )


@styled
def plot_costs(table: pd.DataFrame) -> Figure:
    """Plot time and memory of the engines against the number of points, a column a network."""
    trained = table[table["n"] != NOISE_POINTS]
    names = list(trained["matrix"].unique())
    figure = new_figure(DOUBLE_COLUMN, 3.6)
    axes = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False)
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
    legend_below(figure, handles)
    return figure


def main() -> None:
    """Measure all engines, and write the table and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--giotto-python", default=sys.executable, help="Python with giotto-ph")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000, 2000, 3000])
    parser.add_argument("--h2", action="store_true", help="H0 to H2 of smaller matrices")
    arguments = parser.parse_args()
    pythons = {e: arguments.giotto_python if e == REFERENCE else sys.executable for e in ENGINES}
    interpreters = {e: python for e, python in pythons.items() if installed(python, e)}
    print("engines:", ", ".join(interpreters), flush=True)
    folder = FOLDER / "matrices"
    if arguments.h2:
        cases = [*matrices(folder, H2_SIZES, H2_NETWORKS), mixture(folder)]
        table = measure(interpreters, cases, max_dim=2)
        with writing(FOLDER / "engine_h2.csv") as part:
            table.to_csv(part, index=False)
        with writing(FOLDER / "engine_h2.md") as part:
            part.write_text(h2_markdown(table))
        print(f"\n{h2_markdown(table)}")
        return
    sizes = [(n, math.inf) for n in sorted(arguments.sizes)]
    cases = [*matrices(folder, sizes, list(networks())), noise(folder)]
    table = measure(interpreters, cases)

    with writing(FOLDER / "engine.csv") as part:
        table.to_csv(part, index=False)
    with writing(FOLDER / "engine.md") as part:
        part.write_text(markdown(table))
    save_figure(plot_costs(table), FOLDER / "engine.png")
    print(f"\n{markdown(table)}")


if __name__ == "__main__":
    main()
