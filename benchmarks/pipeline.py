"""Measure what each stage of the workflow costs, and how the cost grows.

    python benchmarks/pipeline.py results/digits    stages of a task that was run
    python benchmarks/pipeline.py --grow            growth with neurons, inputs, draws and networks

The first reads the files that Snakemake's ``benchmark:`` has written. The second runs the stages on
one small network, and the evaluation on made-up measures, on one thread. It varies one size at a
time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gengap.figures import save
from gengap.figures.style import DOUBLE_COLUMN, MARKERS, PALETTE, new_figure, styled
from gengap.files import writing

FOLDER = Path("results/benchmarks/pipeline")
KILOBYTES_PER_MB = 1024
BAR_HEIGHT = 0.18  # inches a stage

BASE = {"neurons": 1000, "inputs": 500, "draws": 4}
SIZES = {
    "neurons": [250, 500, 1000, 2000],
    "inputs": [125, 250, 500, 1000],
    "draws": [2, 4, 8, 16],
    "networks": [16, 32, 64, 128],
}
RESAMPLES = 1000
SCALARS, VECTORS, COMPONENTS = 20, 10, 6

Result = TypeVar("Result")


# ---- the stages of a task ----------------------------------------------------------------------


def jobs(task: Path) -> pd.DataFrame:
    """Read what Snakemake has measured.

    Args:
        task: folder of a task that was run.

    Returns:
        One row for each job: stage, seconds, CPU seconds, peak MB.

    Raises:
        SystemExit: the folder holds no benchmark file.
    """
    folder = task / "benchmarks"
    tables = []
    for path in sorted(folder.rglob("*.tsv")):
        name = path.relative_to(folder).with_suffix("")
        stage = name.parent if name.name.isdigit() else name
        # Jobs that end before Snakemake has looked at them have blanks.
        rows = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        tables.append(rows[["s", "cpu_time", "max_rss"]].assign(stage=stage.as_posix()))
    if not tables:
        raise SystemExit(f"{folder} holds no benchmark files: run the task first.")
    return pd.concat(tables, ignore_index=True)


def stages(jobs: pd.DataFrame) -> pd.DataFrame:
    """Sum up the jobs of each stage, the most expensive stage first."""
    groups = jobs.groupby("stage")
    table = pd.DataFrame(
        {
            "jobs": groups.size(),
            "seconds": groups["s"].sum(),
            "longest job (s)": groups["s"].max(),
            "CPU seconds": groups["cpu_time"].sum(),
            "CPU seconds a job": groups["cpu_time"].mean(),
            "peak MB": groups["max_rss"].max(),
        }
    )
    return table.sort_values("CPU seconds", ascending=False).reset_index()


@styled
def plot_stages(table: pd.DataFrame) -> Figure:
    """Plot seconds and peak memory of each stage."""
    figure = new_figure(DOUBLE_COLUMN, 1 + BAR_HEIGHT * len(table))
    time_axes, memory_axes = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(table))
    for shift, column, colour in ((-0.2, "CPU seconds", PALETTE[0]), (0.2, "seconds", PALETTE[5])):
        time_axes.barh(places + shift, table[column], 0.4, color=colour, label=column)
    time_axes.set_yticks(places, table["stage"])
    time_axes.invert_yaxis()
    time_axes.set_xlabel("all jobs of the stage (s)")
    time_axes.legend()
    memory_axes.barh(places, table["peak MB"], 0.6, color=PALETTE[1])
    memory_axes.set_xlabel("peak memory of a job (MB)")
    return figure


# ---- growth ------------------------------------------------------------------------------------


def growth() -> pd.DataFrame:
    """Measure the stages at every size, and return one row for each stage and size."""
    rows = []
    points = [(quantity, size) for quantity, sizes in SIZES.items() for size in sizes]
    # Each point has a process of its own: memory that one point has released would hide what the
    # next one takes.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        for point, run in zip(points, processes.map(costs_at, points), strict=True):
            for stage, seconds, megabytes in run:
                rows.append((*point, stage, seconds, megabytes))
                print(*point, stage, f"{seconds:.2f} s, {megabytes:.0f} MB", flush=True)
    return pd.DataFrame(rows, columns=["quantity", "size", "stage", "CPU seconds", "added MB"])


def costs_at(point: tuple[str, int]) -> list[tuple[str, float, float]]:
    """Measure the stages at one size of one quantity.

    Args:
        point: the quantity and its size; all other quantities have their usual sizes.

    Returns:
        Stage, CPU seconds and added MB of each stage.
    """
    quantity, size = point
    if quantity == "networks":
        return list(evaluation(size))
    return list(topology({**BASE, quantity: size}))


def topology(point: dict[str, int]) -> Iterator[tuple[str, float, float]]:
    """Measure the stages of one network."""
    import torch

    from gengap.activations import choose_inputs, sample
    from gengap.datasets import load
    from gengap.networks import build, convolutional
    from gengap.seeding import generator
    from gengap.topology import draw_diagrams, summarise
    from gengap.topology.engines.fast import warm
    from gengap.training import Recipe, train

    torch.set_num_threads(1)
    warm()
    data = load("digits", train_size=1200, balanced=True).train
    network = build(convolutional(data.inputs.shape[1:], data.classes, width=64, depth=2))
    train(network, data, Recipe(epochs=3))
    inputs = choose_inputs(data, point["inputs"], generator(0, "inputs"))
    neurons, draws = point["neurons"], point["draws"]
    sampled, cost = measured(
        lambda: sample(network, inputs, neurons=neurons, draws=draws, rng=generator(0, "neurons"))
    )
    yield "activations", *cost
    diagrams, cost = measured(lambda: draw_diagrams(sampled))
    yield "diagrams", *cost
    _, cost = measured(lambda: summarise(diagrams))
    yield "summaries", *cost


def evaluation(networks: int) -> Iterator[tuple[str, float, float]]:
    """Measure the evaluation of made-up measures.

    Args:
        networks: number of networks, each with 20 numbers and 10 vectors of 6 components.

    Yields:
        Stage, CPU seconds and added MB.
    """
    from gengap.evaluation import evaluate

    rng = np.random.default_rng(0)
    ids = [str(network) for network in range(networks)]
    sizes = {f"number_{i}": 1 for i in range(SCALARS)} | {
        f"vector_{i}": COMPONENTS for i in range(VECTORS)
    }
    measures = pd.DataFrame(
        [
            ("made-up", network, "made-up", name, component, rng.normal())
            for network in ids
            for name, components in sizes.items()
            for component in range(components)
        ],
        columns=["task", "network", "family", "measure", "component", "value"],
    )
    index = pd.Index(ids, name="network")
    gaps = pd.Series(rng.random(networks), index=index, name="gap")
    grid = pd.DataFrame({"a": np.arange(networks) % 2, "b": np.arange(networks) // 2 % 2}, index)
    _, cost = measured(
        lambda: evaluate(
            measures,
            gaps,
            grid,
            training_accuracy=pd.Series(rng.random(networks), index=index),
            correlate_within="a",
            rank_within="b",
            resamples=RESAMPLES,
            permutations=RESAMPLES,
            seed=0,
        )
    )
    yield "evaluate", *cost


def measured(work: Callable[[], Result]) -> tuple[Result, tuple[float, float]]:
    """Run a function and measure it.

    Args:
        work: the function.

    Returns:
        Its result, and its cost: CPU seconds, and the MB by which memory rose above that before.
    """
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak until now
    held, start = memory("VmRSS"), time.process_time()
    result = work()
    return result, (time.process_time() - start, memory("VmHWM") - held)


def memory(key: str) -> float:
    """Read a line of Linux's account of this process.

    Args:
        key: name of the line.

    Returns:
        The memory in MB.

    Raises:
        SystemExit: the system keeps no such account.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / KILOBYTES_PER_MB
    raise SystemExit("/proc/self/status has no memory in it: this benchmark needs Linux.")


@styled
def plot_growth(table: pd.DataFrame) -> Figure:
    """Plot CPU seconds and added memory against each quantity."""
    figure = new_figure(DOUBLE_COLUMN, 3.6)
    axes = figure.subplots(2, len(SIZES), sharex="col", sharey="row")
    names = list(table["stage"].unique())
    for column, quantity in enumerate(SIZES):
        for stage, colour, marker in zip(names, PALETTE, MARKERS, strict=False):
            rows = table[(table["quantity"] == quantity) & (table["stage"] == stage)]
            for row, value in enumerate(("CPU seconds", "added MB")):
                if len(rows):
                    axes[row, column].loglog(
                        rows["size"],
                        rows[value],
                        label=stage,
                        color=colour,
                        marker=marker,
                        markersize=3,
                    )
        axes[1, column].set_xlabel(quantity)
        axes[1, column].set_xticks(SIZES[quantity], [str(size) for size in SIZES[quantity]])
        axes[1, column].minorticks_off()
    axes[0, 0].set_ylabel("CPU seconds")
    axes[1, 0].set_ylabel("added memory (MB)")
    shown = {
        label: handle
        for panel in axes[0]
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=len(shown))
    return figure


# ---- output ------------------------------------------------------------------------------------


def markdown(table: pd.DataFrame) -> str:
    """Format a table in Markdown, with numbers of three digits."""

    def cell(value: object) -> str:
        return f"{value:.3g}" if isinstance(value, float) and value < 1000 else _whole(value)

    lines = [list(table.columns), ["---"] * table.shape[1]]
    lines += [[cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _whole(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def write(table: pd.DataFrame, figure: Figure, name: str) -> None:
    """Write a table and its figure, and print the table."""
    with writing(FOLDER / f"{name}.csv") as part:
        table.to_csv(part, index=False)
    with writing(FOLDER / f"{name}.md") as part:
        part.write_text(markdown(table))
    save(figure, FOLDER / f"{name}.png")
    print(markdown(table))


def main() -> None:
    """Measure the stages of a task that was run, or how the cost grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("task", nargs="?", type=Path, help="folder of a task that was run")
    what.add_argument("--grow", action="store_true", help="measure how the cost grows")
    arguments = parser.parse_args()
    if arguments.grow:
        table = growth()
        write(table, plot_growth(table), "growth")
    else:
        table = stages(jobs(arguments.task))
        write(table, plot_stages(table), f"stages of {arguments.task.name}")


if __name__ == "__main__":
    main()
